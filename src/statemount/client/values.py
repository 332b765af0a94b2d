"""What the client gives and takes beside JSON values: entries, lists, registrations. Frozen and typed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, Union
from uuid import UUID

from statemount.model import Asset, AssetScope, JsonValue, TaskScope, Writer

AssetReference: TypeAlias = Union[int, str, Asset, AssetScope]
"""An asset: its id, its name or URI (a name comes first), or an object that names it."""


@dataclass(frozen=True, slots=True)
class StateEntry:
    """One key of a task instance or an asset, as the public API shows it.

    Args:
        value: Decoded. None where keys alone were asked for, or the stored text is no JSON, which somebody else must
            have written.
        updated_at: When it was last written; aware, UTC.
        expires_at: From when on it is gone; None = never. Assets' entries do not expire.
        last_updated_by: Who wrote an asset's entry; None for a task's, and where the contract does not tell.
        revision: Which grows with every change of its scope, and never repeats; None where the server has none.
    """

    key: str
    value: JsonValue
    updated_at: datetime
    expires_at: datetime | None = None
    last_updated_by: Writer | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class StateValue:
    """A value as workers get it, with its revision.

    Args:
        revision: Which grows with every change of its scope, and never repeats; 0 = there is no such entry.
    """

    value: JsonValue
    revision: int


@dataclass(frozen=True, slots=True)
class StatePage:
    """Part of a list of entries, by key in byte order.

    Args:
        total: How many entries there are in all that begin with the prefix.
        revision: Of the scope as it was then, which ``clear`` takes as ``if_revision``; None where the server has none.
        cursor: Where the next part begins; None = this is the last one.
    """

    entries: tuple[StateEntry, ...]
    total: int
    revision: int | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class OperationResult:
    """What came of one operation of a batch.

    Args:
        op: Its name over HTTP, such as ``set``, ``max`` or ``check``.
        status: ``unchanged`` also where it only looks, and where the value is as great or as small already.
        revision: Of the entry afterwards; None = there is none.
        value: Of a ``get``, and what an update has left; None = there is none, or the caller may not read it.
        expires_at: Of that; None = never.
    """

    op: str
    key: str
    status: Literal["changed", "unchanged"]
    revision: int | None
    value: JsonValue = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What came of a batch, all of which was done.

    Args:
        revision: Of the scope afterwards.
        results: One for each operation, in order.
    """

    revision: int
    results: tuple[OperationResult, ...]


@dataclass(frozen=True, slots=True)
class StateChange:
    """One line of the history of a scope.

    Args:
        operation: What was done.
        key: None for ``clear``, which concerns all of them.
        writer: Who did it; None for nobody, as for ``expire``.
        size: Of the value that was set, in bytes as it is stored; 0 for the others.
        expires_at: Of what was set; None = never.
        has_value: Whether the history has kept the value.
    """

    revision: int
    operation: Literal["set", "delete", "clear", "expire"]
    key: str | None
    at: datetime
    writer: Writer | None
    size: int
    expires_at: datetime | None
    has_value: bool
    value: JsonValue


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Part of a history, newest first.

    Args:
        revision: Of the scope as it is now.
        is_complete: Whether nothing older was ever removed.
        before: The revision before which the next part begins; None = this is the last one.
    """

    changes: tuple[StateChange, ...]
    revision: int
    is_complete: bool
    before: int | None


@dataclass(frozen=True, slots=True)
class AssetPage:
    """Part of the list of assets, by id, inactive ones included.

    Args:
        total: How many assets there are in all.
    """

    assets: tuple[Asset, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Registration:
    """A task instance to be registered, with assets by id, name or URI. A ``TaskInstance`` does where ids are known.

    Args:
        id: Its UUID; a retry has a new one.
        inlets: The assets that it reads.
        outlets: The assets that it writes.
    """

    id: UUID
    scope: TaskScope
    try_number: int = 1
    inlets: Collection[AssetReference] = ()
    outlets: Collection[AssetReference] = ()
