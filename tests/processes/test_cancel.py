"""Requests that end before they are answered."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from statemount.mount import StateMount
from tests.processes.outsiders import Outsider, Sessions, outsider
from tests.processes.serving import PATIENCE, Process, serving
from tests.processes.tables import read_scopes
from tests.processes.workers import SECRET, Connection, asset, request, task

pytestmark = pytest.mark.anyio

REQUESTS = 1000
AT_ONCE = 20
POOL = 4
TARGETS = (task("one"), task("mapped", 0), task("mapped", 1), asset("one", "one"))
UNDISTURBED = task("undisturbed")


async def test_cancelled_tasks(database_url: str) -> None:
    """Of a thousand requests cancelled at random moments nothing is left over, and the next ones work at once."""
    before = set(threading.enumerate()), asyncio.all_tasks()
    state = StateMount.from_environment(
        {
            "STATEMOUNT_DATABASE_URL": database_url,
            "STATEMOUNT_DIRECTORY": "claims",
            "STATEMOUNT_JWT_SECRET": SECRET,
            "STATEMOUNT_POOL_SIZE": str(POOL),
        }
    )
    transport = httpx.ASGITransport(state)
    chances = random.Random(0)
    outcomes: Counter[object] = Counter()
    async with (
        outsider(database_url) as other,
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        await check_works_at_once(client)
        tasks = asyncio.all_tasks()
        for _ in range(REQUESTS // AT_ONCE):
            sent = [asyncio.create_task(send_any(client, chances)) for _ in range(AT_ONCE)]
            for one in chances.sample(sent, len(sent)):
                for _ in range(chances.randint(0, 10)):
                    await asyncio.sleep(0)
                one.cancel()
            outcomes.update(await asyncio.gather(*(outcome_of(one) for one in sent)))
            await check_works_at_once(client)
        assert outcomes["cancelled"] > REQUESTS / 4
        assert outcomes["cancelled"] < REQUESTS
        assert set(outcomes) <= {"cancelled", 200, 204, 404}
        await eventually(lambda: _nothing_open(other))
        assert (await other.sessions()).open <= 2 * POOL + 1
        await eventually(lambda: _holds(asyncio.all_tasks() <= tasks))  # one of those may have ended
        await state.stop()
        await eventually(lambda: _none_left(other))
    await eventually(lambda: _holds(set(threading.enumerate()) <= before[0] and asyncio.all_tasks() == before[1]))
    await read_scopes(database_url)


async def send_any(client: httpx.AsyncClient, chances: random.Random) -> httpx.Response:
    """Send one of all kinds of requests."""
    target, key = chances.choice(TARGETS), chances.choice("abc")
    headers = {"authorization": f"Bearer {target.token}"}
    chance = chances.random()
    if chance < 0.5:
        return await client.put(target.path(key), headers=headers, json={"value": "x" * chances.randint(1, 100)})
    if chance < 0.7:
        return await client.get(target.path(key), headers=headers)
    if chance < 0.9:
        return await client.delete(target.path(key), headers=headers)
    everywhere = target.map_index is not None and chance < 0.95
    return await client.delete(target.path(None, all_map_indices=everywhere), headers=headers)


async def outcome_of(sent: asyncio.Task[httpx.Response]) -> object:
    """Return the status of an answer, or that there is none."""
    try:
        return (await sent).status_code
    except asyncio.CancelledError:
        return "cancelled"


async def check_works_at_once(client: httpx.AsyncClient) -> None:
    """Write and read everything, without a long wait."""
    began = time.monotonic()
    for target in (*TARGETS, UNDISTURBED):
        headers = {"authorization": f"Bearer {target.token}"}
        assert (await client.put(target.path("check"), headers=headers, json={"value": 1})).status_code == 204
        answer = await client.get(target.path("check"), headers=headers)
        assert target is not UNDISTURBED or answer.json() == {"value": 1}
    assert time.monotonic() - began < 5


async def test_closed_connections(database_url: str, tmp_path: Path) -> None:
    """Of a thousand requests broken off by their clients nothing is left over, and the next ones work at once."""
    process = Process(database_url, tmp_path, app="tests.processes.counting:app")
    chances = random.Random(0)
    async with outsider(database_url) as other:
        async with serving(process):
            connection = Connection(process.port)
            await asyncio.gather(*(send_and_close(process.port, 1.0, chances) for _ in range(AT_ONCE)))
            await check_answers_at_once(connection)
            before = (await connection.fetch("/alive")).value
            for _ in range(REQUESTS // AT_ONCE):
                await asyncio.gather(*(send_and_close(process.port, chances.random(), chances) for _ in range(AT_ONCE)))
                await check_answers_at_once(connection)
            await eventually(lambda: _nothing_open(other))

            async def is_as_before() -> bool:
                return bool((await connection.fetch("/alive")).value == before)

            await eventually(is_as_before)
            connection.close()
        await eventually(lambda: _none_left(other))
    assert process.complaints == []
    await read_scopes(database_url)


async def send_and_close(port: int, share: float, chances: random.Random) -> None:
    """Send a share of a request, and go away without waiting for the answer, politely or not."""
    target, key = chances.choice(TARGETS), chances.choice("abc")
    body = b'{"value": "%s"}' % (b"x" * chances.randint(1, 2000))
    message = chances.choice(
        [
            request("PUT", target.path(key), target, body),
            request("GET", target.path(key), target),
            request("DELETE", target.path(key), target),
            request("DELETE", target.path(None), target),
        ]
    )
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    cut = len(message) if chances.random() < 0.5 else int(len(message) * share)
    writer.write(message[:cut])
    for _ in range(chances.randint(0, 20)):
        await asyncio.sleep(0)
    if chances.random() < 0.5:
        writer.transport.abort()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def check_answers_at_once(connection: Connection) -> None:
    """Write and read everything over HTTP, without a long wait."""
    began = time.monotonic()
    for target in (*TARGETS, UNDISTURBED):
        assert (await connection.put(target, "check", 1)).status == 204
        answer = await connection.get(target, "check")
        assert target is not UNDISTURBED or answer.value == 1
    assert time.monotonic() - began < 5


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not await condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def _holds(condition: bool) -> bool:
    return condition


async def _nothing_open(other: Outsider) -> bool:
    return (await other.sessions()).in_transaction == 0


async def _none_left(other: Outsider) -> bool:
    return await other.sessions() == Sessions(0, 0)
