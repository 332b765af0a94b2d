"""The logs of many scopes at once: where they are, and what they have after some revision."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from statemount.database.connections import Connections
from statemount.database.digests import scope_digest
from statemount.database.query import Row, Script
from statemount.database.statements.base import StoreStatements
from statemount.model import Change, LogTail, Scope
from statemount.store.scope_ids import ScopeIds
from statemount.store.writers import read_writer

_SCOPES = 1000
"""So many scopes a statement is about, at most."""


def change_of(row: Sequence[Any]) -> Change:
    """Return the change of a row: revision, kind, key, changed_at, writer, size, value, expires_at.

    A row that somebody else wrote is a change too, as far as that can be.
    """
    revision, kind, key, at, writer, size, value, expires_at = row
    if key is not None:
        key = key if isinstance(key, str) else bytes(key).decode(errors="replace")
    at, size, end = (number if type(number) is int else None for number in (at, size, expires_at))
    text = value if isinstance(value, str) else None
    return Change(revision, kind, key, at or 0, read_writer(writer), size or 0, text, end)


class Log:
    """Reads the logs of scopes."""

    def __init__(self, connections: Connections, statements: StoreStatements, ids: ScopeIds) -> None:
        self._connections = connections
        self._statements = statements
        self._ids = ids

    async def revisions(self, scopes: Collection[Scope]) -> Mapping[Scope, int]:
        """Return the revision of each scope. One that was seen lately is looked up by its id, which costs less."""
        found = dict.fromkeys(scopes, 0)
        for part in _pieces(scopes):
            since = self._connections.losses
            known: dict[int, Scope] = {}
            unknown: list[Scope] = []
            for scope in part:
                scope_id = self._ids.get(scope)
                if scope_id is None:
                    unknown.append(scope)
                else:
                    known[scope_id] = scope
            read = self._connections.read(lambda: self._revisions_script(known, unknown))  # noqa: B023 - awaited here
            revisions, new = await read
            if since != self._connections.losses:  # what was remembered may be other scopes' ids
                since, known = self._connections.losses, {}
                revisions, new = await self._connections.read(lambda: self._revisions_script({}, part))  # noqa: B023
            for scope_id, revision in revisions:
                found[known[scope_id]] = revision
            for scope, scope_id, revision in new:
                self._ids.remember(scope, scope_id, since=since)
                found[scope] = revision
        return found

    def _revisions_script(
        self, known: Mapping[int, Scope], unknown: Sequence[Scope]
    ) -> Script[tuple[Sequence[Row], Sequence[tuple[Scope, int, int]]]]:
        """Return id and revision of those that are there under their ids; scope, id and revision of the others."""
        rows: Sequence[Row] = ()
        others = list(unknown)
        if known:
            rows = yield self._statements.revisions(list(known))
            if len(rows) < len(known):  # one that was dropped may have been made again, with another id
                there = {row[0] for row in rows}
                others += [scope for scope_id, scope in known.items() if scope_id not in there]
        if not others:
            return rows, ()
        digests = {_digest(scope): scope for scope in others}
        new = yield self._statements.find_revisions(list(digests))
        return rows, [(digests[bytes(digest)], scope_id, revision) for digest, scope_id, revision in new]

    async def tails(self, positions: Mapping[Scope, int], limit: int) -> Mapping[Scope, LogTail]:
        """Return what the log of each scope has after a revision."""
        revisions: dict[Scope, int] = {}
        changes: dict[Scope, list[Change]] = {scope: [] for scope in positions}
        trimmed: set[Scope] = set()
        for part in _pieces(positions):
            digests = {_digest(scope): scope for scope in part}
            wanted = [(digest, positions[scope]) for digest, scope in digests.items()]
            rows = await self._connections.read(lambda: self._statements.tails(wanted, limit))  # noqa: B023
            for row in rows:
                scope = digests[bytes(row[0])]
                revisions[scope] = row[1]
                if row[2] is not None:
                    changes[scope].append(change_of(row[2:]))
            # What is asked for from the very first change on may be gone: asked last, for then it is seen.
            whole = [digest for digest, scope in digests.items() if positions[scope] == 0 and scope in revisions]
            if whole:
                gone = await self._connections.read(lambda: self._trimmed_script(whole))  # noqa: B023
                trimmed.update(digests[digest] for digest in gone)
        return {
            scope: LogTail.after(after, revisions.get(scope, 0), changes[scope], is_trimmed=scope in trimmed)
            for scope, after in positions.items()
        }

    def _trimmed_script(self, digests: Sequence[bytes]) -> Script[Sequence[bytes]]:
        """Return those of the scopes whose logs were trimmed."""
        found: list[bytes] = []
        for digest in digests:
            rows = yield self._statements.is_trimmed(digest)
            if rows:
                found.append(digest)
        return found


_digest = lru_cache(maxsize=16_384)(scope_digest)  # whoever watches many scopes asks for the same ones again and again


def _pieces(scopes: Iterable[Scope]) -> Iterator[Sequence[Scope]]:
    remaining = iter(scopes)
    return iter(lambda: list(islice(remaining, _SCOPES)), [])
