"""Parts of scopes: those that wait together are read on one connection, those that are alike by one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from statemount.database.connections import Connections
from statemount.database.digests import scope_digest
from statemount.database.lane import Ticket
from statemount.database.query import Row, Script
from statemount.database.rows import Part
from statemount.database.statements.base import StoreStatements
from statemount.database.statements.columns import UnpackableError
from statemount.interfaces import Clock
from statemount.model import Columns, EntryColumn, Page, Scope, Timestamp
from statemount.store.reading import entry_of
from statemount.store.writers import read_writer

_FEW = 200
"""So many entries a scope may have to be listed at once: they are all counted."""

_FEW_BYTES = 64 * 1024
_FEW_SCOPES = 16  # in one statement


class PartOf(NamedTuple):
    """A part of a scope's entries that somebody wants to see."""

    scope: Scope
    part: Part
    columns: frozenset[EntryColumn]


class GroupList:
    """Answers a group of lists. Each part is of one moment, after its request arrived."""

    def __init__(self, connections: Connections, statements: StoreStatements, clock: Clock) -> None:
        self._connections = connections
        self._statements = statements
        self._clock = clock

    def at_once(self, group: Sequence[Ticket[PartOf, Columns]]) -> Sequence[Ticket[PartOf, Columns]]:
        """Answer the lists that are to be had in no time; return the others, which must wait for a connection."""
        now = self._clock()
        # Most scopes are so small that all of their entries are fewer steps than a count of them and a part.
        alike: dict[tuple[int, frozenset[EntryColumn]], dict[bytes, list[Ticket[PartOf, Columns]]]] = {}
        for ticket in group:
            scope, part, columns = ticket.request
            if part.limit and not (part.is_ranged or part.keys_only):
                scopes = alike.setdefault((min(2 * part.limit, _FEW), columns), {})
                scopes.setdefault(scope_digest(scope), []).append(ticket)
        for (most, columns), scopes in alike.items():
            digests = list(scopes)
            for begin in range(0, len(digests), _FEW_SCOPES):
                query = self._statements.list_whole(
                    digests[begin : begin + _FEW_SCOPES], now, most, _FEW_BYTES, columns
                )
                for row in self._connections.read_at_once(query, most * _FEW_SCOPES) or ():
                    found = self._if_unpackable(row, columns)
                    if found is not None:
                        _answer(scopes[row[0]], found)
        for ticket in group:
            if not ticket.answer.done():
                self._part_at_once(ticket, now)
        return [ticket for ticket in group if not ticket.answer.done()]

    def _part_at_once(self, ticket: Ticket[PartOf, Columns], now: Timestamp) -> None:
        scope, part, columns = ticket.request
        digest = scope_digest(scope)
        rows = self._connections.read_at_once(self._statements.size_of(digest))
        if rows is None or (rows and rows[0][0] > _FEW):
            return
        if not rows:
            ticket.succeed(Columns(0, 0))
            return
        query = self._statements.list_columns([(digest, part)], now, columns)
        for row in self._connections.read_at_once(query, _FEW) or ():
            found = self._if_unpackable(row, columns)
            if found is not None:
                ticket.succeed(found)

    def _if_unpackable(self, row: Row, columns: frozenset[EntryColumn]) -> Columns | None:
        try:
            return self._unpacked(row, columns)
        except UnpackableError:
            return None

    def _unpacked(self, row: Row, columns: frozenset[EntryColumn]) -> Columns:
        found = self._statements.unpacked(row, columns)
        return Columns(*found[:-1], list(map(read_writer, found.writers)) if found.writers else ())

    async def __call__(self, group: Sequence[Ticket[PartOf, Columns]]) -> None:
        found = await self._connections.read(lambda: self._script([ticket.request for ticket in group]))
        for ticket, columns in zip(group, found, strict=True):
            ticket.succeed(columns)

    def _script(self, group: Sequence[PartOf]) -> Script[Sequence[Columns]]:
        now = self._clock()
        wanted = [(scope_digest(scope), part) for scope, part, _ in group]
        found: list[Columns | None] = [Columns(0, 0)] * len(group)
        alike: dict[tuple[bool, frozenset[EntryColumn]], list[int]] = {}
        for number, (_, part, columns) in enumerate(group):
            if part.limit > self._statements.most_packed:
                found[number] = None
            else:
                alike.setdefault((part.is_ranged, columns), []).append(number)
        for (_, columns), numbers in alike.items():
            rows = yield self._statements.list_columns([wanted[number] for number in numbers], now, columns)
            for row in rows:
                found[numbers[row[0]]] = self._if_unpackable(row, columns)
        for number, (digest, part) in enumerate(wanted):
            if found[number] is None:
                found[number] = yield from self._by_rows(digest, part, now, group[number].columns)
        return [columns for columns in found if columns is not None]

    def _by_rows(self, digest: bytes, part: Part, now: Timestamp, columns: frozenset[EntryColumn]) -> Script[Columns]:
        """Return a part whose columns do not come as they are, or would be too long."""
        rows = yield self._statements.list_page(digest, now, part)
        if not rows:
            return Columns(0, 0)
        entries = tuple([entry_of(row[2:]) for row in rows if row[2] is not None])
        return Columns.of_page(Page(entries, rows[0][1], rows[0][0]), columns)


def _answer(tickets: Sequence[Ticket[PartOf, Columns]], whole: Columns) -> None:
    """Give everything that a scope has, or a part of it."""
    for ticket in tickets:
        part = ticket.request.part
        is_part = part.offset or whole.total > part.limit
        ticket.succeed(whole.part(part.offset, part.offset + part.limit) if is_part else whole)
