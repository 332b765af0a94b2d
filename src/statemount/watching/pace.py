"""How much of the event loop's time watching may take."""

from __future__ import annotations

from collections.abc import Callable


class Pace:
    """Keeps work to a share of the time, once a burst is used up that saves itself up meanwhile.

    Args:
        share: Of the time.
        burst: Seconds of work that may be done at once after a rest.
        clock: Seconds of a clock that is never set back.
    """

    def __init__(self, *, share: float, burst: float, clock: Callable[[], float]) -> None:
        self._share = share
        self._burst = burst
        self._clock = clock
        self._credit = burst
        self._at = clock()

    def spend(self, seconds: float) -> None:
        """Take note of work that was done."""
        self._earn()
        self._credit -= seconds

    def rest(self) -> float:
        """Return how many seconds to wait before more is done; 0 = none."""
        self._earn()
        return max(0.0, -self._credit / self._share)

    def _earn(self) -> None:
        now = self._clock()
        self._credit = min(self._burst, self._credit + (now - self._at) * self._share)
        self._at = now
