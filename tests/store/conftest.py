"""A store of each kind that the run is asked for, with small limits and a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from statemount.database.connections import Connections
from statemount.database.schema import TableNames
from statemount.database.url import DatabaseUrl
from statemount.interfaces import Store
from statemount.store.database import DatabaseStore
from statemount.store.memory import MemoryStore
from statemount.store.options import StoreOptions
from tests.clock import FakeClock
from tests.database.conftest import pytest_collection_modifyitems, pytest_generate_tests, server_url
from tests.store.conformance import MAX_BYTES, MAX_ENTRIES

__all__ = ["pytest_collection_modifyitems", "pytest_generate_tests", "server_url"]

OPTIONS = StoreOptions(max_entries=MAX_ENTRIES, max_bytes=MAX_BYTES, max_logged_value_bytes=200)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that is moved by hand."""
    return FakeClock()


@pytest.fixture
async def store(backend_url: str | None, clock: FakeClock) -> AsyncIterator[Store]:
    """Return an open, empty store, of every kind in turn."""
    if backend_url is None:
        yield MemoryStore(clock=clock, options=OPTIONS)
        return
    connections = Connections(DatabaseUrl(backend_url))
    await connections.open()
    store = DatabaseStore(connections, tables=TableNames(), clock=clock, options=OPTIONS)
    await store.open()
    yield store
    await store.close()
    await connections.close()
