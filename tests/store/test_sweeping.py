"""Sweeping tables: rows that nobody wrote as they should, and tombstones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from statemount.database.connections import Connections
from statemount.database.query import Query, Script, ScriptFactory
from statemount.database.rows import EntryRow, WriteSet
from statemount.database.schema import TableNames
from statemount.database.statements import make_store_statements
from statemount.database.statements.base import StoreStatements
from statemount.database.url import DatabaseUrl
from statemount.model import Run, TaskScope
from statemount.operations import Set
from statemount.store.database import DatabaseStore
from statemount.store.options import StoreOptions
from statemount.store.step_size import StepSize
from statemount.store.sweeping import Sweep
from tests.clock import SECOND, FakeClock
from tests.database.support import outsider

pytestmark = pytest.mark.anyio

TABLES = TableNames()
TASK = TaskScope("dag", "run", "task")


@pytest.fixture
async def connections(database_url: str) -> AsyncIterator[Connections]:
    """Return open connections to an empty database with tables, of every kind in turn."""
    connections = Connections(DatabaseUrl(database_url))
    await connections.open()
    yield connections
    await connections.close()


@pytest.fixture
def statements(connections: Connections) -> StoreStatements:
    """Return the statements of the database."""
    return make_store_statements(connections.url.dialect, TABLES)


@pytest.fixture
async def store(connections: Connections, clock: FakeClock) -> AsyncIterator[DatabaseStore]:
    """Return an open store over the connections."""
    store = DatabaseStore(connections, tables=TABLES, clock=clock)
    await store.open()
    yield store
    await store.close()


async def rows_of(connections: Connections, table: str) -> Sequence[Sequence[Any]]:
    """Return all rows of a table."""

    def script() -> Script[Sequence[Sequence[Any]]]:
        return (yield Query(f"SELECT * FROM {table}"))

    return await connections.read(script)


async def test_entries_without_a_scope_are_swept(
    connections: Connections, statements: StoreStatements, store: DatabaseStore, clock: FakeClock
) -> None:
    """Expired rows of a scope that does not exist, however many, do not keep the others from being swept."""
    await store.apply(TASK, [Set(f"k{number}", "1", clock.now + 2 * SECOND) for number in range(5)], writer=None)
    orphans = [EntryRow(10**9, b"%d" % number, "1", 0, 1, clock.now + SECOND, None) for number in range(7)]
    live = EntryRow(10**9, b"live", "1", 0, 1, None, None)
    await connections.write(lambda: statements.write(WriteSet(upserts=[*orphans, live])))
    clock.advance(3)
    assert [await store.sweep(limit=4) for _ in range(4)] == [4, 4, 4, 0]
    assert [bytes(row[1]) for row in await rows_of(connections, TABLES.entry)] == [b"live"]
    assert len(await rows_of(connections, TABLES.change)) == 10


async def test_a_sweep_takes_several_transactions(
    connections: Connections,
    statements: StoreStatements,
    store: DatabaseStore,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is to go at most goes in steps, so that no lock is held for long."""
    write, writes = connections.write, 0

    async def counted(factory: ScriptFactory[Any]) -> Any:
        nonlocal writes
        writes += 1
        return await write(factory)

    sweep = Sweep(connections, statements, clock, StoreOptions(), StepSize(2))
    await store.apply(TASK, [Set(f"k{number}", "1", clock.now + SECOND) for number in range(9)], writer=None)
    clock.advance(1)
    monkeypatch.setattr(connections, "write", counted)
    assert await sweep(5) == 5
    assert writes >= 2
    assert await sweep(5) == 4
    assert await sweep.count() == 0


async def test_old_tombstones_are_swept(connections: Connections, store: DatabaseStore, clock: FakeClock) -> None:
    """What refuses writes to a dropped run goes when it is over, and not before."""
    await store.drop(Run("dag", "run"))
    clock.advance(59)
    assert await store.sweep() == 0
    assert len(await rows_of(connections, TABLES.dropped_run)) == 1
    clock.advance(1)
    assert await store.sweep() == 0
    assert len(await rows_of(connections, TABLES.dropped_run)) == 0


HOLDING = {
    "sqlite": "SELECT * FROM {table}",  # a snapshot; whoever writes to SQLite has locked everything
    "postgresql": "SELECT * FROM {table} WHERE id = {id} FOR UPDATE",
    "mysql": "SELECT * FROM {table} WHERE id = {id} FOR UPDATE",
}


async def test_a_scope_that_somebody_holds_is_not_waited_for(
    database_url: str, connections: Connections, store: DatabaseStore, clock: FakeClock
) -> None:
    """A sweep takes what nobody holds first; it is done without those who hold the rest, if it has enough."""
    for seconds, task_id in enumerate(["held", "a", "b"]):
        await store.apply(TaskScope("dag", "run", task_id), [Set("k", "1", clock.now + seconds)], writer=None)
    clock.advance(1)
    (held,) = [row[0] for row in await rows_of(connections, TABLES.scope) if "held" in tuple(row)]
    async with outsider(database_url) as other:
        await other.run("BEGIN")
        await other.run(HOLDING[connections.url.dialect].format(table=TABLES.scope, id=held))
        assert await store.sweep(limit=2) == 2
    assert await store.sweep(limit=2) == 1
