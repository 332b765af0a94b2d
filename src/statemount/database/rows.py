"""The rows of the tables, as the statements read and write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from statemount.model import Timestamp


class NewScope(NamedTuple):
    """A row of the scope table that is to be made if it is missing."""

    kind: str
    dag_id: str | None
    run_id: str | None
    task_id: str | None
    map_index: int | None
    asset_id: int | None
    digest: bytes
    run_digest: bytes | None
    task_digest: bytes | None
    revision: int
    updated_at: Timestamp


class ScopeRow(NamedTuple):
    """The counters of a scope, as they are locked and written."""

    id: int
    revision: int
    updated_at: Timestamp
    entries: int
    size: int


class EntryRow(NamedTuple):
    """A row of the entry table."""

    scope_id: int
    key: bytes
    value: str
    updated_at: Timestamp
    revision: int
    expires_at: Timestamp | None
    writer: str | None


class Part(NamedTuple):
    """Which of a scope's entries a list is to have.

    Args:
        prefix: Of the keys that are counted.
        after: The list begins behind this key; None = at the first one.
        keys_only: Without the values.
    """

    limit: int
    offset: int = 0
    prefix: bytes = b""
    after: bytes | None = None
    keys_only: bool = False

    @property
    def is_ranged(self) -> bool:
        """Whether it is not of all keys."""
        return self.after is not None or bool(self.prefix)

    @property
    def first(self) -> bytes:
        """The least key that may be in it: a key and a zero byte is the least that is greater than the key."""
        return self.prefix if self.after is None else max(self.prefix, self.after + b"\0")

    @property
    def end(self) -> bytes:
        """The least text that is greater than every key with the prefix; UTF-8 has no byte that cannot grow."""
        return self.prefix[:-1] + bytes([self.prefix[-1] + 1]) if self.prefix else b"\xff"


class EntryColumns(NamedTuple):
    """Part of a list, one column of the entries after the other; those that nobody wants are empty.

    Args:
        total: How many live entries have the prefix.
        revision: The scope's.
    """

    total: int
    revision: int
    keys: Sequence[str] = ()
    values: Sequence[str] = ()
    updated_at: Sequence[Timestamp] = ()
    revisions: Sequence[int] = ()
    expires_at: Sequence[Timestamp | None] = ()
    writers: Sequence[str | None] = ()


class ChangeRow(NamedTuple):
    """A row of the change table."""

    scope_id: int
    revision: int
    kind: str
    key: bytes | None
    changed_at: Timestamp
    writer: str | None
    size: int
    value: str | None
    expires_at: Timestamp | None


@dataclass(slots=True)
class WriteSet:
    """Everything that one transaction writes, clears first. Its lines of the log are none of those that are purged.

    Args:
        purges: Scope and key whose values go from the log; no key = all of the scope's.
    """

    clears: list[int] = field(default_factory=list)
    deletes: list[tuple[int, bytes]] = field(default_factory=list)
    upserts: list[EntryRow] = field(default_factory=list)
    purges: list[tuple[int, bytes | None]] = field(default_factory=list)
    changes: list[ChangeRow] = field(default_factory=list)
    scopes: list[ScopeRow] = field(default_factory=list)
