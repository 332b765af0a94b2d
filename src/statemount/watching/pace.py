"""How much of the event loop's time watching may take."""

from __future__ import annotations

from collections.abc import Callable

_BUSY_SECONDS = 0.0003
_WEIGHT = 0.2
_IDLE_LOOKS = 20


class Pace:
    """Keeps work to a small share of the time while others want the event loop, and lets it go on freely otherwise.

    What is not used is saved up, for a burst.

    Args:
        share: Of the time that it may always take.
        burst: Seconds of work that may be done at once after a rest.
        clock: Seconds of a clock that is never set back.
    """

    def __init__(self, *, share: float, burst: float, clock: Callable[[], float]) -> None:
        self._least = self._share = share
        self._burst = burst
        self._clock = clock
        self._credit = burst
        self._at = clock()
        self._waited = 0.0
        self._idle_looks = 0

    def spend(self, seconds: float) -> None:
        """Take note of work that was done."""
        self._earn()
        self._credit -= seconds

    def waited(self, seconds: float) -> None:
        """Take note of how long others kept the event loop, when there was work to be done at once."""
        self._idle_looks = 0
        self._take_in(self._waited + _WEIGHT * (seconds - self._waited))

    def looked(self, seconds: float) -> None:
        """Take note of how long others kept the event loop, when nothing was done.

        Only many such looks in a row at which nobody wanted it say that it is idle: while writes wait for the disk
        together, everybody does.
        """
        self._idle_looks = self._idle_looks + 1 if seconds < _BUSY_SECONDS else 0
        if self._idle_looks >= _IDLE_LOOKS:
            self._take_in(0.0)

    def _take_in(self, waited: float) -> None:
        self._earn()
        self._waited = waited
        idle = max(0.0, 1.0 - self._waited / _BUSY_SECONDS)
        self._share = self._least + (1.0 - self._least) * idle

    def rest(self) -> float:
        """Return how many seconds to wait before more is done; 0 = none."""
        self._earn()
        return max(0.0, -self._credit / self._share)

    def _earn(self) -> None:
        now = self._clock()
        self._credit = min(self._burst, self._credit + (now - self._at) * self._share)
        self._at = now
