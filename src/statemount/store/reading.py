"""Group read: the gets that wait together, in one round trip."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from statemount.database.connections import Connections
from statemount.database.digests import scope_digest
from statemount.database.lane import Ticket
from statemount.database.query import Script
from statemount.database.statements.base import StoreStatements
from statemount.interfaces import Clock
from statemount.model import Change, Entry, Scope
from statemount.store.apply import is_live
from statemount.store.scope_ids import ScopeIds
from statemount.store.writers import read_writer


class Get(NamedTuple):
    """A key that somebody wants to read."""

    scope: Scope
    key: str


def entry_of(row: Sequence[Any]) -> Entry:
    """Return the entry of a row: key, value, updated_at, revision, expires_at, writer.

    A row that somebody else wrote is an entry too, as far as that can be: it must not stand in the way of others.
    """
    key, value, updated_at, revision, expires_at, writer = row
    if type(value) is not str or type(updated_at) is not int or isinstance(key, str):
        key, value, updated_at = _repaired(key, value, updated_at)
    if expires_at is not None and type(expires_at) is not int:
        expires_at = None
    return Entry(bytes(key).decode(errors="replace"), value, updated_at, revision, expires_at, read_writer(writer))


def change_of(row: Sequence[Any]) -> Change:
    """Return the line of the log of a row: revision, kind, key, changed_at, writer, size, value, expires_at.

    A row that somebody else wrote is a line too, as far as that can be.
    """
    revision, kind, key, at, writer, size, value, expires_at = row
    if key is not None:
        key = key if isinstance(key, str) else bytes(key).decode(errors="replace")
    at, size, end = (number if type(number) is int else None for number in (at, size, expires_at))
    return Change(
        revision, kind, key, at or 0, read_writer(writer), size or 0, value if isinstance(value, str) else None, end
    )


def _repaired(key: Any, value: Any, updated_at: Any) -> tuple[bytes, str, int]:
    """Return what stands for columns of other types, which SQLite keeps as they are given to it."""
    return (
        key.encode(errors="replace") if isinstance(key, str) else key,
        value if isinstance(value, str) else "",
        updated_at if isinstance(updated_at, int) else 0,
    )


class GroupRead:
    """Answers a group of gets. Each read begins after its get arrived; only scope ids come from a cache."""

    def __init__(self, connections: Connections, statements: StoreStatements, ids: ScopeIds, clock: Clock) -> None:
        self._connections = connections
        self._statements = statements
        self._ids = ids
        self._clock = clock

    def at_once(self, get: Get) -> tuple[Entry | None] | None:
        """Return what a get finds, if that is to be had in no time; None = it must wait with others."""
        scope_id = self._ids.get(get.scope)
        if scope_id is None:
            return None
        rows = self._connections.read_at_once(self._statements.read_by_id([(scope_id, get.key.encode())]))
        if not rows:  # a miss through a remembered id may mean that the scope is a new one by now
            return None
        entry = entry_of(rows[0][1:])
        return (entry if is_live(entry, self._clock()) else None,)

    async def __call__(self, group: Sequence[Ticket[Get, Entry | None]]) -> None:
        gets = {ticket.request for ticket in group}
        ids = {get.scope: self._ids.get(get.scope) for get in gets}
        found, scope_ids = await self._connections.read(lambda: self._script(gets, ids))
        for scope, scope_id in scope_ids.items():
            self._ids.remember(scope, scope_id)
        now = self._clock()
        for ticket in group:
            entry = found.get(ticket.request)
            ticket.succeed(entry if entry is not None and is_live(entry, now) else None)

    def _script(
        self, gets: Collection[Get], ids: Mapping[Scope, int | None]
    ) -> Script[tuple[Mapping[Get, Entry], Mapping[Scope, int]]]:
        found: dict[Get, Entry] = {}
        known: dict[tuple[int, bytes], Get] = {}
        for get in gets:
            scope_id = ids[get.scope]
            if scope_id is not None:
                known[scope_id, get.key.encode()] = get
        if known:
            rows = yield self._statements.read_by_id(list(known))
            for row in rows:
                found[known[row[0], bytes(row[1])]] = entry_of(row[1:])
        scope_ids: dict[Scope, int] = {}
        # A miss through a remembered id may mean that the scope is a new one by now.
        missing = {(scope_digest(get.scope), get.key.encode()): get for get in gets if get not in found}
        if missing:
            scopes = {digest: get.scope for (digest, _), get in missing.items()}
            rows = yield self._statements.read_by_digest(list(missing))
            for row in rows:
                digest = bytes(row[0])
                scope_ids[scopes[digest]] = row[1]
                if row[2] is not None:
                    found[missing[digest, bytes(row[2])]] = entry_of(row[2:])
        return found, scope_ids
