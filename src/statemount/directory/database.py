"""A directory in the tables of a database."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias, TypeVar
from uuid import UUID

from statemount.database.connections import Connections
from statemount.database.digests import digest, run_digest, scope_digest, task_digest
from statemount.database.lane import Lane, Ticket
from statemount.database.query import Query, Row, Script, ScriptFactory, only
from statemount.database.schema import TableNames
from statemount.database.statements.directory import DirectoryStatements
from statemount.database.turns import Turn
from statemount.directory.registration import check_asset, check_task_scope, is_acceptable
from statemount.errors import AssetNotFoundError, ConflictError
from statemount.interfaces import Clock, Identity, Registry
from statemount.model import (
    MAX_ASSET_NAME_LENGTH,
    MAX_ID_LENGTH,
    Access,
    Asset,
    MappedTask,
    TaskInstance,
    TaskScope,
    Timestamp,
)

_T = TypeVar("_T")

_MAX_ASSET_ID = 2**63 - 1

_Question: TypeAlias = Ticket[UUID, "TaskInstance | None"]


def _ids_in(group: Sequence[_Question]) -> list[bytes]:
    return list({ticket.request.bytes for ticket in group})


def _answer(group: Sequence[_Question], rows: Sequence[Row]) -> None:
    found: dict[bytes, list[Row]] = {}
    for row in rows:
        found.setdefault(bytes(row[0]), []).append(row[1:])
    for ticket in group:
        ticket.succeed(_task_instance_of(ticket.request, found.get(ticket.request.bytes, ())))


def _task_instance_of(task_instance_id: UUID, rows: Sequence[Row]) -> TaskInstance | None:
    """Return the task instance of rows: scope, try_number, asset id, access."""
    if not rows:
        return None
    dag_id, run_id, task_id, map_index, try_number, asset_id, _ = rows[0]
    scope = TaskScope(dag_id, run_id, task_id, map_index)
    if asset_id is None:
        return TaskInstance(task_instance_id, scope, try_number)  # most have no assets, and share the empty sets
    inlets, outlets = [[row[5] for row in rows if row[6] == access] for access in ("inlet", "outlet")]
    return TaskInstance(task_instance_id, scope, try_number, frozenset(inlets), frozenset(outlets))


class DatabaseDirectory(Registry):
    """Task instances and assets in tables of their own. It remembers nothing: wrap it in a ``CachedRegistry``.

    Args:
        connections: Opened before the directory, and closed after it.
        tables: The names of the tables.
        clock: Microseconds since the epoch.
    """

    def __init__(self, connections: Connections, *, tables: TableNames, clock: Clock) -> None:
        self._connections = connections
        self._statements = DirectoryStatements(connections.url.dialect, tables)
        self._clock = clock
        self._look_ups: Lane[UUID, TaskInstance | None] = Lane(self._look_up, kind="read")
        self._turn: Turn[UUID, TaskInstance | None] | None = (
            Turn(self._look_up_at_once) if connections.reads_at_once else None
        )

    async def open(self) -> None:
        self._look_ups.start()
        if self._turn is not None:
            self._turn.start()

    async def close(self) -> None:
        if self._turn is not None:
            self._turn.stop()
        await self._look_ups.stop()

    async def _look_up(self, group: Sequence[_Question]) -> None:
        """Answer questions after task instances that wait together."""
        query = self._statements.tasks(_ids_in(group))
        _answer(group, await self._connections.read(lambda: only(query)))

    def _look_up_at_once(self, group: Sequence[_Question]) -> None:
        """Answer questions of one turn of the event loop."""
        ids = _ids_in(group)
        rows = self._connections.read_at_once(self._statements.tasks(ids), len(ids))
        if rows is not None:
            _answer(group, rows)
        else:
            for ticket in group:
                self._look_ups.take_over(ticket)

    async def _rows(self, query: Query) -> Sequence[Row]:
        rows = self._connections.read_at_once(query)
        if rows is not None:
            return rows
        return await self._connections.detached(self._connections.read(lambda: only(query)))

    async def _all_rows(self, query: Query) -> Sequence[Row]:
        """Return rows of which there may be many."""
        return await self._connections.detached(self._connections.read(lambda: only(query)))

    async def _write(self, factory: ScriptFactory[_T]) -> _T:
        return await self._connections.detached(self._connections.write(factory))

    async def _one_asset(self, query: Query) -> Asset | None:
        rows = await self._rows(query)
        return _asset_of(rows[0]) if rows else None

    async def task_scope(self, task_instance_id: UUID, identity: Identity | None = None) -> TaskScope | None:
        task_instance = await self.task_instance(task_instance_id)
        return None if task_instance is None else task_instance.scope

    async def try_number(self, task_instance_id: UUID, identity: Identity | None = None) -> int | None:
        task_instance = await self.task_instance(task_instance_id)
        return None if task_instance is None else task_instance.try_number

    async def has_task_instance(self, target: TaskScope | MappedTask, identity: Identity | None = None) -> bool:
        ids = (target.dag_id, target.run_id, target.task_id)
        if not all(is_acceptable(text, max_length=MAX_ID_LENGTH) for text in ids):
            return False
        if isinstance(target, TaskScope):
            return bool(await self._rows(self._statements.has_scope(scope_digest(target))))
        return bool(await self._rows(self._statements.has_task(task_digest(target))))

    async def asset(self, asset_id: int, identity: Identity | None = None) -> Asset | None:
        if not 0 < asset_id <= _MAX_ASSET_ID:
            return None
        return await self._one_asset(self._statements.assets_by_id([asset_id]))

    async def asset_by_name(self, name: str, identity: Identity | None = None) -> Asset | None:
        if not is_acceptable(name, max_length=MAX_ASSET_NAME_LENGTH):
            return None
        return await self._one_asset(self._statements.asset_by_name(_name_digest(name)))

    async def asset_by_uri(self, uri: str, identity: Identity | None = None) -> Asset | None:
        if not is_acceptable(uri, max_length=MAX_ASSET_NAME_LENGTH):
            return None
        return await self._one_asset(self._statements.asset_by_uri(_uri_digest(uri)))

    async def access(self, task_instance_id: UUID, asset: Asset, identity: Identity | None = None) -> frozenset[Access]:
        rows = await self._rows(self._statements.access(task_instance_id.bytes, asset.asset_id))
        return frozenset(row[0] for row in rows)

    async def task_instance(self, task_instance_id: UUID) -> TaskInstance | None:
        return await (self._turn or self._look_ups).ask(task_instance_id)

    def task_instance_soon(self, task_instance_id: UUID) -> Awaitable[TaskInstance | None] | None:
        """Return the answer to come at the end of this turn of the event loop; None = that is not to be had."""
        return None if self._turn is None else self._turn.ask(task_instance_id)

    async def register_task_instances(self, task_instances: Sequence[TaskInstance]) -> None:
        for task_instance in task_instances:
            check_task_scope(task_instance.scope)
        if task_instances:
            await self._write(lambda: self._register_script(task_instances))

    def _register_script(self, named: Sequence[TaskInstance]) -> Script[None]:
        yield from self._check_assets({asset_id for t in named for asset_id in t.inlets | t.outlets})
        now = self._clock()
        yield from _each(self._statements.remove_scopes(sorted({scope_digest(t.scope) for t in named})))
        yield from _each(self._statements.remove(sorted({t.id.bytes for t in named})))
        rows = sorted(_as_if_in_turn(named), key=lambda task_instance: scope_digest(task_instance.scope))
        yield self._statements.insert([_task_row(row, now) for row in rows])
        links = [
            (row.id.bytes, asset_id, access)
            for row in rows
            for access, asset_ids in (("inlet", row.inlets), ("outlet", row.outlets))
            for asset_id in sorted(asset_ids)
        ]
        if links:
            yield self._statements.link(links)

    def _check_assets(self, asset_ids: set[int]) -> Script[None]:
        possible = sorted(asset_id for asset_id in asset_ids if 0 < asset_id <= _MAX_ASSET_ID)
        rows = yield self._statements.assets_by_id(possible)
        missing = asset_ids - {row[0] for row in rows}
        if missing:
            raise _unknown(min(missing))

    async def remove_task_instance(self, task_instance_id: UUID) -> None:
        await self._write(lambda: _each(self._statements.remove([task_instance_id.bytes])))

    async def remove_run(self, *, dag_id: str, run_id: str) -> None:
        await self._write(lambda: _each(self._statements.remove_run(run_digest(dag_id, run_id))))

    async def remove_task_instances_before(self, before: Timestamp, *, limit: int = 1000) -> int:
        return await self._write(lambda: self._remove_before_script(before, limit))

    def _remove_before_script(self, before: Timestamp, limit: int) -> Script[int]:
        rows = yield self._statements.overdue(before, limit)
        if rows:
            yield from _each(self._statements.remove_all([bytes(row[0]) for row in rows]))
        return len(rows)

    async def register_asset(self, *, name: str, uri: str | None = None, group: str = "asset") -> Asset:
        uri = name if uri is None else uri
        check_asset(name=name, uri=uri, group=group)
        return await self._write(lambda: self._register_asset_script(name, uri, group))

    def _register_asset_script(self, name: str, uri: str, group: str) -> Script[Asset]:
        known = yield from self._holder(name, uri)
        if known is not None:
            _refuse_other(known, name, uri)
            if known.group != group:
                yield self._statements.set_group(known.asset_id, group)
            return replace(known, group=group)
        yield self._statements.insert_asset(name, uri, group, _name_digest(name), _uri_digest(uri))
        rows = yield self._statements.asset_by_name(_name_digest(name))
        return _asset_of(rows[0])

    def _holder(self, name: str, uri: str) -> Script[Asset | None]:
        """Return an active asset that has the name or the URI."""
        for query in (
            self._statements.asset_by_name(_name_digest(name)),
            self._statements.asset_by_uri(_uri_digest(uri)),
        ):
            rows = yield query
            if rows:
                return _asset_of(rows[0])
        return None

    async def assets(self, *, limit: int = 100, offset: int = 0) -> Sequence[Asset]:
        return [_asset_of(row) for row in await self._all_rows(self._statements.assets(limit, offset))]

    async def count_assets(self) -> int:
        rows = await self._all_rows(self._statements.count_assets())
        count: int = rows[0][0]
        return count

    async def deactivate_asset(self, asset_id: int) -> None:
        await self._write(lambda: self._deactivate_script(asset_id))

    def _deactivate_script(self, asset_id: int) -> Script[None]:
        yield from self._known(asset_id)
        yield self._statements.deactivate(asset_id, self._clock())

    async def restore_asset(self, asset_id: int) -> Asset:
        return await self._write(lambda: self._restore_script(asset_id))

    def _restore_script(self, asset_id: int) -> Script[Asset]:
        asset = yield from self._known(asset_id)
        if asset.active:
            return asset
        holder = yield from self._holder(asset.name, asset.uri)
        if holder is not None:
            raise _taken(holder, asset.name)
        yield self._statements.restore(asset_id, _name_digest(asset.name), _uri_digest(asset.uri))
        return (yield from self._known(asset_id))  # it may have been retired meanwhile

    async def retire_assets(self, before: Timestamp, *, limit: int = 1000) -> Sequence[int]:
        if not await self._all_rows(self._statements.inactive(before, 1)):
            return ()
        return await self._write(lambda: self._retire_script(before, limit))

    def _retire_script(self, before: Timestamp, limit: int) -> Script[Sequence[int]]:
        rows = yield self._statements.inactive(before, limit)
        yield self._statements.retire(sorted(row[0] for row in rows), before)
        rows = yield self._statements.retired(limit)
        return [row[0] for row in rows]

    async def forget_asset(self, asset_id: int) -> None:
        if 0 < asset_id <= _MAX_ASSET_ID:
            await self._write(lambda: self._forget_script(asset_id))

    def _forget_script(self, asset_id: int) -> Script[None]:
        rows = yield self._statements.is_retired(asset_id)
        if rows:
            yield from _each(self._statements.forget_asset(asset_id))

    async def count_overdue(self, *, registered_before: Timestamp, inactive_before: Timestamp) -> tuple[int, int]:
        rows = await self._all_rows(self._statements.count_overdue(registered_before, inactive_before))
        return rows[0][0], rows[0][1]

    def _known(self, asset_id: int) -> Script[Asset]:
        if not 0 < asset_id <= _MAX_ASSET_ID:
            raise _unknown(asset_id)
        rows = yield self._statements.assets_by_id([asset_id])
        if not rows:
            raise _unknown(asset_id)
        return _asset_of(rows[0])


def _each(queries: Iterable[Query]) -> Script[None]:
    for query in queries:  # noqa: UP028 - a script is sent rows, which a plain iterable does not take
        yield query


def _as_if_in_turn(named: Iterable[TaskInstance]) -> Iterable[TaskInstance]:
    """Return what is registered after all of them: each takes the place of those with its UUID or its scope."""
    by_id: dict[UUID, TaskInstance] = {}
    ids: dict[TaskScope, UUID] = {}
    for task_instance in named:
        replaced = by_id.pop(task_instance.id, None)
        if replaced is not None:
            del ids[replaced.scope]
        by_id.pop(ids.pop(task_instance.scope, task_instance.id), None)
        by_id[task_instance.id] = task_instance
        ids[task_instance.scope] = task_instance.id
    return by_id.values()


def _name_digest(name: str) -> bytes:
    return digest("asset name", name)


def _uri_digest(uri: str) -> bytes:
    return digest("asset uri", uri)


def _asset_of(row: Row) -> Asset:
    asset_id, name, uri, group, active = row
    return Asset(asset_id, name, uri, group, active is not None)


def _task_row(task_instance: TaskInstance, now: int) -> tuple[object, ...]:
    scope = task_instance.scope
    return (
        task_instance.id.bytes,
        scope.dag_id,
        scope.run_id,
        scope.task_id,
        scope.map_index,
        task_instance.try_number,
        scope_digest(scope),
        run_digest(scope.dag_id, scope.run_id),
        task_digest(scope),
        now,
    )


def _refuse_other(holder: Asset, name: str, uri: str) -> None:
    if (holder.name, holder.uri) != (name, uri):
        raise _taken(holder, name)


def _taken(holder: Asset, name: str) -> ConflictError:
    if holder.name == name:
        return ConflictError(f"an active asset has the name {name!r}")
    return ConflictError(f"an active asset has the URI {holder.uri!r}")


def _unknown(asset_id: int) -> AssetNotFoundError:
    return AssetNotFoundError(f"Asset with id {asset_id} not found")
