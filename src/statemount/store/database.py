"""The store in a database: SQLite, PostgreSQL, MariaDB or MySQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from statemount.database.connections import Connections
from statemount.database.digests import owner_digest, scope_digest
from statemount.database.lane import Lane, Ticket
from statemount.database.query import Script
from statemount.database.rows import Part
from statemount.database.schema import TableNames
from statemount.database.statements import make_store_statements
from statemount.database.turns import Turn
from statemount.interfaces import Clock, Store
from statemount.model import (
    ALL_COLUMNS,
    AssetScope,
    Change,
    Columns,
    Entry,
    EntryColumn,
    History,
    LogTail,
    MappedTask,
    Page,
    Past,
    Run,
    Scope,
    Timestamp,
    Writer,
)
from statemount.observer import SILENT, Observer
from statemount.operations import Merge, Operation, Outcome, Set
from statemount.store.listing import GroupList, PartOf
from statemount.store.log import Log, change_of
from statemount.store.options import StoreOptions
from statemount.store.past import Traces, past_of
from statemount.store.reading import Get, GroupRead, entry_of
from statemount.store.scope_ids import ScopeIds
from statemount.store.scopes import check_clears_task, check_moment, stored_scope
from statemount.store.sweeping import Sweep
from statemount.store.writing import GroupCommit, Write

_SERVER_LANES = 2
_LIST_LANES = 2
_LISTS = 16  # in a group: they are read one after the other
_OPERATION_BYTES = 100
_NEVER = 2**63 - 1
"""Greater than every revision, and every time."""


class DatabaseStore(Store):
    """Keeps state in tables. No request awaits a driver: requests wait for lanes, which own the driver's calls.

    Args:
        connections: Opened before the store, and closed after it.
        tables: The names of the tables.
        clock: Microseconds since the epoch.
        options: Limits, and what the log keeps.
        max_waiting: Most requests that may wait in a lane; one more is refused with ``OverloadedError``.
        observer: Is told of the lanes.
    """

    def __init__(
        self,
        connections: Connections,
        *,
        tables: TableNames,
        clock: Clock,
        options: StoreOptions | None = None,
        max_waiting: int = 10_000,
        observer: Observer = SILENT,
    ) -> None:
        self._connections = connections
        self._statements = make_store_statements(connections.url.dialect, tables)
        self._clock = clock
        self._options = options or StoreOptions()
        ids = ScopeIds(connections)
        self._commit = GroupCommit(connections, self._statements, ids, clock, self._options)
        self._sweep = Sweep(connections, self._statements, clock, self._options)
        self._log = Log(connections, self._statements, ids)
        self._read = read = GroupRead(connections, self._statements, ids, clock)
        self._list = GroupList(connections, self._statements, clock)
        # One writer at a time is all that SQLite has; on a server a second lane keeps one locked scope from holding
        # up the others. A scope always has the same lane, which keeps its writes in their order.
        count = 1 if connections.url.is_embedded else _SERVER_LANES
        self._listers: list[Lane[PartOf, Columns]] = [
            Lane(self._list, max_operations=_LISTS, max_waiting=max_waiting, kind="read") for _ in range(_LIST_LANES)
        ]
        self._observer = observer
        self._turn: Turn[Get, Entry | None] | None = None
        self._list_turn: Turn[PartOf, Columns] | None = None
        if connections.reads_at_once:
            self._turn, self._list_turn = Turn(self._read_at_once), Turn(self._list_at_once)
        self._writers: list[Lane[Write, Outcome]] = [
            Lane(self._commit, max_waiting=max_waiting, kind="write", observer=observer) for _ in range(count)
        ]
        self._reader: Lane[Get, Entry | None] = Lane(read, max_waiting=max_waiting, kind="read", observer=observer)

    async def open(self) -> None:
        for lane in self._lanes():
            lane.start()
        for turn in self._turns():
            turn.start()

    async def close(self) -> None:
        for turn in self._turns():
            turn.stop()
        for lane in self._lanes():
            await lane.stop()

    def _turns(self) -> Sequence[Turn[Any, Any]]:
        return [turn for turn in (self._turn, self._list_turn) if turn is not None]

    def _lanes(self) -> Sequence[Lane[Any, Any]]:
        return [*self._writers, self._reader, *self._listers]

    async def read(self, scope: Scope, key: str) -> Entry | None:
        get = Get(stored_scope(scope), key)
        return await (self._turn or self._reader).ask(get)

    def _read_at_once(self, group: Sequence[Ticket[Get, Entry | None]]) -> None:
        """Answer the gets of one turn of the event loop."""
        others = self._read.at_once(group)
        if len(group) > len(others):
            self._observer.group("read", len(group) - len(others))
        for ticket in others:
            self._reader.take_over(ticket)

    async def list(
        self,
        scope: Scope,
        *,
        limit: int,
        offset: int = 0,
        prefix: str = "",
        after: str | None = None,
        keys_only: bool = False,
    ) -> Page:
        columns = ALL_COLUMNS - {"values"} if keys_only else ALL_COLUMNS
        found = await self.list_columns(scope, columns=columns, limit=limit, offset=offset, prefix=prefix, after=after)
        return found.page()

    async def list_columns(
        self,
        scope: Scope,
        *,
        columns: Collection[EntryColumn],
        limit: int,
        offset: int = 0,
        prefix: str = "",
        after: str | None = None,
    ) -> Columns:
        chosen = frozenset(columns)
        part = Part(limit, offset, prefix.encode(), None if after is None else after.encode(), "values" not in chosen)
        wanted = PartOf(stored_scope(scope), part, chosen)
        return await (self._list_turn or self._lister(wanted)).ask(wanted)

    def _list_at_once(self, group: Sequence[Ticket[PartOf, Columns]]) -> None:
        """Answer the lists of one turn of the event loop."""
        for ticket in self._list.at_once(group):
            self._lister(ticket.request).take_over(ticket)

    def _lister(self, wanted: PartOf) -> Lane[PartOf, Columns]:
        return self._listers[hash(wanted.scope) % len(self._listers)]

    async def apply(
        self,
        target: Scope | MappedTask,
        operations: Sequence[Operation],
        *,
        writer: Writer | None,
    ) -> Outcome:
        if isinstance(target, MappedTask):
            check_clears_task(operations)
            return await self._connections.detached(self._commit.clear_task(target, operations, writer))
        scope = stored_scope(target)
        size = 0
        for operation in operations:
            if isinstance(operation, Set):
                size += len(operation.value) + _OPERATION_BYTES
            elif isinstance(operation, Merge):
                size += len(operation.patch) + _OPERATION_BYTES
        lane = self._writers[hash(scope) % len(self._writers)]
        return await lane.ask(Write(scope, operations, writer), size=size, count=len(operations))

    async def changes(self, scope: Scope, *, after: int = 0, limit: int = 1000) -> Sequence[Change]:
        read = self._connections.read(lambda: self._changes_script(scope, after, limit))
        return await self._connections.detached(read)

    def _changes_script(self, scope: Scope, after: int, limit: int) -> Script[Sequence[Change]]:
        rows = yield self._statements.changes(scope_digest(scope), after, limit)
        return [change_of(row) for row in rows]

    async def history(
        self, scope: Scope, *, key: str | None = None, before: int | None = None, limit: int = 1000
    ) -> History:
        read = self._connections.read(lambda: self._history_script(scope, key, before, limit))
        return await self._connections.detached(read)

    def _history_script(self, scope: Scope, key: str | None, before: int | None, limit: int) -> Script[History]:
        encoded = None if key is None else key.encode()
        rows = yield self._statements.history(
            scope_digest(scope), encoded, _NEVER if before is None else min(before, _NEVER), limit
        )
        if not rows:
            return History((), 0, True)
        revision, trimmed, *_ = rows[0]
        return History(tuple([change_of(row[2:]) for row in rows if row[2] is not None]), revision, trimmed == 0)

    async def past(self, scope: Scope, key: str, *, revision: int | None = None, at: Timestamp | None = None) -> Past:
        check_moment(revision, at)
        read = self._connections.read(lambda: self._past_script(scope, key, revision, at))
        return await self._connections.detached(read)

    def _past_script(self, scope: Scope, key: str, revision: int | None, at: Timestamp | None) -> Script[Past]:
        rows = yield self._statements.traces(
            scope_digest(scope),
            key.encode(),
            _NEVER if revision is None else min(revision, _NEVER),
            _NEVER if at is None else at,
        )
        if not rows:
            return Past(None, True, 0)
        newest, updated_at, trimmed, oldest_at, then_at, is_later, *found = rows[0]
        line = None if found[0] is None else change_of(found[:8])
        entry = None if found[8] is None else entry_of(found[8:])
        traces = Traces(newest, updated_at, trimmed, oldest_at, entry, line, then_at, bool(is_later))
        return past_of(traces, key, revision=revision, at=at)

    async def trim(self, *, before: Timestamp, limit: int = 1000) -> int:
        return await self._connections.detached(self._sweep.trim(before, limit))

    async def count_changes(self, *, before: Timestamp) -> int | None:
        return await self._connections.detached(self._sweep.count_changes(before))

    async def revisions(self, scopes: Collection[Scope]) -> Mapping[Scope, int]:
        return await self._connections.detached(self._log.revisions(scopes))

    async def tails(self, positions: Mapping[Scope, int], *, limit: int = 256) -> Mapping[Scope, LogTail]:
        return await self._connections.detached(self._log.tails(positions, limit))

    def pulse(self) -> object | None:
        return self._connections.pulse()

    async def sweep(self, *, limit: int = 1000) -> int:
        return await self._connections.detached(self._sweep(limit))

    async def count_expired(self) -> int | None:
        return await self._connections.detached(self._sweep.count())

    async def drop(self, target: Run | AssetScope) -> None:
        await self._connections.detached(self._drop(owner_digest(target)))

    async def _drop(self, digest: bytes) -> None:
        # The tombstone is there before the scopes go, so that none of them is made again behind our back.
        await self._connections.write(lambda: self._tombstone_script(digest))
        await self._connections.write(lambda: self._drop_script(digest))

    def _tombstone_script(self, digest: bytes) -> Script[None]:
        now = self._clock()
        yield from self._statements.put_tombstone(digest, now + self._options.tombstone_seconds * 1_000_000, now)

    def _drop_script(self, digest: bytes) -> Script[None]:
        rows = yield self._statements.find_run(digest)
        scope_ids = sorted(row[1] for row in rows)
        if scope_ids:
            yield self._statements.lock_scopes(scope_ids)
            yield from self._statements.drop_scopes(scope_ids)

    async def check(self) -> None:
        await self._connections.detached(self._connections.read(self._ping_script))

    def _ping_script(self) -> Script[None]:
        yield self._statements.ping()
