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
from statemount.model import Entry, Scope
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
    key, *columns = row
    return entry_named(key if isinstance(key, str) else bytes(key).decode(errors="replace"), columns)


def entry_named(key: str, columns: Sequence[Any]) -> Entry:
    """Return the entry of a row whose key is known, as :func:`entry_of` does."""
    value, updated_at, revision, expires_at, writer = columns
    if type(value) is not str or type(updated_at) is not int:  # SQLite keeps columns of any type
        value = value if isinstance(value, str) else ""
        updated_at = updated_at if isinstance(updated_at, int) else 0
    if expires_at is not None and type(expires_at) is not int:
        expires_at = None
    return Entry(key, value, updated_at, revision, expires_at, read_writer(writer))


class GroupRead:
    """Answers a group of gets. Each read begins after its get arrived; only scope ids come from a cache."""

    def __init__(self, connections: Connections, statements: StoreStatements, ids: ScopeIds, clock: Clock) -> None:
        self._connections = connections
        self._statements = statements
        self._ids = ids
        self._clock = clock

    def at_once(self, group: Sequence[Ticket[Get, Entry | None]]) -> Sequence[Ticket[Get, Entry | None]]:
        """Answer the gets whose rows are to be had in no time; return the others, which must wait for a connection.

        A row that is missing is among the others: through a remembered id, it may mean that the scope is a new one.
        """
        known: list[Ticket[Get, Entry | None]] = []
        pairs: list[tuple[int, bytes]] = []
        for ticket in group:
            scope, key = ticket.request
            scope_id = self._ids.get(scope)
            if scope_id is not None:
                known.append(ticket)
                pairs.append((scope_id, key.encode()))
        rows = self._connections.read_at_once(self._statements.look_up(pairs), len(pairs)) if pairs else None
        if rows:
            now = self._clock()
            for number, *columns in rows:
                ticket = known[number]
                entry = entry_named(ticket.request.key, columns)
                ticket.succeed(entry if is_live(entry, now) else None)
            if len(rows) == len(group):
                return ()
        return [ticket for ticket in group if not ticket.answer.done()]

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
