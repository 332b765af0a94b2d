"""Batches: operations on one scope, all of them or none, and what came of each. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias, Union

from typing_extensions import Self

from statemount.client.values import BatchOutcome
from statemount.model import JsonValue

Expiry: TypeAlias = Union[datetime, Literal["default"], None]
"""From when on an entry is gone; None = never, ``default`` = as where nothing is said."""

KeptExpiry: TypeAlias = Union[datetime, Literal["default", "keep"], None]
"""As :data:`Expiry`, or ``keep``: as it is; of a new entry, as where nothing is said."""

Bound: TypeAlias = Union[int, float, datetime, str]
"""What can be greater or smaller: a finite number, or a time with an offset, as a ``datetime`` or in ISO 8601."""


class Operations:
    """Operations on one scope, in order: each sees what those before it did. Every method returns the object itself.

    On each of them a condition may stand. If one does not hold, nothing is changed.

    - ``if_revision``: The entry has this revision at that point; 0 = there is no such entry.
    - ``exists``: There is such an entry at that point, or there is none.

    ``expires_at`` is for task instances alone. Where nothing is said, a new entry stays for ever if a worker writes it,
    and for the server's retention if somebody else does.
    """

    def __init__(self) -> None:
        self._documents: list[dict[str, Any]] = []
        self._is_repeatable = True

    def __len__(self) -> int:
        return len(self._documents)

    def get(self, key: str, *, if_revision: int | None = None, exists: bool | None = None) -> Self:
        """Read a key; one that is not there is no failure."""
        return self._add("get", key, if_revision, exists)

    def set(
        self,
        key: str,
        value: JsonValue,
        *,
        expires_at: Expiry = "default",
        if_revision: int | None = None,
        exists: bool | None = None,
    ) -> Self:
        """Create or overwrite a key, its expiry included."""
        given = {} if expires_at == "default" else {"expires_at": _time(expires_at)}
        return self._add("set", key, if_revision, exists, value=value, **given)

    def delete(self, key: str, *, if_revision: int | None = None, exists: bool | None = None) -> Self:
        """Remove a key; a no-op if it is missing."""
        return self._add("delete", key, if_revision, exists)

    def check(self, key: str, *, if_revision: int | None = None, exists: bool | None = None) -> Self:
        """Only look whether a condition holds."""
        return self._add("check", key, if_revision, exists)

    def merge(
        self,
        key: str,
        patch: JsonValue,
        *,
        expires_at: KeptExpiry = "keep",
        if_revision: int | None = None,
        exists: bool | None = None,
    ) -> Self:
        """Change a value by a merge patch (RFC 7396): what is null in it is removed.

        A key that is not there is patched as an empty object.
        """
        return self._update("merge", key, expires_at, if_revision, exists, value=patch)

    def increment(
        self,
        key: str,
        by: int | float = 1,
        *,
        expires_at: KeptExpiry = "keep",
        if_revision: int | None = None,
        exists: bool | None = None,
    ) -> Self:
        """Add to a number; a key that is not there counts as 0.

        Such a batch is not repeated once it may have been done.
        """
        return self._update("increment", key, expires_at, if_revision, exists, by=by)

    def maximum(
        self,
        key: str,
        value: Bound,
        *,
        expires_at: KeptExpiry = "keep",
        if_revision: int | None = None,
        exists: bool | None = None,
    ) -> Self:
        """Write a value unless one as great is there."""
        return self._update("max", key, expires_at, if_revision, exists, value=_bound(value))

    def minimum(
        self,
        key: str,
        value: Bound,
        *,
        expires_at: KeptExpiry = "keep",
        if_revision: int | None = None,
        exists: bool | None = None,
    ) -> Self:
        """Write a value unless one as small is there."""
        return self._update("min", key, expires_at, if_revision, exists, value=_bound(value))

    def add(self, document: Mapping[str, Any]) -> Self:
        """Add an operation as it is sent: one that comes from elsewhere."""
        self._is_repeatable = self._is_repeatable and not (
            document.get("op") == "increment" or "if_revision" in document or "exists" in document
        )
        self._documents.append(dict(document))
        return self

    @property
    def is_repeatable(self) -> bool:
        """Whether to do all of it once more leaves the same."""
        return self._is_repeatable

    @property
    def document(self) -> dict[str, Any]:
        """What is sent."""
        return {"operations": self._documents}

    def _update(
        self, op: str, key: str, expires_at: KeptExpiry, if_revision: int | None, exists: bool | None, **fields: Any
    ) -> Self:
        given = {} if expires_at == "keep" else {"expires_at": _time(expires_at)}
        return self._add(op, key, if_revision, exists, **fields, **given)

    def _add(self, op: str, key: str, if_revision: int | None, exists: bool | None, **fields: Any) -> Self:
        document = {"op": op, "key": key, **fields}
        if if_revision is not None:
            document["if_revision"] = if_revision
        if exists is not None:
            document["exists"] = exists
        return self.add(document)


def _time(expires_at: Expiry | KeptExpiry) -> str | None:
    return expires_at.isoformat() if isinstance(expires_at, datetime) else expires_at


def _bound(value: Bound) -> int | float | str:
    return value.isoformat() if isinstance(value, datetime) else value


def value_of(outcome: BatchOutcome) -> JsonValue:
    """Return what the only operation of a batch has left."""
    return outcome.results[0].value
