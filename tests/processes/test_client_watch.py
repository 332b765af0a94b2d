"""A watch through the client, of a server that is killed and started again: nothing is missed, nothing comes twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from statemount.auth.jwt import JWTAuth
from statemount.client import AsyncStateClient, AsyncWorkerTaskState, Retries, StateEvent
from statemount.errors import WriteOutcomeUnknownError
from tests.processes.serving import PATIENCE, Process, serving
from tests.processes.workers import SECRET

pytestmark = pytest.mark.anyio

WRITES = 300
KILLED_AFTER = (100, 200)


async def test_a_watch_of_a_server_that_is_killed(database_url: str, tmp_path: Path) -> None:
    """A watch sees each of 300 changes once and in order, although its server is killed twice meanwhile."""
    process = Process(database_url, tmp_path)
    ti_id = uuid4()
    claims = {"dag_id": "dag", "run_id": "run", "task_id": "task", "map_index": -1}
    token = JWTAuth(secret=SECRET).tokens.worker(ti_id, lifetime=86_400, claims=claims)
    retries = Retries(attempts=100, total=PATIENCE)
    async with (
        serving(process),
        AsyncStateClient(f"http://127.0.0.1:{process.port}", token=token, retries=retries) as client,
    ):
        state = client.task_instance(ti_id)
        revisions: list[int] = []
        async with state.watch(patience=PATIENCE) as events:
            assert (await events.__anext__()).kind == "ready"
            writing = asyncio.ensure_future(write_all(state, revisions, process))
            seen: list[StateEvent] = []
            while len(seen) < WRITES:
                seen.append(await asyncio.wait_for(events.__anext__(), PATIENCE))
            await writing
    assert {one.kind for one in seen} == {"set"}
    first = seen[0].revision
    assert [one.revision for one in seen] == list(range(first, first + WRITES))
    assert set(revisions) <= {one.revision for one in seen}


async def write_all(state: AsyncWorkerTaskState, revisions: list[int], process: Process) -> None:
    """Make so many changes, and kill the server now and then. What became of a change may be unknown."""
    for number in range(WRITES):
        key = f"key-{number % 10}"
        try:
            revision = await state.set(key, number)
        except WriteOutcomeUnknownError:
            entry = await state.get_entry(key)
            revision = entry.revision if entry.value == number else await state.set(key, number)
        assert revision is not None
        revisions.append(revision)
        if number in KILLED_AFTER:
            process.kill()
            await process.start()
