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
from statemount.model import Page, Scope, Timestamp
from statemount.store.reading import entry_of

_FEW = 200
"""So many entries a scope may have to be listed at once: they are all counted."""

_FEW_BYTES = 64 * 1024


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
        digest, now, part = scope_digest(wanted.scope), self._clock(), wanted.part
        if not (part.is_ranged or part.keys_only):
            # Most scopes are so small that all of their entries are fewer steps than a count of them and a page.
            most = min(2 * part.limit, _FEW)
            rows = self._connections.read_at_once(self._statements.list_small(digest, most, _FEW_BYTES), most)
            if rows:
                return _page_of_all(rows, now, part)
        found = self._connections.read_at_once(self._statements.size_of(digest))
        if found is None or (found and found[0][0] > _FEW):
            return None
        if not found:
            return _page_of(())
        query = self._statements.list_page(digest, now, part)
        rows = self._connections.read_at_once(query.fallback or query, _FEW)
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


def _page_of_all(rows: Sequence[Row], now: Timestamp, part: Part) -> Page:
    """Return the page of a scope all of whose entries are there, expired ones included."""
    live = [row for row in rows if row[1] is not None and not _is_over(row[5], now)]
    page = live[part.offset : part.offset + part.limit]
    return Page(tuple([entry_of(row[1:]) for row in page]), len(live), rows[0][0])


def _is_over(expires_at: object, now: Timestamp) -> bool:
    return isinstance(expires_at, (int, float)) and expires_at <= now  # SQLite compares as well what is no time


def _page_of(rows: Sequence[Row]) -> Page:
    if not rows:
        return Page((), 0, 0)
    return Page(tuple([entry_of(row[2:]) for row in rows if row[2] is not None]), rows[0][1], rows[0][0])
