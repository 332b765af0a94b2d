"""Group read: the gets that wait together, in one round trip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from statemount.database.connections import Connections
from statemount.database.digests import scope_digest
from statemount.database.lane import Ticket
from statemount.database.query import Row, only
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
    key = row[0]
    return entry_named(key if type(key) is str else bytes(key).decode(errors="replace"), row[1:])


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
        known, pairs = self._known(group)
        if pairs:
            rows = self._connections.read_at_once(self._statements.look_up(pairs), len(pairs))
            if rows:
                self._answer(known, rows)
                if len(rows) == len(group):
                    return ()
        return _unanswered(group)

    async def __call__(self, group: Sequence[Ticket[Get, Entry | None]]) -> None:
        since = self._connections.losses
        known, pairs = self._known(group)
        if pairs:
            query = self._statements.look_up(pairs)
            rows = await self._connections.read(lambda: only(query))
            if since == self._connections.losses:  # else what was remembered may be other scopes' ids
                self._answer(known, rows)
        missing = _unanswered(group)
        if missing:
            await self._read_by_digest(missing)

    def _known(
        self, group: Sequence[Ticket[Get, Entry | None]]
    ) -> tuple[list[Ticket[Get, Entry | None]], list[tuple[int, bytes]]]:
        """Return the gets of scopes whose id is remembered, with what they look for."""
        known: list[Ticket[Get, Entry | None]] = []
        pairs: list[tuple[int, bytes]] = []
        for ticket in group:
            scope, key = ticket.request
            scope_id = self._ids.get(scope)
            if scope_id is not None:
                known.append(ticket)
                pairs.append((scope_id, key.encode()))
        return known, pairs

    def _answer(self, known: Sequence[Ticket[Get, Entry | None]], rows: Sequence[Row]) -> None:
        now = self._clock()
        for number, *columns in rows:
            ticket = known[number]
            entry = entry_named(ticket.request.key, columns)
            ticket.succeed(entry if is_live(entry, now) else None)

    async def _read_by_digest(self, missing: Sequence[Ticket[Get, Entry | None]]) -> None:
        """Answer the gets of scopes whose id is not remembered, or is an old one."""
        scopes: dict[bytes, Scope] = {}
        asked: dict[tuple[bytes, bytes], list[Ticket[Get, Entry | None]]] = {}
        for ticket in missing:
            digest = scope_digest(ticket.request.scope)
            scopes[digest] = ticket.request.scope
            asked.setdefault((digest, ticket.request.key.encode()), []).append(ticket)
        query = self._statements.read_by_digest(list(asked))
        since = self._connections.losses
        rows = await self._connections.read(lambda: only(query))
        now = self._clock()
        for row in rows:
            digest = bytes(row[0])
            self._ids.remember(scopes[digest], row[1], since=since)
            if row[2] is not None:
                entry = entry_of(row[2:])
                for ticket in asked[digest, bytes(row[2])]:
                    ticket.succeed(entry if is_live(entry, now) else None)
        for ticket in missing:
            ticket.succeed(None)


def _unanswered(group: Sequence[Ticket[Get, Entry | None]]) -> list[Ticket[Get, Entry | None]]:
    return [ticket for ticket in group if not ticket.answer.done()]
