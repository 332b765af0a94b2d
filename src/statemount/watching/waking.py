"""Waking many watches, a few at a time, so that nobody else waits for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from statemount.watching.pace import Pace

if TYPE_CHECKING:
    from statemount.watching.watch import Watch

SLICE = 32
"""So many are woken before others have their turn on the event loop."""

_SEND_SECONDS = 0.00003  # what it costs the server, on its own threads, to send something, and to wait anew,
_BYTE_SECONDS = 1.2e-9  # and each byte of it


class Waker:
    """Wakes watches.

    Args:
        pace: Is told how much time it took.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, pace: Pace) -> None:
        self._loop = loop
        self._pace = pace
        self._began = 0.0

    async def wake(self, watches: Sequence[Watch]) -> None:
        """Wake watches; each has had its turn when this returns, though not everything may be sent."""
        for start in range(0, len(watches), SLICE):
            # What they do is done in the event loop's next round, between this call and the end of the sleep.
            asked = time.perf_counter()
            self._loop.call_soon(self._begin)
            for watch in watches[start : start + SLICE]:
                watch.wake()
            await asyncio.sleep(0)
            self._pace.waited(self._began - asked)
            self._pace.spend(time.perf_counter() - self._began)

    async def look(self) -> None:
        """See for how long others keep the event loop now, so that the pace is that of the time and not of the past."""
        asked = time.perf_counter()
        await asyncio.sleep(0)
        self._pace.looked(time.perf_counter() - asked)

    def _begin(self) -> None:
        self._began = time.perf_counter()

    def sent(self, size: int) -> None:
        """Take note that so many bytes were sent to one."""
        self._pace.spend(_SEND_SECONDS + _BYTE_SECONDS * size)

    def beat(self, watches: Sequence[Watch]) -> None:
        """Let watches give a sign of life, by and by."""
        for watch in watches[:SLICE]:
            watch.beat()
        if len(watches) > SLICE:
            self._loop.call_soon(self.beat, watches[SLICE:])
