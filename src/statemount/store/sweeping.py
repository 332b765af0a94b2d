"""Sweeping: expired entries go, a batch at a time, each with a line in its scope's log."""

from __future__ import annotations

from collections.abc import Sequence

from statemount.database.connections import Connections
from statemount.database.query import Script
from statemount.database.rows import ChangeRow, ScopeRow, WriteSet
from statemount.database.statements.base import StoreStatements
from statemount.interfaces import Clock
from statemount.model import Timestamp

_FRUITLESS_ROUNDS = 20
"""So often in a row others may have been there first."""


class Sweep:
    """Removes expired entries from the tables.

    What is expired is looked up by a read, which holds nobody up, and looked at again once its scope is locked.
    """

    def __init__(self, connections: Connections, statements: StoreStatements, clock: Clock) -> None:
        self._connections = connections
        self._statements = statements
        self._clock = clock

    async def __call__(self, limit: int) -> int:
        """Remove at most so many; return how many. Fewer means that none was left."""
        now = self._clock()
        removed = fruitless = passed_over = 0
        held: set[int] = set()
        while removed < limit and fruitless < _FRUITLESS_ROUNDS:
            asked = limit - removed
            wanted = asked + passed_over
            keys = await self._connections.read(lambda: self._find(now, wanted))  # noqa: B023 - awaited right here
            # Scopes that somebody else works on are passed over, and waited for if there are no others.
            free = [key for key in keys if key[0] not in held][:asked]
            chosen, waits = (free, False) if free else (keys[:asked], True)
            if not chosen:
                break
            work = _Removal(chosen, now, waits=waits)
            gone = await self._connections.write(lambda: work.script(self._statements))  # noqa: B023
            removed += gone
            held = set() if waits else held | work.held
            if gone == len(chosen) and len(keys) < wanted and not held:
                break
            passed_over = sum(key[0] in held for key in keys)
            fruitless = 0 if gone else fruitless + 1
        if removed < limit and await self._connections.read(lambda: self._has_old_tombstones(now)):
            await self._connections.write(lambda: self._forget_tombstones(now))
        return removed

    async def count(self) -> int:
        """Return how many entries are expired."""
        return await self._connections.read(self._count)

    def _count(self) -> Script[int]:
        rows = yield self._statements.count_expired(self._clock())
        return int(rows[0][0])

    def _find(self, now: Timestamp, limit: int) -> Script[Sequence[tuple[int, bytes]]]:
        rows = yield self._statements.expired(now, limit)
        return [(row[0], bytes(row[1])) for row in rows]

    def _has_old_tombstones(self, now: Timestamp) -> Script[bool]:
        return bool((yield self._statements.old_tombstones(now)))

    def _forget_tombstones(self, now: Timestamp) -> Script[None]:
        yield self._statements.forget_tombstones(now)


class _Removal:
    """A transaction that removes entries that are still expired once their scopes are locked.

    Args:
        waits: For scopes that somebody else has locked.

    Attributes:
        held: The scopes that were passed over.
    """

    def __init__(self, keys: Sequence[tuple[int, bytes]], now: Timestamp, *, waits: bool) -> None:
        self.held: set[int] = set()
        self._keys = keys
        self._now = now
        self._waits = waits

    def script(self, statements: StoreStatements) -> Script[int]:
        """Return how many entries are removed."""
        scope_ids = sorted({scope_id for scope_id, _ in self._keys})
        rows = yield (statements.lock_scopes if self._waits else statements.lock_free_scopes)(scope_ids)
        scopes = {row[0]: ScopeRow(*row) for row in rows}
        # Whoever has waited has every scope that there is: an entry of another was written by hand, and has no log.
        self.held = set() if self._waits else set(scope_ids).difference(scopes)
        known = [key for key in self._keys if key[0] not in self.held]
        if not known:
            return 0
        rows = yield statements.read_known(known)
        written = WriteSet()
        for scope_id, key, _, expires_at, size in rows:
            if expires_at is None or expires_at > self._now:
                continue
            written.deletes.append((scope_id, bytes(key)))
            scope = scopes.get(scope_id)
            if scope is None:
                continue
            revision, at = scope.revision + 1, max(self._now, scope.updated_at)
            scopes[scope_id] = ScopeRow(scope_id, revision, at, scope.entries - 1, scope.size - size)
            written.changes.append(ChangeRow(scope_id, revision, "expire", bytes(key), at, None, 0, None, None))
        written.scopes = [scopes[scope_id] for scope_id in sorted({change.scope_id for change in written.changes})]
        yield from statements.write(written)
        return len(written.deletes)
