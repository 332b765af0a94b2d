"""Every server, with host apps in it: the checks over the network, and a stop in the middle of writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from statemount import StateMount, TaskScope
from tests.hosts.cells import Cell, cells
from tests.hosts.checks import CHECKS, SERVED, Worker, watching
from tests.hosts.servers import SERVERS, Process, serving
from tests.hosts.world import Wishes
from tests.hosts.writers import Writer, write_until_it_stops

pytestmark = pytest.mark.anyio


STOP = "stop"


@pytest.fixture(scope="module", params=cells(), ids=str)
async def process(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Process]:
    """Return a host app behind a server, for all the checks that are made of it."""
    cell: Cell = request.param
    directory = tmp_path_factory.mktemp(cell.framework)
    wishes = Wishes(cell.framework, str(directory), f"sqlite:///{directory / 'state.db'}")
    async with serving(wishes, cell.server, root_path=cell.root_path) as running:
        yield running


@pytest.mark.parametrize("check", [*CHECKS, *SERVED, STOP])
async def test_server(process: Process, check: str) -> None:
    """Every check holds behind every server; the last one stops it."""
    await {**CHECKS, **SERVED, STOP: check_stop}[check](process)


async def check_stop(process: Process) -> None:
    """A stop answers every accepted request, loses no acknowledged write and ends every watch; the host stops first."""
    async with AsyncExitStack() as stack:
        events = None
        if not process.server.drops:
            events = await stack.enter_async_context(watching(await Worker.of(process)))
            assert await anext(events) == "ready"
        writers = await write_until_it_stops(process, process.port, writers=6, writes=60, stop=process.terminate)
        if events is not None:
            assert [event async for event in events] == []
    await process.ended()
    await check_writes(process, writers)
    check_diary(process, workers=1)


@pytest.mark.parametrize("server", SERVERS)
async def test_stop_of_several_workers(server: str, database_url: str, tmp_path: Path) -> None:
    """Of several worker processes on one database, each stops so."""
    wishes = Wishes("starlette", str(tmp_path), database_url)
    async with serving(wishes, server, workers=2) as process:
        writers = await write_until_it_stops(process, process.port, writers=12, writes=200, stop=process.terminate)
        await process.ended()
        await check_writes(process, writers)
        check_diary(process, workers=2)


async def check_writes(process: Process, writers: list[Writer]) -> None:
    """Compare what was acknowledged with what is stored: neither may have more than the other.

    Of a server that may drop requests, the last one of a connection may be stored without an answer.
    """
    state = StateMount(process.wishes.database_url)
    async with state.lifespan():
        for writer in writers:
            scope = TaskScope("dag", "run", writer.name)
            stored: set[str] = set()
            while True:
                page = await state.service.tasks.list(scope, limit=100, offset=len(stored))
                stored |= {entry.key for entry in page.entries}
                if len(stored) >= page.total:
                    break
            dropped = {writer.last} if process.server.drops else set()
            assert stored - dropped == writer.acknowledged - dropped
            assert writer.acknowledged <= stored


def check_diary(process: Process, workers: int) -> None:
    """In each worker process the state is open before the host starts, and closed after it has stopped."""
    counted = Counter(process.wishes.diary.read())
    expected = ["state opened", "state closed"]
    if "lifespan" not in process.framework.lacks:
        expected += ["host started", "host stopped"]
    assert counted == dict.fromkeys(expected, workers)
