"""A clock that tests move by hand."""

from __future__ import annotations

from statemount.model import Timestamp

SECOND = 1_000_000
START: Timestamp = 1_780_000_000 * SECOND


class FakeClock:
    """Tells the time that it was set to, in microseconds since the epoch."""

    def __init__(self, now: Timestamp = START) -> None:
        self.now = now

    def __call__(self) -> Timestamp:
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on; back with a negative number."""
        self.now += int(seconds * SECOND)
