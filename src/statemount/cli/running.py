"""Running asynchronous work from a command."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run work to its end, as ``asyncio.run`` does. Ctrl-C cancels it, and is raised when it has cleaned up.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    if sys.platform == "win32":
        return asyncio.run(work)
    # Python's own handling tells of what drivers leave behind, and on 3.10 interrupts the event loop itself.
    done = asyncio.run(_cancelled_by_interrupt(work))
    if done is None:
        raise KeyboardInterrupt
    return done[0]


async def _cancelled_by_interrupt(work: Coroutine[Any, Any, _T]) -> tuple[_T] | None:
    """Return what the work returns, or None if an interrupt cancelled it."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    interrupts: list[int] = []

    def interrupt() -> None:
        interrupts.append(signal.SIGINT)
        loop.set_exception_handler(lambda _loop, _context: None)  # drivers leave futures behind when they are cut off
        task.cancel()

    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        return (await task,)
    except asyncio.CancelledError:
        if interrupts:
            return None
        raise
