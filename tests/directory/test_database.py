"""The directory in a database, plain and with its answers remembered, on every database of the run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest

from statemount.database.connections import Connections
from statemount.database.query import Query, Row
from statemount.database.schema import TableNames
from statemount.database.url import DatabaseUrl
from statemount.directory.cache import CachedRegistry
from statemount.directory.database import DatabaseDirectory
from statemount.interfaces import Registry
from statemount.model import TaskInstance, TaskScope
from tests.clock import FakeClock
from tests.directory.conformance import RegistryConformance


@pytest.fixture
async def connections(database_url: str) -> AsyncIterator[Connections]:
    """Return open connections to an empty database with tables, of every kind in turn."""
    connections = Connections(DatabaseUrl(database_url))
    await connections.open()
    yield connections
    await connections.close()


class TestDatabaseDirectory(RegistryConformance):
    """Straight from the tables."""

    @pytest.fixture
    async def registry(self, connections: Connections, clock: FakeClock) -> AsyncIterator[Registry]:
        registry = DatabaseDirectory(connections, tables=TableNames(), clock=clock)
        await registry.open()
        yield registry
        await registry.close()


class TestCachedDatabaseDirectory(RegistryConformance):
    """As an app uses it."""

    @pytest.fixture
    async def registry(self, connections: Connections, clock: FakeClock) -> AsyncIterator[Registry]:
        registry = CachedRegistry(DatabaseDirectory(connections, tables=TableNames(), clock=clock))
        await registry.open()
        yield registry
        await registry.close()


@pytest.mark.anyio
async def test_look_ups_of_one_turn(connections: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite answers them with one statement, whether it knows what is asked for or not."""
    directory = DatabaseDirectory(connections, tables=TableNames(), clock=FakeClock())
    await directory.open()
    try:
        known = [TaskInstance(UUID(int=number), TaskScope("etl", "run", "load", number)) for number in range(1, 4)]
        await directory.register_task_instances(known)
        statements = 0
        read = connections.read_at_once

        def count(query: Query, count: int = 1) -> Sequence[Row] | None:
            nonlocal statements
            statements += 1
            return read(query, count)

        monkeypatch.setattr(connections, "read_at_once", count)
        ids = [*(one.id for one in known), UUID(int=9), known[0].id]
        found = await asyncio.gather(*map(directory.task_instance, ids))
        assert found == [*known, None, known[0]]
        assert statements == (1 if connections.reads_at_once else 0)
    finally:
        await directory.close()
