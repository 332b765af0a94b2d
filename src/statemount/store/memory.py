"""A store in memory: for tests, and for a host that needs no more than its own process."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from statemount.database.digests import asset_id
from statemount.errors import ScopeFullError
from statemount.interfaces import Clock, Store
from statemount.model import (
    AssetScope,
    Change,
    Entry,
    History,
    LogTail,
    MappedTask,
    Page,
    Past,
    Run,
    Scope,
    TaskScope,
    Timestamp,
    Writer,
)
from statemount.operations import OF_SCOPE, Clear, Operation, Outcome, Result
from statemount.store.apply import ScopeState, apply, is_live, without_value
from statemount.store.dropped import dropped
from statemount.store.options import StoreOptions
from statemount.store.past import Traces, past_of
from statemount.store.scopes import check_clears_task, check_moment, stored_scope
from statemount.store.trimming import surplus


@dataclass(slots=True)
class _Scope:
    state: ScopeState
    born: int
    entries: dict[str, Entry] = field(default_factory=dict)
    log: deque[Change] = field(default_factory=deque)
    trimmed: int = 0

    def add_lines(self, lines: Sequence[Change], most: int) -> None:
        """Add lines to the log, and trim it if it is time to."""
        self.log.extend(lines)
        end = surplus((line.revision for line in lines), most)
        while self.log and self.log[0].revision <= end:
            self.trimmed = self.log.popleft().revision

    def lines_of(self, key: str | None) -> Iterable[Change]:
        """Return the lines of a key, and clears, newest first; None = all."""
        return (line for line in reversed(self.log) if key is None or line.key in (key, None))


class MemoryStore(Store):
    """Keeps everything in this object, which may be used from one event loop after the other.

    Every method does its work without waiting for anything, which makes it atomic.

    Args:
        clock: Microseconds since the epoch.
        options: Limits, and what the log keeps.
    """

    def __init__(self, *, clock: Clock, options: StoreOptions | None = None) -> None:
        self._clock = clock
        self._options = options or StoreOptions()
        self._scopes: dict[Scope, _Scope] = {}
        self._dropped: dict[Run | AssetScope, Timestamp] = {}
        self._writes = 0

    async def read(self, scope: Scope, key: str) -> Entry | None:
        kept = self._scopes.get(stored_scope(scope))
        entry = None if kept is None else kept.entries.get(key)
        return entry if entry is not None and is_live(entry, self._clock()) else None

    async def list(
        self,
        scope: Scope,
        *,
        limit: int,
        offset: int = 0,
        prefix: str = "",
        after: str | None = None,
        keys_only: bool = False,
    ) -> Page:
        kept = self._scopes.get(stored_scope(scope))
        if kept is None:
            return Page((), 0, 0)
        found = {entry.key.encode(): entry for entry in _live(kept, self._clock()) if entry.key.startswith(prefix)}
        keys = sorted(found)
        offset += 0 if after is None else bisect_right(keys, after.encode())
        entries = [found[key] for key in keys[offset : offset + limit]]
        if keys_only:
            entries = [entry._replace(value="") for entry in entries]
        return Page(tuple(entries), len(keys), kept.state.revision)

    async def apply(
        self,
        target: Scope | MappedTask,
        operations: Sequence[Operation],
        *,
        writer: Writer | None,
    ) -> Outcome:
        if isinstance(target, MappedTask):
            check_clears_task(operations)
            return self._clear_all(target, operations, writer)
        target = stored_scope(target)
        kept = self._scopes.get(target)
        if kept is not None:
            return self._write(kept, operations, writer)
        now = self._clock()
        trial = apply(ScopeState.of_nothing(now), operations, writer=writer, now=now, options=self._options)
        if not trial.changes:
            return trial.outcome
        self._refuse_dropped(target, now)
        state = ScopeState(now, now, 0, 0, keeps_values=self._options.logs_values_of(target), is_new=True)
        kept = _Scope(state, now)
        self._scopes[target] = kept
        return self._write(kept, operations, writer)

    def _write(self, kept: _Scope, operations: Sequence[Operation], writer: Writer | None) -> Outcome:
        state, now = kept.state, self._clock()
        state.known = {o.key: kept.entries.get(o.key) for o in operations if not isinstance(o, OF_SCOPE)}
        state.live = 0
        if any(isinstance(o, Clear) for o in operations):
            state.live = sum(1 for _ in _live(kept, max(now, state.updated_at)))
        try:
            applied = apply(state, operations, writer=writer, now=now, options=self._options)
        except ScopeFullError:
            if not self._expire(kept, now, len(kept.entries)):
                raise
            return self._write(kept, operations, writer)
        if applied.cleared:
            kept.entries.clear()
        for key, entry in applied.written.items():
            if entry is None:
                kept.entries.pop(key, None)
            else:
                kept.entries[key] = entry
        state.absorb(applied)
        if applied.purged is None:
            kept.log = deque(without_value(line, None) for line in kept.log)
        for key in applied.purged or ():
            kept.log = deque(without_value(line, key) for line in kept.log)
        kept.add_lines(applied.changes, self._options.max_changes)
        self._writes += 1
        return applied.outcome

    def _clear_all(self, task: MappedTask, operations: Sequence[Operation], writer: Writer | None) -> Outcome:
        outcomes = [
            self._write(kept, operations, writer)
            for scope, kept in self._scopes.items()
            if isinstance(scope, TaskScope) and MappedTask(scope.dag_id, scope.run_id, scope.task_id) == task
        ]
        is_changed = any(outcome.results[0].status == "changed" for outcome in outcomes)
        result = Result("changed" if is_changed else "unchanged", 0)
        return Outcome((result,), max((outcome.revision for outcome in outcomes), default=0))

    async def changes(self, scope: Scope, *, after: int = 0, limit: int = 1000) -> Sequence[Change]:
        kept = self._scopes.get(stored_scope(scope))
        if kept is None:
            return ()
        return [change for change in kept.log if change.revision > after][:limit]

    async def history(
        self, scope: Scope, *, key: str | None = None, before: int | None = None, limit: int = 1000
    ) -> History:
        kept = self._scopes.get(stored_scope(scope))
        if kept is None:
            return History((), 0, True)
        lines = (line for line in kept.lines_of(key) if before is None or line.revision < before)
        return History(tuple(islice(lines, limit)), kept.state.revision, kept.trimmed == 0)

    async def past(self, scope: Scope, key: str, *, revision: int | None = None, at: Timestamp | None = None) -> Past:
        check_moment(revision, at)
        kept = self._scopes.get(stored_scope(scope))
        if kept is None:
            return Past(None, True, 0)

        def is_later(line: Change) -> bool:
            return (revision is not None and line.revision > revision) or (at is not None and line.at > at)

        lines = [*kept.lines_of(key)]
        traces = Traces(
            kept.state.revision,
            kept.state.updated_at,
            kept.trimmed,
            kept.log[0].at if kept.log else None,
            kept.entries.get(key),
            next((line for line in lines if not is_later(line)), None),
            next((line.at for line in kept.log if line.revision == revision), None),
            any(map(is_later, lines)),
        )
        return past_of(traces, key, revision=revision, at=at)

    async def trim(self, *, before: Timestamp, limit: int = 1000) -> int:
        logs = [kept for kept in self._scopes.values() if kept.log and kept.log[0].at < before]
        removed = 0
        for kept in logs:
            while removed < limit and kept.log and kept.log[0].at < before:
                kept.trimmed = kept.log.popleft().revision
                removed += 1
        return removed

    async def count_changes(self, *, before: Timestamp) -> int | None:
        return sum(line.at < before for kept in self._scopes.values() for line in kept.log)

    async def revisions(self, scopes: Collection[Scope]) -> Mapping[Scope, int]:
        found = {scope: self._scopes.get(stored_scope(scope)) for scope in scopes}
        return {scope: 0 if kept is None else kept.state.revision for scope, kept in found.items()}

    async def tails(self, positions: Mapping[Scope, int], *, limit: int = 256) -> Mapping[Scope, LogTail]:
        found: dict[Scope, LogTail] = {}
        for scope, after in positions.items():
            kept = self._scopes.get(stored_scope(scope))
            changes = await self.changes(scope, after=after, limit=limit)
            revision = 0 if kept is None else kept.state.revision
            is_trimmed = kept is not None and revision - kept.born > len(kept.log)
            found[scope] = LogTail.after(after, revision, changes, is_trimmed=is_trimmed)
        return found

    def pulse(self) -> object | None:
        return self._writes

    async def sweep(self, *, limit: int = 1000) -> int:
        now = self._clock()
        self._dropped = {owner: until for owner, until in self._dropped.items() if until > now}
        swept = 0
        for kept in list(self._scopes.values()):
            if swept >= limit:
                break
            swept += self._expire(kept, now, limit - swept)
        self._writes += swept
        return swept

    async def count_expired(self) -> int | None:
        now = self._clock()
        return sum(not is_live(entry, now) for kept in self._scopes.values() for entry in kept.entries.values())

    def _expire(self, kept: _Scope, now: Timestamp, limit: int) -> int:
        state = kept.state
        expired = [entry for entry in kept.entries.values() if not is_live(entry, now)][:limit]
        now = max(now, state.updated_at)
        lines: list[Change] = []
        for entry in expired:
            del kept.entries[entry.key]
            state.entries -= 1
            state.size -= entry.size
            state.revision += 1
            state.updated_at = now
            lines.append(Change(state.revision, "expire", entry.key, now))
        kept.add_lines(lines, self._options.max_changes)
        return len(expired)

    async def drop(self, target: Run | AssetScope) -> None:
        target = target if isinstance(target, Run) else AssetScope(asset_id(target))
        self._dropped[target] = self._clock() + self._options.tombstone_seconds * 1_000_000
        for scope in [scope for scope in self._scopes if _owner(scope) == target]:
            del self._scopes[scope]
            self._writes += 1

    def _refuse_dropped(self, scope: Scope, now: Timestamp) -> None:
        until = self._dropped.get(_owner(scope))
        if until is not None and until > now:
            raise dropped(scope)


def _owner(scope: Scope) -> Run | AssetScope:
    """Return what a scope is dropped with."""
    return Run(scope.dag_id, scope.run_id) if isinstance(scope, TaskScope) else scope


def _live(kept: _Scope, now: Timestamp) -> Iterable[Entry]:
    return (entry for entry in kept.entries.values() if is_live(entry, now))
