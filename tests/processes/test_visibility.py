"""What one process was told, the other says at once: no answer comes from a cache of entries."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from statemount.model import Run
from statemount.mount import StateMount
from tests.processes.serving import Process, serving
from tests.processes.workers import Answer, Connection, Target, asset, task

pytestmark = pytest.mark.anyio

ALTERNATIONS = 500
REMOVALS = 25
KEY = "key"


async def value_of(connection: Connection, target: Target) -> object:
    """Return the value of the key, or None if there is none."""
    answer = await connection.get(target, KEY)
    assert answer.status in (200, 404), answer
    return answer.value if answer.status == 200 else None


def check_done(answer: Answer) -> None:
    """Check that a write was acknowledged."""
    assert answer.status == 204, answer


async def test_a_write_through_another_process_is_seen(database_url: str, tmp_path: Path) -> None:
    """Each of 500 writes, through one process and the other in turn, is what the next get through either finds."""
    processes = [Process(database_url, tmp_path, server=server) for server in ("uvicorn", "granian")]
    async with serving(*processes):
        one, other = (Connection(process.port) for process in processes)
        for target in (task("seen"), asset("seen", "seen")):
            for number in range(ALTERNATIONS // 2):
                one, other = other, one
                check_done(await one.put(target, KEY, number))
                assert await value_of(other, target) == number
                assert await value_of(one, target) == number
        one.close()
        other.close()


async def test_a_removal_through_another_process_is_seen(database_url: str, tmp_path: Path) -> None:
    """A key that one process has read is gone for it once another process has deleted it, or cleared everything."""
    processes = [Process(database_url, tmp_path, server=server) for server in ("uvicorn", "granian")]
    async with serving(*processes):
        one, other = (Connection(process.port) for process in processes)
        for target in (task("removed"), task("mapped", 3), asset("removed", "removed")):
            for number in range(REMOVALS):
                one, other = other, one
                for remove in (partial(one.delete, target, KEY), partial(one.clear, target)):
                    check_done(await one.put(target, KEY, number))
                    assert await value_of(other, target) == number
                    check_done(await remove())
                    assert await value_of(other, target) is None
                    assert await value_of(one, target) is None
        one.close()
        other.close()


async def test_a_drop_in_another_process_is_seen(database_url: str, tmp_path: Path) -> None:
    """State that a process has read and written is gone for it once another process has dropped it."""
    target = task("dropped")
    process = Process(database_url, tmp_path)
    state = StateMount(database_url, directory_cache_seconds=0)
    async with serving(process), state.lifespan():
        connection = Connection(process.port)
        check_done(await connection.put(target, KEY, 1))
        assert await value_of(connection, target) == 1
        await state.service.store.drop(Run("dag", "run"))
        assert await value_of(connection, target) is None
        assert (await connection.put(target, KEY, 2)).status == 404  # for as long as others may remember the run
        assert await value_of(connection, target) is None
        connection.close()
