"""A database that breaks connections, or that somebody else holds a lock on."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path

import pytest

from tests.processes.checks import check_log
from tests.processes.load import Journal, write_all
from tests.processes.outsiders import outsider
from tests.processes.serving import Process, serving, until
from tests.processes.tables import read_scopes
from tests.processes.workers import Connection, Target, task

pytestmark = pytest.mark.anyio

CLIENTS = 4
DISTURBANCES = 15
WRITES_BETWEEN = 60
OTHERS = 8
WAITERS = 3
WAITS = 2
LOCK_SECONDS = 2.0
"""How long the app waits for a lock."""
LONGEST_ANSWER = 4 * LOCK_SECONDS
"""The group before waits, then the own group waits; twice that for a slow machine."""


async def test_broken_connections(database_url: str, tmp_path: Path) -> None:
    """While its connections are broken again and again, each write is done or answered with 503, and told truly."""
    journal = Journal()
    process = Process(database_url, tmp_path)
    async with outsider(database_url) as other, serving(process):
        finished = False
        writing = asyncio.create_task(write_all(journal, [process.port], lambda: not finished, clients=CLIENTS))
        for _ in range(DISTURBANCES):
            await other.disturb()
            goal = journal.outcomes["done"] + WRITES_BETWEEN
            await until(partial(journal.has_done, goal), "writes that are done")
        finished = True
        await writing
    assert all(write.answer is not None for write in journal.writes)
    assert "Traceback" not in process.output
    check_log(journal, await read_scopes(database_url), clients=CLIENTS)


async def test_a_lock_that_somebody_else_holds(database_url: str, tmp_path: Path) -> None:
    """What waits for a foreign lock gets 503 in time, what does not goes on, and all is well when the lock goes."""
    locked, others = task("locked"), [task(f"other-{number}") for number in range(OTHERS)]
    process = Process(database_url, tmp_path)
    async with outsider(database_url) as other, serving(process):
        for target in (locked, *others):
            assert await put(process.port, target, "before") == {204}
        async with other.locking(locked.name) as locks_everything:
            refused = asyncio.gather(*(put(process.port, locked, f"during-{n}", WAITS) for n in range(WAITERS)))
            while not refused.done():
                statuses = await asyncio.gather(*(put(process.port, target, "during") for target in others))
                assert set.union(*statuses) == ({503} if locks_everything else {204})
                assert {await get(process.port, target, "before") for target in (locked, *others)} == {200}
            assert set.union(*await refused) == {503}
        for target in (locked, *others):
            assert await put(process.port, target, "after") == {204}
    scopes = await read_scopes(database_url)
    assert set(scopes[locked.name, locked.map_index].entries) == {"before", "after"}


async def put(port: int, target: Target, key: str, count: int = 1) -> set[int]:
    """Set a key so many times over a new connection, each in time; return the statuses of the answers."""
    connection = Connection(port)
    statuses = set()
    for number in range(count):
        began = time.monotonic()
        answer = await connection.put(target, key, number)
        assert time.monotonic() - began < LONGEST_ANSWER
        assert answer.status != 503 or int(answer.headers[b"retry-after"]) >= 1
        statuses.add(answer.status)
    connection.close()
    return statuses


async def get(port: int, target: Target, key: str) -> int:
    """Read a key over a new connection, at once; return the status of the answer."""
    connection = Connection(port)
    began = time.monotonic()
    answer = await connection.get(target, key)
    assert time.monotonic() - began < LOCK_SECONDS
    connection.close()
    return answer.status
