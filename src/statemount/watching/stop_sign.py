"""Whether the server around us is about to stop: it may wait for all that is being sent before it says so."""

from __future__ import annotations

import time
from collections.abc import Callable

BELIEVED_SECONDS = 30.0
"""So long it is believed: a server that is there after that has not stopped."""


class StopSign:
    """Is up once somebody has said so; a class that finds out by itself replaces the methods.

    Args:
        clock: Seconds of a clock that is never set back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told_at: float | None = None

    def attend(self) -> None:
        """Begin to look out, on the running event loop. A no-op if it does so already."""
        return None

    def leave(self) -> None:
        """Look out no longer."""
        return None

    def tell(self) -> None:
        """Take note that the server is about to stop."""
        self._told_at = self._clock()

    def is_up(self) -> bool:
        """Tell whether the server is about to stop."""
        return self._told_at is not None and self._clock() - self._told_at < BELIEVED_SECONDS
