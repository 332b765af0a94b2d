"""The values that everything else speaks of: scopes, entries, writers, changes. Frozen and typed.

Times are integers: microseconds since the epoch, UTC. :func:`to_datetime` and :func:`from_datetime` convert.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, NamedTuple, TypeAlias, Union, get_args
from uuid import UUID

Timestamp: TypeAlias = int
"""Microseconds since the epoch, UTC."""

JsonValue: TypeAlias = Any
"""What :func:`json.loads` can return."""

NOT_MAPPED = -1
"""The map index of a task that is not mapped."""

MAX_KEY_LENGTH = 512
"""Longest key, in characters."""

MAX_ID_LENGTH = 250
"""Longest dag, run or task id, in characters."""

MAX_ASSET_NAME_LENGTH = 1500
"""Longest asset name or URI, in characters."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


def to_datetime(timestamp: Timestamp) -> datetime:
    """Return the aware UTC datetime of a timestamp.

    Raises:
        OverflowError: The timestamp is outside the years 1 to 9999.
    """
    return _EPOCH + timedelta(microseconds=timestamp)


def from_datetime(moment: datetime) -> Timestamp:
    """Return the timestamp of an aware datetime, to the microsecond.

    Raises:
        ValueError: The datetime is naive.
    """
    if moment.utcoffset() is None:
        raise ValueError("a datetime without a time zone has no place on the time line")
    return (moment - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class TaskScope:
    """The state of one task instance; ``map_index`` -1 = not mapped."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = NOT_MAPPED


@dataclass(frozen=True, slots=True)
class MappedTask:
    """Every map index of one task in one run, the unmapped one (-1) included."""

    dag_id: str
    run_id: str
    task_id: str


@dataclass(frozen=True, slots=True)
class Run:
    """Every task instance of one run of a dag."""

    dag_id: str
    run_id: str


@dataclass(frozen=True, slots=True)
class AssetScope:
    """The state of one asset. The server knows it by id, a worker by name or URI.

    Raises:
        ValueError: None of the three is given.
    """

    asset_id: int | None = None
    name: str | None = None
    uri: str | None = None

    def __post_init__(self) -> None:
        if self.asset_id is None and self.name is None and self.uri is None:
            raise ValueError("AssetScope requires at least one of: asset_id, name, uri")


Scope = Union[TaskScope, AssetScope]


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset as the directory knows it. An inactive one keeps its state, out of reach of workers."""

    asset_id: int
    name: str
    uri: str
    group: str = "asset"
    active: bool = True


Access = Literal["inlet", "outlet"]
"""How a task instance is registered with an asset."""

WriterKind = Literal["task", "watcher", "api"]


class Writer(NamedTuple):
    """Who wrote: a task instance, a watcher (a trigger without a task instance) or somebody over the public API.

    Args:
        kind: ``task`` (the ids are set), ``watcher`` or ``api``.
        subject: Who called, for ``api`` and ``watcher``: the token's subject. It is shown in the history only.
    """

    kind: WriterKind
    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None
    subject: str | None = None

    @classmethod
    def of_task(cls, scope: TaskScope) -> Writer:
        """Return the writer for a task instance's own token."""
        return cls("task", scope.dag_id, scope.run_id, scope.task_id, scope.map_index)


class Entry(NamedTuple):
    """One key of a scope.

    Args:
        value: The JSON text as stored: what ``json.dumps`` writes by default.
        updated_at: When it was last written.
        revision: The scope's revision at that write; the entry's ETag.
        expires_at: From when on it is gone; None = never.
        writer: Who wrote it; None for a row that came from elsewhere.
    """

    key: str
    value: str
    updated_at: Timestamp
    revision: int
    expires_at: Timestamp | None = None
    writer: Writer | None = None

    @property
    def size(self) -> int:
        """Bytes of the stored text."""
        return len(self.value)

    def load(self) -> JsonValue:
        """Return the value decoded.

        Raises:
            ValueError: The stored text is no JSON: a row that somebody else wrote.
        """
        return json.loads(self.value)


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a scope's live entries, by key in byte order, read at one moment.

    Args:
        total: How many live entries the scope has; of a list by prefix, how many with such keys.
        revision: The scope's revision at that moment; 0 for a scope that was never written.
    """

    entries: tuple[Entry, ...]
    total: int
    revision: int


EntryColumn = Literal["values", "updated_at", "revisions", "expires_at", "writers"]
"""What a list may be asked for besides the keys."""

ALL_COLUMNS: frozenset[EntryColumn] = frozenset(get_args(EntryColumn))
"""Everything that an entry has."""


class Columns(NamedTuple):
    """What a :class:`Page` is, one column of its entries after the other: less work than an object for each of them.

    The columns that were asked for are as long as ``keys``; the others are empty.

    Args:
        total: As of :class:`Page`.
        revision: Of the scope, likewise.
    """

    total: int
    revision: int
    keys: Sequence[str] = ()
    values: Sequence[str] = ()
    updated_at: Sequence[Timestamp] = ()
    revisions: Sequence[int] = ()
    expires_at: Sequence[Timestamp | None] = ()
    writers: Sequence[Writer | None] = ()

    @classmethod
    def of_page(cls, page: Page, columns: Collection[EntryColumn] = ALL_COLUMNS) -> Columns:
        """Return columns of a page."""
        rows = page.entries
        return cls(
            page.total,
            page.revision,
            [entry.key for entry in rows],
            [entry.value for entry in rows] if "values" in columns else (),
            [entry.updated_at for entry in rows] if "updated_at" in columns else (),
            [entry.revision for entry in rows] if "revisions" in columns else (),
            [entry.expires_at for entry in rows] if "expires_at" in columns else (),
            [entry.writer for entry in rows] if "writers" in columns else (),
        )

    def page(self) -> Page:
        """Return the page. Every column must be there; without the values they are empty texts."""
        values = self.values or [""] * len(self.keys)
        entries = map(Entry, self.keys, values, self.updated_at, self.revisions, self.expires_at, self.writers)
        return Page(tuple(entries), self.total, self.revision)

    def part(self, begin: int, end: int) -> Columns:
        """Return some of the entries, with the same total."""
        return Columns(
            self.total,
            self.revision,
            self.keys[begin:end],
            self.values[begin:end],
            self.updated_at[begin:end],
            self.revisions[begin:end],
            self.expires_at[begin:end],
            self.writers[begin:end],
        )


ChangeKind = Literal["set", "delete", "clear", "expire"]


class Change(NamedTuple):
    """One line of a scope's log.

    Args:
        key: The key; None for ``clear``, which concerns them all.
        at: When it happened.
        size: Bytes of the stored text that was written; 0 for the other kinds.
        value: The text that was written, if the log keeps it.
    """

    revision: int
    kind: ChangeKind
    key: str | None
    at: Timestamp
    writer: Writer | None = None
    size: int = 0
    value: str | None = None
    expires_at: Timestamp | None = None


class LogTail(NamedTuple):
    """What a scope's log has after some revision, as one moment shows it.

    Args:
        revision: The scope's at that moment; 0 for a scope that was never written, or was dropped.
        changes: The lines after that revision, oldest first; perhaps not all of them.
        is_whole: Whether nothing is missing before them: the log reaches back that far, and the scope is the same one.
    """

    revision: int
    changes: tuple[Change, ...] = ()
    is_whole: bool = True

    @classmethod
    def after(cls, after: int, revision: int, changes: Sequence[Change], *, is_trimmed: bool = False) -> LogTail:
        """Return the tail after a revision. A scope's revisions are consecutive, so that a gap is seen.

        Args:
            after: The revision that it is after; 0 = from the very first change, whatever its revision is.
            is_trimmed: Whether the very first change is gone.
        """
        if after == 0:
            is_whole = not is_trimmed
        elif changes:
            is_whole = changes[0].revision == after + 1
        else:
            is_whole = revision == after
        return cls(revision, tuple(changes), is_whole)


@dataclass(frozen=True, slots=True)
class History:
    """Part of a scope's log, newest first, read at one moment.

    Args:
        revision: The scope's revision at that moment; 0 for a scope that was never written.
        complete: Nothing was ever removed from the log because it was old, or one line too many.
    """

    changes: tuple[Change, ...]
    revision: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Past:
    """An entry as it was.

    Args:
        entry: As it was; None = there was none, or it is not known.
        is_known: Whether it is known how it was: the log reaches back that far, and its value was kept.
        revision: The scope's revision now; 0 for a scope that was never written.
    """

    entry: Entry | None
    is_known: bool
    revision: int


@dataclass(frozen=True, slots=True)
class TaskInstance:
    """A task instance as a host registers it.

    Args:
        id: Its UUID; a retry has a new one.
        inlets: Ids of the assets that it reads.
        outlets: Ids of the assets that it writes.
    """

    id: UUID
    scope: TaskScope
    try_number: int = 1
    inlets: frozenset[int] = frozenset()
    outlets: frozenset[int] = frozenset()
