"""Two processes of the app over one database: each sees at once what the other was told, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from statemount.model import AssetScope, Change
from statemount.model import Scope as StoreScope
from statemount.mount import StateMount
from tests.processes.checks import check_log, check_outcomes
from tests.processes.load import CONTENDED_ASSETS, CONTENDED_TASK, Journal, write_all
from tests.processes.serving import Process, serving
from tests.processes.tables import Scope, read_scopes
from tests.processes.workers import task

pytestmark = pytest.mark.anyio

CLIENTS = 16
WRITES = 20_000


async def test_mixed_writes(empty_database_url: str, tmp_path: Path) -> None:
    """Of 20,000 writes by 16 clients through two servers none is lost, and the log has each change once, in order."""
    journal = Journal()
    processes = [
        Process(empty_database_url, tmp_path, server=server, migrates=True) for server in ("uvicorn", "granian")
    ]
    async with serving(*processes):
        ports = [process.port for process in processes]
        await write_all(journal, ports, lambda: len(journal.writes) < WRITES, clients=CLIENTS)
    assert len(journal.writes) >= WRITES
    check_outcomes(journal, processes)
    scopes = await read_scopes(empty_database_url)
    check_log(journal, scopes, clients=CLIENTS)
    for place in [(CONTENDED_TASK, -1), *((name, None) for name in CONTENDED_ASSETS)]:
        assert {change.kind for change in scopes[place].changes} == {"set", "delete", "clear"}
    await check_verbs(empty_database_url, scopes)


async def check_verbs(url: str, scopes: dict[tuple[str, int | None], Scope]) -> None:
    """Check that the store says what stands in its tables."""
    state = StateMount(url)
    for (name, map_index), scope in scopes.items():
        address: StoreScope
        if map_index is None:
            asset = await state.directory.asset_by_name(name)
            assert asset is not None
            address = AssetScope(asset.asset_id)
        else:
            address = task(name, map_index).scope
        page = await state.service.store.list(address, limit=1000)
        assert (page.total, page.revision) == (len(scope.entries), scope.revision)
        assert {entry.key: entry.value for entry in page.entries} == {
            key: entry.value for key, entry in scope.entries.items()
        }
        changes: list[Change] = []
        while found := await state.service.store.changes(address, after=changes[-1].revision if changes else 0):
            changes += found
        assert [(change.revision, change.kind, change.key, change.size) for change in changes] == [
            (line.revision, line.kind, None if line.key is None else line.key.decode(), line.size)
            for line in scope.changes
        ]
    await state.stop()
