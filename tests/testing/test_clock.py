"""The clock for tests of other projects."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from statemount.clock import system_clock
from statemount.testing import FakeClock

NEW_YEAR = datetime(2026, 1, 1, tzinfo=timezone.utc)


def test_it_begins_at_the_present_and_stands_still() -> None:
    """Unless told otherwise it begins now; only the test moves it."""
    before = system_clock()
    clock = FakeClock()
    assert before <= clock() <= system_clock()
    assert clock() == clock()


def test_it_moves_by_seconds_and_durations() -> None:
    """It moves by seconds, fractions of them and durations, on and back."""
    clock = FakeClock(NEW_YEAR)
    clock.advance(90)
    clock.advance(0.25)
    assert clock.now == NEW_YEAR + timedelta(seconds=90.25)
    clock.advance(timedelta(days=-1, microseconds=1))
    assert clock.now == NEW_YEAR + timedelta(days=-1, seconds=90, microseconds=250_001)
    assert repr(clock) == "FakeClock(2025-12-31T00:01:30.250001+00:00)"


def test_it_is_set_to_a_time() -> None:
    """It may be set to any time that has an offset."""
    clock = FakeClock()
    clock.set(datetime(2026, 1, 1, 5, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))))
    assert clock.now == NEW_YEAR
    assert clock() == 1_767_225_600_000_000
    with pytest.raises(ValueError, match="time zone"):
        clock.set(datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="time zone"):
        FakeClock(datetime(2026, 1, 1))
