"""Pages of scopes: those that wait together are read on one connection, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from statemount.database.connections import Connections
from statemount.database.digests import scope_digest
from statemount.database.lane import Ticket
from statemount.database.query import Row, Script
from statemount.database.rows import Part
from statemount.database.statements.base import StoreStatements
from statemount.interfaces import Clock
from statemount.model import Page, Scope
from statemount.store.reading import entry_of

_FEW = 200
"""So many entries a scope may have to be listed at once: they are all counted."""


class PageOf(NamedTuple):
    """A part of a scope's entries that somebody wants to see."""

    scope: Scope
    part: Part


class GroupList:
    """Answers a group of lists. Each page is of one moment, after its request arrived."""

    def __init__(self, connections: Connections, statements: StoreStatements, clock: Clock) -> None:
        self._connections = connections
        self._statements = statements
        self._clock = clock

    def at_once(self, wanted: PageOf) -> Page | None:
        """Return the page of a small scope, if that is to be had in no time; None = it must wait with others."""
        digest = scope_digest(wanted.scope)
        found = self._connections.read_at_once(self._statements.size_of(digest))
        if found is None or (found and found[0][0] > _FEW):
            return None
        if not found:
            return _page_of(())
        query = self._statements.list_page(digest, self._clock(), wanted.part)
        rows = self._connections.read_at_once(query.fallback or query)
        return None if rows is None else _page_of(rows)

    async def __call__(self, group: Sequence[Ticket[PageOf, Page]]) -> None:
        pages = await self._connections.read(lambda: self._script([ticket.request for ticket in group]))
        for ticket, page in zip(group, pages, strict=True):
            ticket.succeed(page)

    def _script(self, wanted: Sequence[PageOf]) -> Script[Sequence[Page]]:
        now = self._clock()
        pages: list[Page] = []
        for scope, part in wanted:
            rows = yield self._statements.list_page(scope_digest(scope), now, part)
            pages.append(_page_of(rows))
        return pages


def _page_of(rows: Sequence[Row]) -> Page:
    if not rows:
        return Page((), 0, 0)
    return Page(tuple([entry_of(row[2:]) for row in rows if row[2] is not None]), rows[0][1], rows[0][0])
