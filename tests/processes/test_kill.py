"""A server that is killed in the middle of writes."""

from __future__ import annotations

import asyncio
import random
import time
from functools import partial
from pathlib import Path

import pytest

from tests.processes.checks import check_log
from tests.processes.load import KEYS, OWN_MAP_INDICES, Journal, client_names, write_all
from tests.processes.outsiders import outsider
from tests.processes.serving import PATIENCE, Process, serving, until
from tests.processes.tables import Scope, read_scopes
from tests.processes.workers import Connection, task

pytestmark = pytest.mark.anyio

CLIENTS = 4
KILLS = 12
MOST_WRITES = 150
SOME_TABLES = 4


async def test_kill(database_url: str, tmp_path: Path) -> None:
    """After each kill the server starts again at once, with every write that it had acknowledged, and whole."""
    journal = Journal()
    process = Process(database_url, tmp_path)
    chances = random.Random(0)
    async with serving(process):
        for kill in range(KILLS):
            goal = len(journal.writes) + chances.randint(1, MOST_WRITES)
            writing = asyncio.create_task(write_all(journal, [process.port], lambda: True, clients=CLIENTS, seed=kill))
            await until(partial(journal.has, goal), "the writes before a kill")
            process.kill()
            await writing
            await process.start()
            scopes = await read_scopes(database_url)
            check_log(journal, scopes, clients=CLIENTS)
            await check_answers(process.port, scopes)
    outcomes = journal.outcomes
    assert outcomes["done"] > KILLS
    assert outcomes["unknown"] > KILLS
    assert "Traceback" not in process.output


async def test_kill_while_tables_are_made(empty_database_url: str, tmp_path: Path) -> None:
    """A server that is killed while it makes its tables starts again on what it has left."""
    process = Process(empty_database_url, tmp_path, migrates=True)
    deadline = time.monotonic() + PATIENCE
    async with outsider(empty_database_url) as other:
        process.launch()
        try:
            while await other.tables() < SOME_TABLES:
                assert time.monotonic() < deadline, process.output
        finally:
            process.kill()
    async with serving(process):
        connection = Connection(process.port)
        assert (await connection.put(task("one"), "key", 1)).status == 204
        connection.close()
    assert process.complaints == []


async def check_answers(port: int, scopes: dict[tuple[str, int | None], Scope]) -> None:
    """Check that a server answers at once, with what stands in the tables."""
    connection = Connection(port)
    began = time.monotonic()
    for name in client_names(CLIENTS):
        for map_index in OWN_MAP_INDICES:
            scope = scopes.get((name, map_index))
            for key in KEYS:
                entry = None if scope is None else scope.entries.get(key)
                answer = await connection.get(task(name, map_index), key)
                assert answer.status == (404 if entry is None else 200)
                assert entry is None or answer.value == entry.value.strip('"')
    connection.close()
    assert time.monotonic() - began < 10
