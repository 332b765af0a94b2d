"""Gets that are made together, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from statemount.database.connections import Connections
from statemount.database.query import Query, Row, Script, ScriptFactory
from statemount.database.schema import TableNames
from statemount.database.url import DatabaseUrl
from statemount.model import TaskScope
from statemount.operations import Set
from statemount.store.database import DatabaseStore
from tests.clock import FakeClock

pytestmark = pytest.mark.anyio

_SCOPES = [TaskScope("etl", "run-1", "load", index) for index in range(5)]
_KEYS = ["a", "b", "\u00e9", "expired", "missing"]


class CountingConnections(Connections):
    """Connections that note the statements of reads, in whichever way they go."""

    statements = 0

    def read_at_once(self, query: Query, count: int = 1) -> Sequence[Row] | None:
        rows = super().read_at_once(query, count)
        self.statements += rows is not None
        return rows

    async def read(self, factory: ScriptFactory[Sequence[Row]]) -> Sequence[Row]:  # type: ignore[override]
        return await super().read(lambda: self._counted(factory()))

    def _counted(self, script: Script[Sequence[Row]]) -> Script[Sequence[Row]]:
        query = next(script)
        while True:
            self.statements += 1
            rows = yield query
            try:
                query = script.send(rows)
            except StopIteration as end:
                found: Sequence[Row] = end.value
                return found


async def _opened(stack: AsyncExitStack, url: str, clock: FakeClock) -> tuple[DatabaseStore, CountingConnections]:
    connections = CountingConnections(DatabaseUrl(url))
    await connections.open()
    stack.push_async_callback(connections.close)
    store = DatabaseStore(connections, tables=TableNames(), clock=clock)
    await store.open()
    stack.push_async_callback(store.close)
    return store, connections


async def test_gets_of_one_turn(database_url: str, clock: FakeClock) -> None:
    """Whether a scope is known or new, an entry there, expired, missing or asked for twice: each get has its own."""
    async with AsyncExitStack() as stack:
        store, _ = await _opened(stack, database_url, clock)
        for scope in _SCOPES[:-1]:
            sets = [Set(key, f'"{scope.map_index}"') for key in _KEYS[:3]]
            await store.apply(scope, [*sets, Set("expired", "1", clock.now + 1)], writer=None)
        other, connections = await _opened(stack, database_url, clock)
        assert await other.read(_SCOPES[0], "a")  # it knows this scope, and no other
        clock.now += 1
        for reader in (store, other, other):
            asked = [(scope, key) for scope in _SCOPES for key in [*_KEYS, "a"]]
            found = await asyncio.gather(*(reader.read(scope, key) for scope, key in asked))
            for (scope, key), entry in zip(asked, found, strict=True):
                if scope == _SCOPES[-1] or key in ("expired", "missing"):
                    assert entry is None
                else:
                    assert entry is not None
                    assert (entry.key, entry.load()) == (key, str(scope.map_index))
        connections.statements = 0
        await asyncio.gather(*(other.read(scope, "a") for scope in _SCOPES[:-1]))
        assert connections.statements == 1


async def test_a_get_begins_after_it_is_asked_for(database_url: str, clock: FakeClock) -> None:
    """What a second store has written is seen by every get that is made once it is acknowledged."""
    async with AsyncExitStack() as stack:
        (store, _), (other, _) = [await _opened(stack, database_url, clock) for _ in range(2)]
        for number in range(50):
            await other.apply(_SCOPES[0], [Set("k", f"{number}")], writer=None)
            for entry in await asyncio.gather(*(store.read(_SCOPES[0], "k") for _ in range(3))):
                assert entry is not None
                assert entry.load() == number
