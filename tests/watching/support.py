"""What the tests of watching share: stores, hubs, and readers of their watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from statemount.database.connections import Connections
from statemount.database.schema import TableNames
from statemount.database.url import DatabaseUrl
from statemount.interfaces import Store
from statemount.model import AssetScope, Change, Scope, TaskScope, Writer
from statemount.operations import Clear, Delete, Operation, Set
from statemount.store.database import DatabaseStore
from statemount.store.memory import MemoryStore
from statemount.store.options import StoreOptions
from statemount.watching.hub import Hub
from statemount.watching.options import WatchOptions
from statemount.watching.watch import Watch
from tests.clock import FakeClock

TASK = TaskScope("etl", "run-1", "load")
ASSET = AssetScope(7)
WRITER = Writer.of_task(TASK)
PATIENCE = 30.0
"""Seconds that a test waits for what should be there at once."""
RARELY = 3600.0
"""As seconds from one poll to the next: never, in a test."""

Told = tuple[str, int, "str | None"]
"""What a reader was told: kind, revision and key."""


@asynccontextmanager
async def open_store(url: str | None, clock: FakeClock) -> AsyncIterator[Store]:
    """Open a store, which trims no log by itself, for the length of a block.

    Args:
        url: Of the database; None = in memory.
    """
    options = StoreOptions(max_entries=5000, max_changes=0)
    if url is None:
        yield MemoryStore(clock=clock, options=options)
        return
    connections = Connections(DatabaseUrl(url))
    await connections.open()
    store = DatabaseStore(connections, tables=TableNames(), clock=clock, options=options)
    await store.open()
    yield store
    await store.close()
    await connections.close()


@asynccontextmanager
async def open_hub(
    store: Store, *, poll: float = RARELY, heartbeat: float = RARELY, has_readers: bool = False, **parts: Any
) -> AsyncIterator[Hub]:
    """Open a hub for the length of a block.

    Args:
        has_readers: Whether somebody reads from its watches, who sees that they are over.
        parts: Further arguments of the hub, and of its options.
    """
    limits = {name: parts.pop(name) for name in ("max_watches", "max_watches_per_owner") if name in parts}
    hub = Hub(store, WatchOptions(poll_seconds=poll, heartbeat_seconds=heartbeat, **limits), **parts)
    await hub.open()
    try:
        yield hub
        if not has_readers:
            for watch in list(hub._watches):
                watch.close()
    finally:
        await hub.close()


async def write(store: Store, hub: Hub | None, scope: Scope, *operations: Operation) -> int:
    """Write, and tell a hub as the app does; return the scope's revision."""
    outcome = await store.apply(scope, operations, writer=WRITER)
    if hub is not None:
        hub.written(scope, outcome)
    return outcome.revision


async def put(store: Store, hub: Hub | None, scope: Scope, *keys: str) -> int:
    """Set keys, in one write; return the scope's revision."""
    return await write(store, hub, scope, *(Set(key, "1") for key in keys))


async def delete(store: Store, hub: Hub | None, scope: Scope, key: str) -> int:
    """Remove a key; return the scope's revision."""
    return await write(store, hub, scope, Delete(key))


async def clear(store: Store, hub: Hub | None, scope: Scope) -> int:
    """Remove every key; return the scope's revision."""
    return await write(store, hub, scope, Clear())


async def told(watch: Watch, count: int = 1) -> list[Told]:
    """Wait until a watch is told so many events; signs of life do not count."""
    found: list[Told] = []
    while len(found) < count:
        events = await asyncio.wait_for(watch.next(), PATIENCE)
        assert events is not None, f"the watch is over: {watch.ending}"
        found += [(event.kind, event.revision, event.key) for event in events]
    return found


async def is_told_nothing(watch: Watch, seconds: float = 0.05) -> bool:
    """Tell whether a watch is told nothing for a while."""
    task = asyncio.ensure_future(watch.next())
    await asyncio.wait([task], timeout=seconds)
    if task.done():
        return not task.result()
    task.cancel()
    await asyncio.wait([task])
    return True


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    for _ in range(int(PATIENCE / 0.005)):
        if holds():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to hold")


def changes_of(*keys: str | None, first: int = 1) -> tuple[Change, ...]:
    """Return changes of keys with consecutive revisions; None = a clear."""
    return tuple(
        Change(revision, "clear" if key is None else "set", key, 0) for revision, key in enumerate(keys, start=first)
    )
