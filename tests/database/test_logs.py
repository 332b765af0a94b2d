"""What users keep is theirs: no value of theirs reaches a log, whatever its level."""

from __future__ import annotations

import logging

import pytest

from statemount.database.migrations import upgrade
from statemount.database.schema import TableNames
from statemount.errors import ScopeFullError, UnavailableError
from statemount.interfaces import Store
from statemount.model import AssetScope, TaskScope, Writer
from statemount.operations import Clear, Condition, Delete, Set
from statemount.store.database import DatabaseStore
from statemount.store.options import StoreOptions
from tests.clock import FakeClock
from tests.database.support import ask, connected

pytestmark = pytest.mark.anyio

MARKER = "topsecretvalue"
KEY = "topsecretkey"


async def use(store: Store) -> None:
    """Do everything that a store can do with a value."""
    for scope in (TaskScope("dag", "run", "task"), AssetScope(1)):
        value = f'"{MARKER}"'
        await store.apply(scope, [Set(KEY, value)], writer=Writer("api", subject=MARKER))
        await store.apply(scope, [Set(KEY, value, condition=Condition(exists=False))], writer=None)
        assert await store.read(scope, KEY) is not None
        assert (await store.list(scope, limit=5)).total == 1
        assert await store.changes(scope)
        with pytest.raises(ScopeFullError):
            await store.apply(scope, [Set(KEY, f'"{MARKER * 100}"')], writer=None)
        await store.apply(scope, [Delete(KEY)], writer=None)
        await store.apply(scope, [Set(KEY, value), Clear()], writer=None)


async def test_no_value_is_logged(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A whole round trip at DEBUG leaves neither value nor key nor writer in the log of any library."""
    caplog.set_level(logging.DEBUG)
    async with connected(database_url) as connections:
        options = StoreOptions(max_bytes=1000, log_values="all")
        store = DatabaseStore(connections, tables=TableNames(), clock=FakeClock(), options=options)
        await store.open()
        await use(store)
        await store.close()
    assert "topsecret" not in caplog.text


async def test_no_value_is_logged_when_it_fails(empty_database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nor is there one in what is logged about a statement that the database refuses, or in the error."""
    await upgrade(empty_database_url)
    caplog.set_level(logging.DEBUG)
    async with connected(empty_database_url) as connections:
        store = DatabaseStore(connections, tables=TableNames(), clock=FakeClock())
        await store.open()
        await store.apply(AssetScope(1), [Set("other", "1")], writer=None)
        await connections.write(ask("ALTER TABLE statemount_entry RENAME TO elsewhere"))
        with pytest.raises(UnavailableError, match="statemount_entry") as caught:
            await store.apply(AssetScope(1), [Set(KEY, f'"{MARKER}"')], writer=None)
        await store.close()
    assert "topsecret" not in f"{caplog.text} {caught.value!r}"
