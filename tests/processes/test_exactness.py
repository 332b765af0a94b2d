"""Two processes of the app over one database write to the same key at once: each write counts once, in one order."""

from __future__ import annotations

import asyncio
import random
from itertools import chain
from pathlib import Path

import pytest

from tests.processes.serving import Process, serving
from tests.processes.tables import read_scopes
from tests.processes.workers import Connection, asset, task

pytestmark = pytest.mark.anyio

CLIENTS = 32
EACH = 2000
RACES = 200
AT_ONCE = 8
KEY = "key"


async def test_increments_of_two_kinds(empty_database_url: str, tmp_path: Path) -> None:
    """2,000 compare-and-set increments and 2,000 atomic ones of one key, by 32 clients at once, add up exactly."""
    target = asset("counted", "worker")
    processes = [
        Process(empty_database_url, tmp_path, server=server, migrates=True) for server in ("uvicorn", "granian")
    ]
    left = {"atomic": EACH, "compared": EACH}

    async def increment(connection: Connection) -> None:
        while left["atomic"]:
            left["atomic"] -= 1
            answer = await connection.batch(target, {"op": "increment", "key": KEY})
            assert answer.status == 200, answer
        connection.close()

    async def compare_and_set(connection: Connection, pauses: random.Random) -> None:
        while left["compared"]:
            left["compared"] -= 1
            pause = 0.0
            while not await is_set(connection):
                pause = min(pause + 0.03, 0.3)
                await asyncio.sleep(pauses.random() * pause)
        connection.close()

    async def is_set(connection: Connection) -> bool:
        read = await connection.get(target, KEY)
        tag = read.headers[b"etag"]
        written = await connection.put(target, KEY, read.value + 1, headers={"If-Match": tag.decode()})
        assert written.status in (204, 412), written
        assert written.headers[b"etag"] != tag
        return written.status == 204

    async with serving(*processes):
        ports = [process.port for process in processes]
        first = Connection(ports[0])
        assert (await first.put(target, KEY, 0)).status == 204
        await asyncio.gather(
            *(increment(Connection(ports[number % 2])) for number in range(CLIENTS // 2)),
            *(compare_and_set(Connection(ports[number % 2]), random.Random(number)) for number in range(CLIENTS // 2)),
        )
        first.close()
        for port in ports:
            last = Connection(port)
            assert (await last.get(target, KEY)).value == 2 * EACH
            last.close()
    assert [process.complaints for process in processes] == [[], []]
    (scope,) = (await read_scopes(empty_database_url)).values()
    assert [change.value for change in scope.changes] == [str(number) for number in range(2 * EACH + 1)]


async def test_a_clear_and_a_set_at_once(database_url: str, tmp_path: Path) -> None:
    """Of a clear and a set through two processes one comes first; the log says which, and what is left agrees."""
    processes = [Process(database_url, tmp_path, server=server) for server in ("uvicorn", "granian")]
    left: dict[int, bool] = {}

    async def race(clearing: Connection, setting: Connection, numbers: range) -> None:
        for number in numbers:
            target = task("raced", number)
            assert (await clearing.put(target, "old", 1)).status == 204
            cleared, written = await asyncio.gather(clearing.clear(target), setting.put(target, KEY, number))
            assert (cleared.status, written.status) == (204, 204)
            found = [await connection.get(target, KEY) for connection in (clearing, setting)]
            assert found[0].status == found[1].status
            left[number] = found[0].status == 200
            assert (await setting.get(target, "old")).status == 404

    async with serving(*processes):
        one, other = (process.port for process in processes)
        ports = [(one, other) if turn % 2 else (other, one) for turn in range(AT_ONCE)]
        pairs = [(Connection(first), Connection(second)) for first, second in ports]
        await asyncio.gather(
            *(race(first, second, range(turn, RACES, AT_ONCE)) for turn, (first, second) in enumerate(pairs))
        )
        for connection in chain.from_iterable(pairs):
            connection.close()
    assert [process.complaints for process in processes] == [[], []]
    scopes = await read_scopes(database_url)
    logs = {number: [change.kind for change in scopes["raced", number].changes] for number in range(RACES)}
    assert logs == {
        number: ["set", "clear", "set"] if is_left else ["set", "set", "clear"] for number, is_left in left.items()
    }
