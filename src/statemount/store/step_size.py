"""How much is removed in one transaction."""

from __future__ import annotations

_LONG = 0.2
"""Seconds that a transaction may hold its locks: whoever waits for one of them is refused after some more."""

_LEAST = 50


class StepSize:
    """Finds out how many rows can be removed in one transaction so that nobody waits for its locks for long.

    Half as many as in the last one if that took too long, twice as many if it took less than a quarter of that time.

    Attributes:
        size: So many at most.
    """

    def __init__(self, size: int = 1000) -> None:
        self.size: int = size

    def note(self, count: int, seconds: float) -> None:
        """Take in how long a transaction took that removed so many rows."""
        if seconds > _LONG:
            self.size = max(_LEAST, self.size // 2)
        elif seconds < _LONG / 4 and count >= self.size:
            self.size *= 2
