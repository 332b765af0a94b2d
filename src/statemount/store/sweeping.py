"""Sweeping: what is over goes, a batch at a time: expired entries, each with a line in its log, and old lines."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Generic, TypeAlias, TypeVar

from statemount.database.connections import Connections
from statemount.database.query import Script
from statemount.database.rows import ChangeRow, ScopeRow, WriteSet
from statemount.database.statements.base import StoreStatements
from statemount.interfaces import Clock
from statemount.model import Timestamp
from statemount.store.options import StoreOptions
from statemount.store.step_size import StepSize
from statemount.store.trimming import remove_lines, trim_surplus

_FRUITLESS_ROUNDS = 20
"""So often in a row others may have been there first."""

_T = TypeVar("_T")

_Find: TypeAlias = Callable[[int], Script[Sequence[tuple[int, _T]]]]
"""Reads what is over, each thing with its scope: so many, those that are to go first."""


class Sweep:
    """Removes what is over from the tables.

    It is looked up by a read, which holds nobody up, and looked at again once its scope is locked.

    Args:
        step_size: How much goes in one transaction.
    """

    def __init__(
        self,
        connections: Connections,
        statements: StoreStatements,
        clock: Clock,
        options: StoreOptions,
        step_size: StepSize | None = None,
    ) -> None:
        self._connections = connections
        self._statements = statements
        self._clock = clock
        self._options = options
        self._step_size = step_size or StepSize()

    async def __call__(self, limit: int) -> int:
        """Remove at most so many expired entries; return how many. Fewer means that none was left."""
        now, most = self._clock(), self._options.max_changes
        removed = await self._remove(
            limit,
            lambda wanted: self._find_expired(now, wanted),
            lambda chosen, waits: _Expiry(chosen, now, most, waits=waits),
        )
        if removed < limit and await self._connections.read(lambda: self._has_old_tombstones(now)):
            await self._connections.write(lambda: self._forget_tombstones(now))
        return removed

    async def trim(self, before: Timestamp, limit: int) -> int:
        """Remove at most so many lines of the log from before a time; return how many."""
        return await self._remove(
            limit,
            lambda wanted: self._find_old_changes(before, wanted),
            lambda chosen, waits: _Trimming(chosen, waits=waits),
        )

    async def _remove(
        self, limit: int, find: _Find[_T], make: Callable[[Sequence[tuple[int, _T]], bool], _Removal[_T]]
    ) -> int:
        """Remove at most so many of what is found; return how many. Fewer means that none was left.

        Args:
            make: Makes the transaction that removes what is chosen, and that waits for its locks or does not.
        """
        removed = fruitless = passed_over = 0
        held: set[int] = set()
        while removed < limit and fruitless < _FRUITLESS_ROUNDS:
            asked = min(limit - removed, self._step_size.size)
            wanted = asked + passed_over
            found = await self._connections.read(lambda: find(wanted))  # noqa: B023 - awaited right here
            # Scopes that somebody else works on are passed over, and waited for if there are no others.
            free = [one for one in found if one[0] not in held][:asked]
            chosen, waits = (free, False) if free else (found[:asked], True)
            if not chosen:
                break
            work = make(chosen, waits)
            began = time.monotonic()
            gone = await self._connections.write(lambda: work.script(self._statements))  # noqa: B023
            if not waits:
                self._step_size.note(len(chosen), time.monotonic() - began)
            removed += gone
            held = set() if waits else held | work.held
            if gone == len(chosen) and len(found) < wanted and not held:
                break
            passed_over = sum(one[0] in held for one in found)
            fruitless = 0 if gone else fruitless + 1
        return removed

    async def count(self) -> int:
        """Return how many entries are expired."""
        return await self._connections.read(self._count)

    def _count(self) -> Script[int]:
        rows = yield self._statements.count_expired(self._clock())
        return int(rows[0][0])

    async def count_changes(self, before: Timestamp) -> int:
        """Return how many lines of the log are from before a time."""
        return await self._connections.read(lambda: self._count_changes(before))

    def _count_changes(self, before: Timestamp) -> Script[int]:
        rows = yield self._statements.count_changes(before)
        return int(rows[0][0])

    def _find_expired(self, now: Timestamp, limit: int) -> Script[Sequence[tuple[int, bytes]]]:
        rows = yield self._statements.expired(now, limit)
        return [(row[0], bytes(row[1])) for row in rows]

    def _find_old_changes(self, before: Timestamp, limit: int) -> Script[Sequence[tuple[int, int]]]:
        rows = yield self._statements.old_changes(before, limit)
        return [(row[0], row[1]) for row in rows]

    def _has_old_tombstones(self, now: Timestamp) -> Script[bool]:
        return bool((yield self._statements.old_tombstones(now)))

    def _forget_tombstones(self, now: Timestamp) -> Script[None]:
        yield self._statements.forget_tombstones(now)


class _Removal(ABC, Generic[_T]):
    """A transaction that removes what is still over once the scopes are locked.

    Args:
        chosen: What is to be removed, each thing with its scope.
        waits: For scopes that somebody else has locked.

    Attributes:
        held: The scopes that were passed over.
    """

    def __init__(self, chosen: Sequence[tuple[int, _T]], *, waits: bool) -> None:
        self.held: set[int] = set()
        self._chosen = chosen
        self._waits = waits

    def script(self, statements: StoreStatements) -> Script[int]:
        """Return how many are removed."""
        scope_ids = sorted({scope_id for scope_id, _ in self._chosen})
        rows = yield (statements.lock_scopes if self._waits else statements.lock_free_scopes)(scope_ids)
        scopes = {row[0]: ScopeRow(*row) for row in rows}
        # Whoever has waited has every scope that there is: what has another was written by hand.
        self.held = set() if self._waits else set(scope_ids).difference(scopes)
        chosen = [one for one in self._chosen if one[0] not in self.held]
        return (yield from self._remove(statements, chosen, scopes)) if chosen else 0

    @abstractmethod
    def _remove(
        self, statements: StoreStatements, chosen: Sequence[tuple[int, _T]], scopes: dict[int, ScopeRow]
    ) -> Script[int]:
        """Remove it; return how many.

        Args:
            scopes: Those that exist, locked.
        """


class _Expiry(_Removal[bytes]):
    """Removes entries that are still expired.

    Args:
        most: So many lines of a log are wanted.
    """

    def __init__(self, chosen: Sequence[tuple[int, bytes]], now: Timestamp, most: int, *, waits: bool) -> None:
        super().__init__(chosen, waits=waits)
        self._now = now
        self._most = most

    def _remove(
        self, statements: StoreStatements, chosen: Sequence[tuple[int, bytes]], scopes: dict[int, ScopeRow]
    ) -> Script[int]:
        rows = yield statements.read_known(chosen)
        written = WriteSet()
        for scope_id, key, _, expires_at, size in rows:
            if expires_at is None or expires_at > self._now:
                continue
            written.deletes.append((scope_id, bytes(key)))
            scope = scopes.get(scope_id)
            if scope is None:
                continue  # it has no log
            revision, at = scope.revision + 1, max(self._now, scope.updated_at)
            scopes[scope_id] = ScopeRow(scope_id, revision, at, scope.entries - 1, scope.size - size)
            written.changes.append(ChangeRow(scope_id, revision, "expire", bytes(key), at, None, 0, None, None))
        written.scopes = [scopes[scope_id] for scope_id in sorted({change.scope_id for change in written.changes})]
        yield from statements.write(written)
        yield from trim_surplus(statements, written.changes, self._most)
        return len(written.deletes)


class _Trimming(_Removal[int]):
    """Removes lines of the log, which are the oldest ones of their scopes, by their revisions."""

    def _remove(
        self, statements: StoreStatements, chosen: Sequence[tuple[int, int]], scopes: dict[int, ScopeRow]
    ) -> Script[int]:
        gone = {row[0]: row[1] for row in (yield statements.trimmed(sorted({scope_id for scope_id, _ in chosen})))}
        left = [(scope_id, revision) for scope_id, revision in chosen if revision > gone.get(scope_id, 0)]
        ends: dict[int, int] = {}
        for scope_id, revision in left:
            ends[scope_id] = max(revision, ends.get(scope_id, 0))
        yield from remove_lines(statements, sorted(ends.items()))
        return len(left)
