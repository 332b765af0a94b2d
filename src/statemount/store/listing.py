"""Parts of scopes: those that wait together are read on one connection, those that are alike by one statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import NamedTuple, TypeAlias

from statemount.database.connections import Connections
from statemount.database.digests import scope_digest
from statemount.database.lane import Ticket
from statemount.database.query import Row, Script
from statemount.database.rows import EntryColumns, Part
from statemount.database.statements.base import PartStatements, StoreStatements, WholeStatements
from statemount.database.statements.columns import UnpackableError
from statemount.interfaces import Clock
from statemount.model import Columns, EntryColumn, Page, Scope, Timestamp
from statemount.store.reading import entry_of
from statemount.store.writers import read_writer

_FEW = 200
"""So many entries a scope may have to be listed at once: they are all counted."""

_FEW_BYTES = 64 * 1024
_FEW_SCOPES = 16  # in one statement
_LOOK_UPS = 10  # so long may it take to read a small scope, whose rows lie side by side

_Columns: TypeAlias = frozenset[EntryColumn]


class PartOf(NamedTuple):
    """A part of a scope's entries that somebody wants to see."""

    scope: Scope
    part: Part
    columns: frozenset[EntryColumn]


_Ticket: TypeAlias = Ticket[PartOf, Columns]


class GroupList:
    """Answers a group of lists. Each part is of one moment, after its request arrived."""

    def __init__(self, connections: Connections, statements: StoreStatements, clock: Clock) -> None:
        self._connections = connections
        self._statements = statements
        self._by_part = statements if isinstance(statements, PartStatements) else None
        self._by_whole = statements if isinstance(statements, WholeStatements) else None
        self._clock = clock

    def at_once(self, group: Sequence[_Ticket]) -> Sequence[_Ticket]:
        """Answer the lists that are to be had in no time; return the others, which must wait for a connection."""
        now = self._clock()
        if self._by_whole is not None:
            self._wholes_at_once(self._by_whole, group, now)
        if self._by_part is not None:
            for ticket in group:
                if not ticket.answer.done():
                    self._part_at_once(self._by_part, ticket, now)
        return [ticket for ticket in group if not ticket.answer.done()]

    def _wholes_at_once(self, statements: WholeStatements, group: Sequence[_Ticket], now: Timestamp) -> None:
        for most, columns, tickets in _small(group):
            query = statements.list_whole(list(tickets), now, most, _FEW_BYTES, columns)
            rows = self._connections.read_at_once(query, _LOOK_UPS * len(tickets)) or ()
            for ticket, found in _parts_of_whole(tickets, statements.unpacked_whole(rows, columns)):
                ticket.succeed(found)

    def _part_at_once(self, statements: PartStatements, ticket: _Ticket, now: Timestamp) -> None:
        scope, part, columns = ticket.request
        digest = scope_digest(scope)
        rows = self._connections.read_at_once(self._statements.size_of(digest))
        if rows is None or (rows and rows[0][0] > _FEW):
            return
        if not rows:
            ticket.succeed(Columns(0, 0))
            return
        query = statements.list_columns([(digest, part)], now, columns)
        for row in self._connections.read_at_once(query, _FEW) or ():
            with suppress(UnpackableError):
                ticket.succeed(_columns_of(statements.unpacked(row, columns)))

    async def __call__(self, group: Sequence[_Ticket]) -> None:
        found = await self._connections.read(lambda: self._script(group))
        for ticket, columns in found.items():
            ticket.succeed(columns)

    def _script(self, group: Sequence[_Ticket]) -> Script[Mapping[_Ticket, Columns]]:
        now = self._clock()
        found: dict[_Ticket, Columns] = {}
        if self._by_part is not None:
            found = yield from _parts(self._by_part, group, now)
        elif self._by_whole is not None:
            found = yield from _wholes(self._by_whole, group, now)
        for ticket in group:
            if ticket not in found:
                scope, part, columns = ticket.request
                rows = yield self._statements.list_page(scope_digest(scope), now, part)
                found[ticket] = Columns.of_page(_page_of(rows), columns)
        return found


def _wholes(statements: WholeStatements, group: Sequence[_Ticket], now: Timestamp) -> Script[dict[_Ticket, Columns]]:
    """Return what is asked of small scopes, as far as it comes as it is."""
    found: dict[_Ticket, Columns] = {}
    for most, columns, tickets in _small(group):
        rows = yield statements.list_whole(list(tickets), now, most, _FEW_BYTES, columns)
        found.update(_parts_of_whole(tickets, statements.unpacked_whole(rows, columns)))
    return found


def _parts(statements: PartStatements, group: Sequence[_Ticket], now: Timestamp) -> Script[dict[_Ticket, Columns]]:
    """Return the parts that come as they are."""
    alike: dict[tuple[bool, _Columns], list[_Ticket]] = {}
    for ticket in group:
        alike.setdefault((ticket.request.part.is_ranged, ticket.request.columns), []).append(ticket)
    found = dict.fromkeys(group, Columns(0, 0))
    for (_, columns), tickets in alike.items():
        wanted = [(scope_digest(ticket.request.scope), ticket.request.part) for ticket in tickets]
        rows = yield statements.list_columns(wanted, now, columns)
        for row in rows:
            ticket = tickets[row[0]]
            try:
                found[ticket] = _columns_of(statements.unpacked(row, columns))
            except UnpackableError:
                del found[ticket]
    return found


def _parts_of_whole(
    tickets: Mapping[bytes, Sequence[_Ticket]], wholes: Iterable[tuple[bytes, EntryColumns]]
) -> Iterator[tuple[_Ticket, Columns]]:
    """Give each of those that want a part of a small scope, by its digest, with that part."""
    for digest, packed in wholes:
        whole = _columns_of(packed)
        for ticket in tickets[digest]:
            part = ticket.request.part
            is_part = part.offset or whole.total > part.limit
            yield ticket, whole.part(part.offset, part.offset + part.limit) if is_part else whole


def _small(
    group: Sequence[_Ticket],
) -> Iterator[tuple[int, _Columns, Mapping[bytes, Sequence[_Ticket]]]]:
    """Give the lists that are asked for scopes of so many entries first, by digest, those that are alike together.

    Most scopes are so small that all of their entries are fewer steps than a count of them and a part.
    """
    alike: dict[tuple[int, _Columns], dict[bytes, list[_Ticket]]] = {}
    for ticket in group:
        scope, part, columns = ticket.request
        if part.limit and not (part.is_ranged or part.keys_only):
            scopes = alike.setdefault((min(2 * part.limit, _FEW), columns), {})
            scopes.setdefault(scope_digest(scope), []).append(ticket)
    for (most, columns), scopes in alike.items():
        tickets = iter(scopes.items())
        while few := dict(islice(tickets, _FEW_SCOPES)):
            yield most, columns, few


def _columns_of(packed: EntryColumns) -> Columns:
    return Columns(*packed[:-1], list(map(read_writer, packed.writers)) if packed.writers else ())


def _page_of(rows: Sequence[Row]) -> Page:
    if not rows:
        return Page((), 0, 0)
    return Page(tuple([entry_of(row[2:]) for row in rows if row[2] is not None]), rows[0][1], rows[0][0])
