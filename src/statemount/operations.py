"""What a write asks for, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, Union

from statemount.model import Timestamp

KEEP: Literal["keep"] = "keep"
"""As ``expires_at`` of a :class:`Set`: the entry keeps the one that it has; a new entry never expires."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold for an operation to go ahead. An expired entry counts as absent.

    Args:
        exists: The entry is there (True), is not there (False), or either (None).
        revisions: The entry is there with one of these revisions; None = any.
    """

    exists: bool | None = None
    revisions: frozenset[int] | None = None


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
    """Remove one key. A key that is not there is no change."""

    key: str
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Clear:
    """Remove every key of the scope. One change; none if there was no live entry."""


Operation: TypeAlias = Union[Set, Delete, Clear]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one operation.

    Args:
        status: ``changed``, ``unchanged`` (nothing was there to remove) or ``failed`` (its condition).
        revision: Of the entry, as it is now (for ``failed``: as it is, unchanged); 0 = there is none.
    """

    status: Literal["changed", "unchanged", "failed"]
    revision: int


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
        """Whether every condition held. If not, nothing was changed."""
        return all(result.status != "failed" for result in self.results)
