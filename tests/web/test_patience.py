"""A limit on how long a coroutine is waited for."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from statemount.web.patience import InTime

pytestmark = pytest.mark.anyio


async def test_what_never_waits_sets_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends without a wait, well or not, is not timed at all."""

    async def immediate(result: int) -> int:
        if result < 0:
            raise LookupError
        return result

    def no_timer(*_: Any) -> None:
        raise AssertionError("a timer was set")

    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", no_timer)
    assert await InTime(immediate(7), 0.01) == 7
    with pytest.raises(LookupError):
        await InTime(immediate(-1), 0.01)


async def test_what_ends_in_time() -> None:
    """What waits several times and ends in time is as without a limit, and no timer is left."""

    async def waits(*, fails: bool) -> str:
        for _ in range(3):
            await asyncio.sleep(0.001)
        if fails:
            raise LookupError("mine")
        return "done"

    before = _timers()
    assert await InTime(waits(fails=False), 60) == "done"
    with pytest.raises(LookupError, match="mine"):
        await InTime(waits(fails=True), 60)
    assert _timers() == before


def _timers() -> int:
    scheduled: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return sum(not timer.cancelled() for timer in scheduled)


async def test_what_takes_too_long() -> None:
    """What takes too long is cancelled where it waits, and may still clean up; its task can go on."""
    cleaned = []

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    with pytest.raises(asyncio.TimeoutError):
        await InTime(slow(), 0.001)
    assert cleaned == [True]
    task = asyncio.current_task()
    assert task is not None
    if sys.version_info >= (3, 11):
        assert task.cancelling() == 0
    await asyncio.sleep(0.001)


async def test_many_small_waits_count_together() -> None:
    """The limit is on the whole, not on each wait."""

    async def trickles() -> None:
        for _ in range(1_000_000):
            await asyncio.sleep(0.001)

    with pytest.raises(asyncio.TimeoutError):
        await InTime(trickles(), 0.02)


@pytest.mark.parametrize("seconds", [0.0, 60.0])
async def test_cancelled_by_somebody_else(seconds: float) -> None:
    """Who cancels the task has it cancelled, even in the moment in which the time is over."""

    async def outer() -> None:
        await InTime(asyncio.Event().wait(), seconds)

    task = asyncio.ensure_future(outer())
    await asyncio.sleep(0)
    if seconds:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    elif sys.version_info >= (3, 11):
        asyncio.get_running_loop().call_later(0, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
    else:  # which of the two it was cannot be told there
        with pytest.raises(asyncio.TimeoutError):
            await task
