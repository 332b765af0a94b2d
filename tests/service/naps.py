"""Sleep that ends when a test says so."""

from __future__ import annotations

import asyncio


class Naps:
    """Stands in for ``asyncio.sleep``: nobody sleeps for longer than it takes the test to wake them.

    Attributes:
        seconds: How long each nap was to be, in their order.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._napping: asyncio.Queue[asyncio.Future[None]] = asyncio.Queue()

    async def __call__(self, seconds: float) -> None:
        waking = asyncio.get_running_loop().create_future()
        self.seconds.append(seconds)
        self._napping.put_nowait(waking)
        await waking

    async def end(self, count: int = 1) -> None:
        """Wait for somebody to fall asleep, and wake them; so many times. Then wait for the next nap to begin."""
        for _ in range(count):
            waking = await asyncio.wait_for(self._napping.get(), 30)
            waking.set_result(None)
        await self.begun()

    async def begun(self) -> None:
        """Wait for somebody to fall asleep."""
        waking = await asyncio.wait_for(self._napping.get(), 30)
        self._napping.put_nowait(waking)
