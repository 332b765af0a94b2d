"""What a write asks for, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal, TypeAlias, Union

from statemount.json_times import moment_of
from statemount.model import Entry, Timestamp

KEEP: Literal["keep"] = "keep"
"""As ``expires_at`` of a :class:`Set`: the entry keeps the one that it has; a new entry never expires."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold for an operation to go ahead. An expired entry counts as absent.

    Args:
        exists: The entry is there (True), is not there (False), or either (None).
        revisions: The entry is there with one of these revisions; None = any.
        excluded: The entry is not there, or with none of these revisions.
    """

    exists: bool | None = None
    revisions: frozenset[int] | None = None
    excluded: frozenset[int] = frozenset()

    def holds(self, revision: int | None) -> bool:
        """Tell whether it holds.

        Args:
            revision: Of what it is about; None = that is not there.
        """
        if self.exists is not None and self.exists != (revision is not None):
            return False
        return revision not in self.excluded and (self.revisions is None or revision in self.revisions)


@dataclass(frozen=True, slots=True)
class Set:
    """Write one key.

    Args:
        value: The JSON text to store.
    """

    key: str
    value: str
    expires_at: Timestamp | None | Literal["keep"] = None
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove one key. A key that is not there is no change.

    Args:
        purge: Remove the key's values from the log too, of all that happened so far, whether or not the key is there.
    """

    key: str
    condition: Condition | None = None
    purge: bool = False


@dataclass(frozen=True, slots=True)
class Clear:
    """Remove every key of the scope. One change; none if there was no live entry.

    Args:
        condition: On the scope's revision: 0 for a scope that was never written, which is there all the same.
        purge: Remove all values from the log too, of all that happened so far. Entries that are expired, and not yet
            swept, are removed then even if none is live, as one change.
    """

    condition: Condition | None = None
    purge: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """Only look whether a condition holds."""

    key: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class CheckScope:
    """Only look whether a condition on the scope's revision holds, as for a :class:`Clear`."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Get:
    """Read one key as the operations before it leave it. A key that is not there is no failure."""

    key: str
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """What makes a value of the one that is there: a base, never used by itself. A null is never the result.

    Args:
        expires_at: As of a :class:`Set`. What changes nothing changes no expiry.
        expires_at_if_new: Instead, where ``expires_at`` is :data:`KEEP` and the key was absent; None = never.
        max_bytes: Longest text that may come of it; longer is a failure. None = any.
    """

    key: str
    expires_at: Timestamp | None | Literal["keep"] = field(default=KEEP, kw_only=True)
    expires_at_if_new: Timestamp | None = field(default=None, kw_only=True)
    condition: Condition | None = field(default=None, kw_only=True)
    max_bytes: int | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Merge(Update):
    """Apply a JSON merge patch (RFC 7396). An absent key is patched as an empty object.

    Args:
        patch: The patch's JSON text. One that is no object replaces the value.
    """

    patch: str


@dataclass(frozen=True, slots=True)
class Increment(Update):
    """Add to a number. An absent key counts as 0; of two integers an integer comes, of any other two a float.

    Args:
        by: A finite number.

    Raises:
        ValueError: It is none.
    """

    by: int | float = 1

    def __post_init__(self) -> None:
        _check_number(self.by)


@dataclass(frozen=True, slots=True)
class _Bound(Update):
    value: int | float | str

    def __post_init__(self) -> None:
        if isinstance(self.value, str):
            moment_of(self.value)
        else:
            _check_number(self.value)


@dataclass(frozen=True, slots=True)
class Maximum(_Bound):
    """Write a value unless one as great is there: a watermark that never goes back. An absent key is set.

    Args:
        value: A finite number, or an ISO 8601 time with an offset, as text. A number and a time do not compare.

    Raises:
        ValueError: It is neither.
    """


@dataclass(frozen=True, slots=True)
class Minimum(_Bound):
    """As :class:`Maximum`, unless one as small is there."""


def _check_number(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("no number")
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("no finite number")


Operation: TypeAlias = Union[Set, Delete, Clear, Check, CheckScope, Get, Merge, Increment, Maximum, Minimum]

OF_SCOPE = (Clear, CheckScope)
"""Operations that concern the whole scope, and have no key."""

NAMES: Mapping[type[Operation], str] = {
    Set: "set",
    Delete: "delete",
    Clear: "clear",
    Check: "check",
    CheckScope: "check_scope",
    Get: "get",
    Merge: "merge",
    Increment: "increment",
    Maximum: "max",
    Minimum: "min",
}
"""What each is called where it is told of."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one operation.

    Args:
        status: ``changed``, ``unchanged`` (nothing was there to remove, the value is as great already, or it only
            looks) or ``failed``.
        revision: Of the entry, as it is now (for ``failed``: as it is, unchanged); 0 = there is none. For a ``Clear``
            that has ``failed``, and for a ``CheckScope``: of the scope.
        reason: Why it failed although its condition held; None = its condition did not, or it did not fail.
        length: Of the text that would have come of it, where it failed because that is too long.
        entry: Of a :class:`Get` and of every :class:`Update` that did not fail: the entry as it is then, if any.
    """

    status: Literal["changed", "unchanged", "failed"]
    revision: int
    reason: str | None = None
    entry: Entry | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of all operations of one call.

    Args:
        results: One for each operation, in order; up to and including the first ``failed`` one.
        revision: The scope's revision afterwards; 0 for a scope that was never written.
    """

    results: tuple[Result, ...]
    revision: int

    @property
    def applied(self) -> bool:
        """Whether no operation failed. If one did, nothing was changed."""
        return all(result.status != "failed" for result in self.results)
