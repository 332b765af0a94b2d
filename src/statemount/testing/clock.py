"""A clock that a test moves by hand."""

from __future__ import annotations

from datetime import datetime, timedelta

from statemount.clock import system_clock
from statemount.model import Timestamp, from_datetime, to_datetime

_MICROSECOND = timedelta(microseconds=1)


class FakeClock:
    """Stands still until a test moves it: ``StateMount(..., clock=FakeClock())``.

    Args:
        now: Where it begins; aware. None = at the time of the system's clock, so that tokens and times that the code
            under test makes by itself fit.

    Raises:
        ValueError: The time is naive.
    """

    def __init__(self, now: datetime | None = None) -> None:
        self._now: Timestamp = system_clock() if now is None else from_datetime(now)

    def __call__(self) -> Timestamp:
        """Return the time in microseconds since the epoch, as the app asks for it."""
        return self._now

    def __repr__(self) -> str:
        return f"FakeClock({self.now.isoformat()})"

    @property
    def now(self) -> datetime:
        """The time; aware, UTC."""
        return to_datetime(self._now)

    def advance(self, seconds: float | timedelta) -> None:
        """Move on; back with less than nothing."""
        step = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        self._now += step // _MICROSECOND

    def set(self, now: datetime) -> None:
        """Move to a time.

        Raises:
            ValueError: The time is naive.
        """
        self._now = from_datetime(now)
