"""The pure heart of every store: what a write does to a scope.

All rules of an update live here: conditions, expiry, limits and revisions. It reads nothing and writes nothing, so
that the memory store and the database store cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from statemount.errors import ScopeFullError
from statemount.model import Change, Entry, Timestamp, Writer
from statemount.operations import (
    KEEP,
    CheckScope,
    Clear,
    Condition,
    Delete,
    Get,
    Increment,
    Maximum,
    Merge,
    Minimum,
    Operation,
    Outcome,
    Result,
    Set,
    Update,
)
from statemount.store.options import StoreOptions
from statemount.store.updates import UpdateError, updated

READS_VALUE = (Update, Get)
"""Operations that must know the value of their key."""


class Row(Protocol):
    """What must be known of a stored row: an :class:`~statemount.model.Entry` will do."""

    @property
    def revision(self) -> int: ...

    @property
    def expires_at(self) -> Timestamp | None: ...

    @property
    def size(self) -> int: ...


@dataclass(slots=True)
class ScopeState:
    """What a transaction knows of a scope, under its lock.

    Args:
        revision: Of the last change.
        updated_at: Of the last change; never goes back.
        entries: How many rows there are, expired ones included.
        size: Bytes of stored text in them.
        known: The rows of the keys that are named, expired ones included, as entries where an operation
            :data:`READS_VALUE`; None = there is no such row.
        live: How many entries are not expired. Needed, and only then known, where a ``Clear`` is among the operations.
        keeps_values: Whether the log keeps values.
        is_new: Nobody has written to it since it was made: a condition on the scope sees the revision 0.
    """

    revision: int
    updated_at: Timestamp
    entries: int
    size: int
    known: dict[str, Row | None] = field(default_factory=dict)
    live: int = 0
    keeps_values: bool = False
    is_new: bool = False

    @classmethod
    def of_nothing(cls, now: Timestamp) -> ScopeState:
        """Return the state of a scope that does not exist."""
        return cls(0, now, 0, 0)

    def absorb(self, applied: Applied) -> None:
        """Move on to the state after a write."""
        self.revision = applied.outcome.revision
        self.updated_at = applied.updated_at
        self.entries = applied.entries
        self.size = applied.size
        self.live = applied.live
        self.is_new = self.is_new and not applied.changes
        if applied.cleared:
            self.known = dict.fromkeys(self.known)
        self.known.update(applied.written)


class Applied(NamedTuple):
    """What a write does.

    Args:
        written: The rows to write, None = to remove; they come after the clearing, if there is one.
        cleared: Every row of the scope goes first.
        changes: The log's new lines, in order; none if nothing changed.
        purged: The keys whose values go from the lines that the log has already; None = every key.
    """

    outcome: Outcome
    changes: tuple[Change, ...]
    written: Mapping[str, Entry | None]
    cleared: bool
    updated_at: Timestamp
    entries: int
    size: int
    live: int
    purged: frozenset[str] | None = frozenset()


def apply(
    state: ScopeState,
    operations: Sequence[Operation],
    *,
    writer: Writer | None,
    now: Timestamp,
    options: StoreOptions,
) -> Applied:
    """Return what the operations do to a scope, all or none; ``state`` is left as it is.

    An expired entry is absent. A write to its key logs the expiry first. Every change takes the next revision.

    Raises:
        ScopeFullError: The scope would hold more than the options allow.
    """
    work = _Work(state, writer, max(now, state.updated_at), options)
    results: list[Result] = []
    for operation in operations:
        if isinstance(operation, (Clear, CheckScope)):
            if operation.condition is not None and not operation.condition.holds(work.revision):
                results.append(Result("failed", work.revision))
                return work.nothing(results)
            if isinstance(operation, Clear):
                results.append(work.clear(purge=operation.purge))
            else:
                results.append(Result("unchanged", work.revision))
            continue
        row = work.live_row(operation.key)
        if operation.condition is not None and not _holds(operation.condition, row):
            results.append(Result("failed", _revision(row)))
            return work.nothing(results)
        if isinstance(operation, Set):
            results.append(work.set(operation, row))
        elif isinstance(operation, Delete):
            results.append(work.delete(operation.key, row, purge=operation.purge))
        elif isinstance(operation, Update):
            results.append(work.update(operation, row))
            if results[-1].status == "failed":
                return work.nothing(results)
        else:
            entry = _entry(row) if isinstance(operation, Get) else None
            results.append(Result("unchanged", _revision(row), entry=entry))
    return work.done(results)


def without_value(change: Change, key: str | None) -> Change:
    """Return a line of the log without its value, if it is of a key; None = of any key."""
    if change.value is None or key not in (None, change.key):
        return change
    return change._replace(value=None)


def is_live(row: Row, now: Timestamp) -> bool:
    """Tell whether a row counts: it is gone from ``expires_at`` on."""
    return row.expires_at is None or row.expires_at > now


def _holds(condition: Condition, row: Row | None) -> bool:
    return condition.holds(None if row is None else row.revision)


def _revision(row: Row | None) -> int:
    return 0 if row is None else row.revision


def _entry(row: Row | None) -> Entry | None:
    """Return a row whose value must be known.

    Raises:
        TypeError: It was read without its value.
    """
    if row is None or isinstance(row, Entry):
        return row
    raise TypeError("a row was read without its value")


class _Work:
    """One run of :func:`apply`: the changes so far, over a state that stays as it is."""

    def __init__(self, state: ScopeState, writer: Writer | None, now: Timestamp, options: StoreOptions) -> None:
        self._state = state
        self._writer = writer
        self._now = now
        self._options = options
        self._revision = state.revision
        self._entries = state.entries
        self._size = state.size
        self._live = state.live
        self._cleared = False
        self._written: dict[str, Entry | None] = {}
        self._changes: list[Change] = []
        self._purged: frozenset[str] | None = frozenset()

    @property
    def revision(self) -> int:
        """The scope's as a condition sees it, after the changes so far."""
        return 0 if self._state.is_new and not self._changes else self._revision

    def _row(self, key: str) -> Row | None:
        if key in self._written:
            return self._written[key]
        return None if self._cleared else self._state.known.get(key)

    def live_row(self, key: str) -> Row | None:
        row = self._row(key)
        return row if row is not None and is_live(row, self._now) else None

    def _log(self, change: Change) -> None:
        self._changes.append(change)
        self._revision = change.revision

    def _remove_row(self, key: str, row: Row) -> None:
        self._entries -= 1
        self._size -= row.size
        self._written[key] = None

    def _expire(self, key: str) -> None:
        """Log the expiry of a row that nobody has swept yet."""
        row = self._row(key)
        if row is not None and not is_live(row, self._now):
            self._remove_row(key, row)
            self._log(Change(self._revision + 1, "expire", key, self._now))

    def set(self, operation: Set, row: Row | None) -> Result:
        kept = None if row is None else row.expires_at
        expires_at = kept if operation.expires_at == KEEP else operation.expires_at
        return Result("changed", self._put(operation.key, operation.value, expires_at, row).revision)

    def update(self, operation: Merge | Increment | Maximum | Minimum, row: Row | None) -> Result:
        entry = _entry(row)
        try:
            value = updated(operation, None if entry is None else entry.value)
        except UpdateError as error:
            return Result("failed", _revision(entry), str(error), length=error.length)
        if value is None:
            return Result("unchanged", _revision(entry), entry=entry)
        kept = operation.expires_at_if_new if entry is None else entry.expires_at
        expires_at = kept if operation.expires_at == KEEP else operation.expires_at
        written = self._put(operation.key, value, expires_at, entry)
        return Result("changed", written.revision, entry=written)

    def _put(self, key: str, value: str, expires_at: Timestamp | None, row: Row | None) -> Entry:
        if row is None:
            self._expire(key)
        else:
            self._remove_row(key, row)
        revision = self._revision + 1
        written = Entry(key, value, self._now, revision, expires_at, self._writer)
        self._written[key] = written
        self._entries += 1
        self._size += len(value)
        self._live += is_live(written, self._now) - (row is not None)
        grows = row is None or len(value) > row.size
        if grows and (self._entries > self._options.max_entries or self._size > self._options.max_bytes):
            raise ScopeFullError(
                f"state is full: at most {self._options.max_entries} keys and {self._options.max_bytes} bytes"
            )
        keeps = self._state.keeps_values and len(value) <= self._options.max_logged_value_bytes
        self._log(
            Change(revision, "set", key, self._now, self._writer, len(value), value if keeps else None, expires_at)
        )
        return written

    def delete(self, key: str, row: Row | None, *, purge: bool) -> Result:
        if purge:
            self._purge(key)
        if row is None:
            self._expire(key)
            return Result("unchanged", 0)
        self._remove_row(key, row)
        self._live -= 1
        self._log(Change(self._revision + 1, "delete", key, self._now, self._writer))
        return Result("changed", 0)

    def _purge(self, key: str | None) -> None:
        """Take the values of a key out of the log, None = of every key."""
        if key is None:
            self._purged = None
        elif self._purged is not None:
            self._purged |= {key}
        self._changes = [without_value(change, key) for change in self._changes]

    def clear(self, *, purge: bool) -> Result:
        if purge:
            self._purge(None)
        # A row that is expired holds a value all the same.
        if self._live == 0 and not (purge and self._entries > 0):
            return Result("unchanged", 0)
        self._cleared = True
        self._written.clear()
        self._entries = self._size = self._live = 0
        self._log(Change(self._revision + 1, "clear", None, self._now, self._writer))
        return Result("changed", 0)

    def done(self, results: list[Result]) -> Applied:
        return Applied(
            Outcome(tuple(results), self._revision),
            tuple(self._changes),
            self._written,
            self._cleared,
            self._now if self._changes else self._state.updated_at,
            self._entries,
            self._size,
            self._live,
            self._purged,
        )

    def nothing(self, results: list[Result]) -> Applied:
        state = self._state
        outcome = Outcome(tuple(results), state.revision)
        return Applied(outcome, (), {}, False, state.updated_at, state.entries, state.size, state.live)
