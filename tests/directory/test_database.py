"""The directory in a database, plain and with its answers remembered, on every database of the run."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from statemount.database.connections import Connections
from statemount.database.schema import TableNames
from statemount.database.url import DatabaseUrl
from statemount.directory.cache import CachedRegistry
from statemount.directory.database import DatabaseDirectory
from statemount.interfaces import Registry
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
