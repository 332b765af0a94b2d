"""Group commit: the writes that wait together, in one transaction of five steps.

1. lock the scopes, ascending by id; 2. read the rows that are touched; 3. :func:`~statemount.store.apply.apply`
decides; 4. write; 5. commit, and only then acknowledge.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from statemount.database.connections import Connections
from statemount.database.digests import task_digest
from statemount.database.lane import Ticket
from statemount.database.query import Script
from statemount.database.rows import ChangeRow, EntryRow, ScopeRow, WriteSet
from statemount.database.statements.base import StoreStatements
from statemount.errors import (
    LockedError,
    NotFoundError,
    ScopeFullError,
    StateMountError,
    UnavailableError,
    WriteOutcomeUnknownError,
)
from statemount.interfaces import Clock
from statemount.model import Change, Entry, MappedTask, Scope, Timestamp, Writer
from statemount.operations import CheckScope, Clear, Delete, Operation, Outcome, Result
from statemount.store.apply import READS_VALUE, Applied, ScopeState, apply, is_live, without_value
from statemount.store.dropped import dropped
from statemount.store.options import StoreOptions
from statemount.store.reading import entry_of
from statemount.store.scope_ids import ScopeIds, create_scopes, find_scopes
from statemount.store.trimming import trim_surplus
from statemount.store.writers import writer_text

_logger = logging.getLogger("statemount.store")

_ROOM = 1000
"""So many expired entries at most make room for a write to a full scope."""


class Write(NamedTuple):
    """What somebody wants to write."""

    scope: Scope
    operations: Sequence[Operation]
    writer: Writer | None


class _Places(NamedTuple):
    """Where the scopes of a group are.

    Args:
        ids: Of those that exist.
        since: The losses of the connections before they were looked up.
    """

    ids: Mapping[Scope, int]
    since: int


class _Known(NamedTuple):
    """What a transaction reads of a stored row."""

    revision: int
    expires_at: Timestamp | None
    size: int


class _ScopeGoneError(Exception):
    """A remembered scope id is of no more use: its scope was dropped."""

    def __init__(self, scope_ids: Iterable[int]) -> None:
        super().__init__("scope gone")
        self.scope_ids = frozenset(scope_ids)


class GroupCommit:
    """Commits a group of writes."""

    def __init__(
        self,
        connections: Connections,
        statements: StoreStatements,
        ids: ScopeIds,
        clock: Clock,
        options: StoreOptions,
    ) -> None:
        self._connections = connections
        self._statements = statements
        self._ids = ids
        self._clock = clock
        self._options = options

    async def __call__(self, group: Sequence[Ticket[Write, Outcome]]) -> None:
        try:
            answers = await self._commit([ticket.request for ticket in group])
        except (UnavailableError, NotFoundError) as error:
            if len(group) == 1 or isinstance(error, UnavailableError):
                raise
        except Exception:
            if len(group) == 1:
                raise
            _logger.warning("a group of %d writes failed, and is done one by one", len(group), exc_info=True)
        else:
            for ticket, answer in zip(group, answers, strict=True):
                if isinstance(answer, Outcome):
                    ticket.succeed(answer)
                else:
                    ticket.fail(answer)
            return
        for ticket in group:
            await self._alone(ticket)

    async def _alone(self, ticket: Ticket[Write, Outcome]) -> None:
        try:
            await self([ticket])
        except Exception as error:
            ticket.fail(error)

    async def _commit(self, writes: Sequence[Write]) -> Sequence[Outcome | StateMountError]:
        """Return what came of each write."""
        places = await self._resolve(writes)
        try:
            return await self._commit_at(writes, places)
        except _ScopeGoneError as gone:
            for scope, scope_id in places.ids.items():
                if scope_id in gone.scope_ids:
                    self._ids.forget(scope)
            return await self._commit(writes)

    async def _commit_at(self, writes: Sequence[Write], places: _Places) -> Sequence[Outcome | StateMountError]:
        try:
            return await self._connections.write(lambda: self._transaction(writes, places))
        except LockedError:
            if len(set(places.ids.values())) < 2:
                raise
            # Somebody holds one of the scopes for long: the writes to the others do not fail with it.
            return await self._connections.write(lambda: self._transaction(writes, places, skips_locked=True))

    async def _resolve(self, writes: Sequence[Write]) -> _Places:
        """Return where the scopes are; one that is missing is made only if something is to be written to it.

        Raises:
            NotFoundError: A scope's run, or asset, was dropped a moment ago.
        """
        since = self._connections.losses
        ids: dict[Scope, int] = {}
        wanted: dict[Scope, list[Write]] = {}
        for write in writes:
            scope_id = self._ids.get(write.scope)
            if scope_id is None:
                wanted.setdefault(write.scope, []).append(write)
            else:
                ids[write.scope] = scope_id
        if wanted:
            now = self._clock()
            found = dict(await self._connections.read(lambda: find_scopes(self._statements, wanted, now)))
            missing = [
                scope
                for scope, its_writes in wanted.items()
                if scope not in found and any(self._without_scope(write, now) is None for write in its_writes)
            ]
            if missing:
                await self._create(missing, now)
                # Looked up once they are committed, and not before: a drop that did not see them is seen here.
                found.update(await self._connections.read(lambda: find_scopes(self._statements, missing, now)))
                for scope in missing:
                    if scope not in found:
                        raise dropped(scope)
            for scope, scope_id in found.items():
                self._ids.remember(scope, scope_id, since=since)
            ids.update(found)
        return _Places(ids, since)

    async def _create(self, missing: Sequence[Scope], now: Timestamp) -> None:
        try:
            await self._connections.write(lambda: create_scopes(self._statements, missing, now))
        except WriteOutcomeUnknownError as error:  # an empty scope is seen by nobody: of the writes, nothing is done
            raise UnavailableError(str(error)) from error

    def _without_scope(self, write: Write, now: Timestamp) -> Outcome | ScopeFullError | None:
        """Return what comes of a write while its scope does not exist; None if it makes the scope."""
        try:
            applied = self._apply(ScopeState.of_nothing(now), write, now)
        except ScopeFullError as error:
            return error
        return None if applied.changes else applied.outcome

    def _transaction(
        self, writes: Sequence[Write], places: _Places, *, skips_locked: bool = False
    ) -> Script[Sequence[Outcome | StateMountError]]:
        if places.since != self._connections.losses:  # another server may have other scopes at these ids
            raise _ScopeGoneError(places.ids.values())
        now = self._clock()
        states = yield from self._lock(writes, places, now, skips_locked=skips_locked)
        work: dict[int, _ScopeWork] = {}
        answers: list[Outcome | StateMountError] = []
        for write in writes:
            scope_id = places.ids.get(write.scope)
            if scope_id is None or (scope_id in states and states[scope_id].is_new):
                answer = self._without_scope(write, now)
                if answer is not None:
                    answers.append(answer)
                    continue
            if scope_id is None or scope_id not in states:
                answers.append(UnavailableError(f"somebody else holds the lock of {write.scope}"))
                continue
            state, scope_work = states[scope_id], work.setdefault(scope_id, _ScopeWork())
            try:
                applied = self._apply(state, write, now)
            except ScopeFullError:
                yield from self._make_room(scope_id, state, scope_work, now)
                try:
                    applied = self._apply(state, write, now)
                except ScopeFullError as error:
                    answers.append(error)
                    continue
            scope_work.add(applied, state)
            answers.append(applied.outcome)
        yield from self._write(work, states)
        return answers

    def _write(self, work: Mapping[int, _ScopeWork], states: Mapping[int, ScopeState]) -> Script[None]:
        rows = _write_set(work, states)
        yield from self._statements.write(rows)
        yield from trim_surplus(self._statements, rows.changes, self._options.max_changes)

    def _apply(self, state: ScopeState, write: Write, now: Timestamp) -> Applied:
        return apply(state, write.operations, writer=write.writer, now=now, options=self._options)

    def _make_room(self, scope_id: int, state: ScopeState, scope_work: _ScopeWork, now: Timestamp) -> Script[None]:
        """Sweep a full scope, under the lock that is held."""
        if not scope_work.cleared:  # else what is stored is gone already
            rows = yield self._statements.expired_in(scope_id, now, _ROOM)
            unknown = [bytes(row[1]) for row in rows if bytes(row[1]).decode() not in state.known]
            if unknown:
                rows = yield self._statements.read_known([(scope_id, key) for key in unknown])
                for _, key, revision, expires_at, size in rows:
                    state.known[bytes(key).decode()] = _Known(revision, expires_at, size)
        expired = [Delete(key) for key, row in state.known.items() if row is not None and not is_live(row, now)]
        scope_work.add(apply(state, expired, writer=None, now=now, options=self._options), state)

    def _lock(
        self, writes: Sequence[Write], places: _Places, now: Timestamp, *, skips_locked: bool
    ) -> Script[dict[int, ScopeState]]:
        """Lock the scopes, and read what the operations touch."""
        ids = places.ids
        scope_ids = sorted(set(ids.values()))
        states: dict[int, ScopeState] = {}
        if not scope_ids:
            return states
        keys: dict[tuple[int, bytes], str] = {}
        valued: set[tuple[int, bytes]] = set()
        cleared: set[int] = set()
        for write in writes:
            write_id = ids.get(write.scope)
            if write_id is None:
                continue
            for operation in write.operations:
                if isinstance(operation, Clear):
                    cleared.add(write_id)
                elif not isinstance(operation, CheckScope):
                    pair = write_id, operation.key.encode()
                    keys[pair] = operation.key
                    if isinstance(operation, READS_VALUE):
                        valued.add(pair)
        keeps = {scope_id: self._options.logs_values_of(scope) for scope, scope_id in ids.items()}
        pairs = [pair for pair in keys if pair not in valued] if valued else list(keys)
        rows, known = yield from self._statements.lock_and_read(scope_ids, pairs, skips_locked=skips_locked)
        for scope_id, revision, updated_at, entries, size in rows:
            states[scope_id] = ScopeState(
                revision,
                updated_at,
                entries,
                size,
                keeps_values=keeps[scope_id],
                is_new=revision == updated_at and not entries,  # as it was made: each change counts on by one
            )
        if len(states) < len(scope_ids) and not skips_locked:
            raise _ScopeGoneError(set(scope_ids) - set(states))
        for scope_id, key, revision, expires_at, size in known:
            if scope_id in states:
                states[scope_id].known[keys[scope_id, bytes(key)]] = _Known(revision, expires_at, size)
        wanted = [pair for pair in valued if pair[0] in states]
        if wanted:
            rows = yield self._statements.read_by_id(wanted)  # the locks are held, so that nobody changes them
            for row in rows:
                states[row[0]].known[keys[row[0], bytes(row[1])]] = entry_of(row[1:])
        yield from self._count_live({scope_id: states[scope_id] for scope_id in sorted(cleared & set(states))}, now)
        return states

    def _count_live(self, states: Mapping[int, ScopeState], now: Timestamp) -> Script[None]:
        moments: dict[Timestamp, list[int]] = {}
        for scope_id, state in states.items():  # each at its own moment, which never lies before its last change
            moments.setdefault(max(now, state.updated_at), []).append(scope_id)
        for moment, scope_ids in moments.items():
            rows = yield self._statements.count_live(scope_ids, moment)
            for scope_id, live in rows:
                states[scope_id].live = live

    async def clear_task(self, task: MappedTask, operations: Sequence[Operation], writer: Writer | None) -> Outcome:
        """Clear every scope of a task, in one transaction.

        Args:
            operations: A single clear.
        """
        return await self._connections.write(lambda: self._clear_task(task, operations, writer))

    def _clear_task(self, task: MappedTask, operations: Sequence[Operation], writer: Writer | None) -> Script[Outcome]:
        now = self._clock()
        rows = yield self._statements.find_task(task_digest(task))
        scope_ids = sorted(row[1] for row in rows)
        if not scope_ids:
            return _NOTHING_CLEARED
        states: dict[int, ScopeState] = {}
        rows = yield self._statements.lock_scopes(scope_ids)
        for scope_id, revision, updated_at, entries, size in rows:
            states[scope_id] = ScopeState(revision, updated_at, entries, size)
        if not states:
            return _NOTHING_CLEARED
        yield from self._count_live(states, now)
        work: dict[int, _ScopeWork] = {}
        for scope_id, state in states.items():
            applied = apply(state, operations, writer=writer, now=now, options=self._options)
            work.setdefault(scope_id, _ScopeWork()).add(applied, state)
        yield from self._write(work, states)
        is_changed = any(scope_work.changes for scope_work in work.values())
        status = Result("changed" if is_changed else "unchanged", 0)
        return Outcome((status,), max(state.revision for state in states.values()))


_NOTHING_CLEARED = Outcome((Result("unchanged", 0),), 0)


class _ScopeWork:
    """What the writes of a group do to one scope, together."""

    __slots__ = ("changes", "cleared", "purged", "written")

    def __init__(self) -> None:
        self.cleared = False
        self.changes: list[Change] = []
        self.purged: set[str | None] = set()
        self.written: dict[str, Entry | None] = {}

    def add(self, applied: Applied, state: ScopeState) -> None:
        """Take in what a write does, and let the state of its scope move on."""
        state.absorb(applied)
        if applied.cleared:
            self.cleared = True
            self.written.clear()
        self.written.update(applied.written)
        for key in (None,) if applied.purged is None else applied.purged:
            self.purged.add(key)
            self.changes = [without_value(change, key) for change in self.changes]
        self.changes += applied.changes


def _write_set(work: Mapping[int, _ScopeWork], states: Mapping[int, ScopeState]) -> WriteSet:
    rows = WriteSet()
    text_of = _WriterTexts()
    for scope_id, scope_work in sorted(work.items()):
        for purged in (None,) if None in scope_work.purged else scope_work.purged:
            rows.purges.append((scope_id, None if purged is None else purged.encode()))
        if not scope_work.changes:
            continue
        state = states[scope_id]
        rows.scopes.append(ScopeRow(scope_id, state.revision, state.updated_at, state.entries, state.size))
        if scope_work.cleared:
            rows.clears.append(scope_id)
        for key, entry in scope_work.written.items():
            if entry is not None:
                rows.upserts.append(
                    EntryRow(
                        scope_id,
                        key.encode(),
                        entry.value,
                        entry.updated_at,
                        entry.revision,
                        entry.expires_at,
                        text_of(entry.writer),
                    )
                )
            elif not scope_work.cleared:
                rows.deletes.append((scope_id, key.encode()))
        for change in scope_work.changes:
            rows.changes.append(
                ChangeRow(
                    scope_id,
                    change.revision,
                    change.kind,
                    None if change.key is None else change.key.encode(),
                    change.at,
                    text_of(change.writer),
                    change.size,
                    change.value,
                    change.expires_at,
                )
            )
    return rows


class _WriterTexts:
    """The texts of writers of whom the one that was asked for last is asked for again: each line has its entry's."""

    __slots__ = ("_text", "_writer")

    def __init__(self) -> None:
        self._writer: Writer | None = None
        self._text: str | None = None

    def __call__(self, writer: Writer | None) -> str | None:
        if writer is not self._writer:
            self._writer, self._text = writer, writer_text(writer)
        return self._text
