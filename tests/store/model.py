"""What a scope should do, written as plainly as possible: the tests compare the stores with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from statemount.model import Change, Entry, Timestamp, Writer
from statemount.operations import (
    KEEP,
    Check,
    CheckScope,
    Clear,
    Delete,
    Get,
    Increment,
    Maximum,
    Merge,
    Minimum,
    Operation,
    Result,
    Set,
)
from statemount.store.options import StoreOptions
from tests.store.reference import STAYS, Refused, updated


@dataclass(frozen=True)
class Line:
    """A line of the log, as far as it is compared."""

    revision: int
    kind: str
    key: str | None
    at: Timestamp
    size: int = 0
    writer: Writer | None = None

    @classmethod
    def of(cls, change: Change) -> Line:
        """Return the line for a change."""
        return cls(change.revision, change.kind, change.key, change.at, change.size, change.writer)


@dataclass(frozen=True)
class Row:
    """A stored entry, which may be expired."""

    value: str
    expires_at: Timestamp | None
    revision: int
    updated_at: Timestamp
    writer: Writer | None

    def is_live(self, now: Timestamp) -> bool:
        """Tell whether it counts."""
        return self.expires_at is None or now < self.expires_at

    def entry(self, key: str) -> Entry:
        """Return it as a store does."""
        return Entry(key, self.value, self.updated_at, self.revision, self.expires_at, self.writer)


class FullError(Exception):
    """The scope would hold too much."""


@dataclass
class Model:
    """One scope.

    Args:
        revision: Of the last change; at first the creation time.
    """

    revision: int
    updated_at: Timestamp
    options: StoreOptions
    rows: dict[str, Row] = field(default_factory=dict)
    log: list[Line] = field(default_factory=list)
    seen: dict[int, tuple[Timestamp, dict[str, Row]]] = field(default_factory=dict)
    """By revision: when it was, and the rows right after it."""
    purged: dict[str | None, int] = field(default_factory=dict)
    """By key, None = all: up to which revision values are not in the log any more."""
    trimmed: int = 0

    def live(self, now: Timestamp) -> dict[str, Row]:
        """Return what is there, by key in byte order."""
        return {key: self.rows[key] for key in sorted(self.rows, key=str.encode) if self.rows[key].is_live(now)}

    def apply(self, operations: Sequence[Operation], now: Timestamp, writer: Writer | None) -> list[Result]:
        """Do all of it or nothing.

        Raises:
            FullError: The scope would hold too much.
        """
        trial = replace(self, rows=dict(self.rows), log=list(self.log), seen=dict(self.seen), purged=dict(self.purged))
        results: list[Result] = []
        for operation in operations:
            result = trial._do(operation, max(now, self.updated_at), writer)
            results.append(result)
            if result.status == "failed":
                return results
        if trial.revision > self.revision:
            trial.updated_at = max(now, self.updated_at)
        trial._trim(self.revision)
        self.__dict__.update(trial.__dict__)
        return results

    def apply_or_sweep(self, operations: Sequence[Operation], now: Timestamp, writer: Writer | None) -> list[Result]:
        """Do it; if the scope is full, once more without what is expired.

        Raises:
            FullError: It is full all the same.
        """
        try:
            return self.apply(operations, now, writer)
        except FullError:
            self.sweep(now)
            return self.apply(operations, now, writer)

    def sweep(self, now: Timestamp) -> int:
        """Remove what is expired."""
        expired = [key for key, row in self.rows.items() if not row.is_live(now)]
        before = self.revision
        for key in expired:
            del self.rows[key]
            self.updated_at = max(now, self.updated_at)
            self._note("expire", key, self.updated_at)
        self._trim(before)
        return len(expired)

    def _trim(self, before: int) -> None:
        """Shorten the log if there is a round number among the revisions after one."""
        most = self.options.max_changes
        for revision in range(before + 1, self.revision + 1):
            if revision % (most // 10 + 10) == 0:
                self._remove_lines([line.revision for line in self.log if line.revision <= revision - most])

    def trim(self, at: Timestamp) -> int:
        """Remove lines from before a time."""
        old = [line.revision for line in self.log if line.at < at]
        self._remove_lines(old)
        return len(old)

    def _remove_lines(self, revisions: Sequence[int]) -> None:
        self.log = [line for line in self.log if line.revision not in revisions]
        self.trimmed = max(self.trimmed, *revisions, 0)

    def was(self, key: str, revision: int, at: Timestamp | None = None) -> Row | None:
        """Return what the key had right after a revision, or at a later time, whether or not that is known anywhere."""
        if revision not in self.seen:
            return None
        when, rows = self.seen[revision]
        row = rows.get(key)
        return row if row is not None and row.is_live(when if at is None else at) else None

    def has_logged(self, key: str, row: Row) -> bool:
        """Tell whether the log still has a value, provided that it keeps values at all."""
        gone = max(self.trimmed, self.purged.get(key, 0), self.purged.get(None, 0))
        return row.revision > gone

    def _note(self, kind: str, key: str | None, at: Timestamp, size: int = 0, writer: Writer | None = None) -> None:
        self.revision += 1
        self.log.append(Line(self.revision, kind, key, at, size, writer))
        self.seen[self.revision] = at, dict(self.rows)

    def _do(self, operation: Operation, now: Timestamp, writer: Writer | None) -> Result:
        if isinstance(operation, CheckScope):
            seen = self.revision if self.log else 0
            return Result("unchanged" if operation.condition.holds(seen) else "failed", seen)
        if isinstance(operation, Clear):
            if operation.purge:
                self.purged[None] = self.revision
            if not self.live(now) and not (operation.purge and self.rows):
                return Result("unchanged", 0)
            self.rows.clear()
            self._note("clear", None, now, writer=writer)
            return Result("changed", 0)
        key = operation.key
        found = self.live(now).get(key)
        wanted = operation.condition
        if wanted is not None:
            holds = wanted.exists in (None, found is not None)
            if wanted.revisions is not None:
                holds = holds and found is not None and found.revision in wanted.revisions
            if not holds:
                return Result("failed", found.revision if found else 0)
        if isinstance(operation, (Check, Get)):
            entry = found.entry(key) if found and isinstance(operation, Get) else None
            return Result("unchanged", found.revision if found else 0, entry=entry)
        if found is None and key in self.rows:
            del self.rows[key]
            self._note("expire", key, now)
        if isinstance(operation, Delete):
            if operation.purge:
                self.purged[key] = self.revision
            if found is None:
                return Result("unchanged", 0)
            del self.rows[key]
            self._note("delete", key, now, writer=writer)
            return Result("changed", 0)
        if isinstance(operation, Set):
            return self._set(operation, found, now, writer)
        return self._update(operation, found, now, writer)

    def _update(
        self, operation: Merge | Increment | Maximum | Minimum, found: Row | None, now: Timestamp, writer: Writer | None
    ) -> Result:
        key, revision = operation.key, found.revision if found else 0
        value = updated(operation, json.loads(found.value) if found else None)
        if isinstance(value, Refused):
            return Result("failed", revision, value.reason)
        if value is STAYS:
            return Result("unchanged", revision, entry=found.entry(key) if found else None)
        text = json.dumps(value)
        if operation.max_bytes is not None and len(text) > operation.max_bytes:
            reason = f"value exceeds {operation.max_bytes} bytes; its stored form has {len(text)} bytes"
            return Result("failed", revision, reason, length=len(text))
        kept = found.expires_at if found else operation.expires_at_if_new
        expires_at = kept if operation.expires_at == KEEP else operation.expires_at
        result = self._set(Set(key, text, expires_at), found, now, writer)
        return Result("changed", result.revision, entry=self.rows[key].entry(key))

    def _set(self, operation: Set, found: Row | None, now: Timestamp, writer: Writer | None) -> Result:
        expires_at = operation.expires_at
        if expires_at == KEEP:
            expires_at = found.expires_at if found else None
        self.rows[operation.key] = Row(operation.value, expires_at, self.revision + 1, now, writer)
        size = sum(len(row.value) for row in self.rows.values())
        grows = found is None or len(operation.value) > len(found.value)
        if grows and (len(self.rows) > self.options.max_entries or size > self.options.max_bytes):
            raise FullError
        self._note("set", operation.key, now, len(operation.value), writer)
        return Result("changed", self.revision)


def without_order_of_expiries(log: Sequence[Line]) -> list[Line]:
    """Return the log with the keys of expiries that follow each other sorted: their order is nobody's promise."""
    sorted_log: list[Line] = []
    start = 0
    for index, line in enumerate([*log, None]):
        if line is not None and line.kind == "expire":
            continue
        run = log[start:index]
        keys = sorted(str(expiry.key) for expiry in run)
        sorted_log += [replace(expiry, key=key) for expiry, key in zip(run, keys, strict=True)]
        if line is not None:
            sorted_log.append(line)
        start = index + 1
    return sorted_log
