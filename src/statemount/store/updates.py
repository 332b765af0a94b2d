"""What an update makes of a value: one stored text in, another one out."""

from __future__ import annotations

from math import isfinite
from typing import Any

from statemount.json_times import moment_of
from statemount.json_values import load_json, stored_text
from statemount.model import JsonValue
from statemount.operations import Increment, Maximum, Merge, Minimum


class UpdateError(Exception):
    """The value that is there, and the update, do not go together; ``str(error)`` says why.

    Args:
        length: Of the text that would come of them, where it is too long.
    """

    def __init__(self, reason: str, *, length: int | None = None) -> None:
        super().__init__(reason)
        self.length = length


def updated(operation: Merge | Increment | Maximum | Minimum, stored: str | None) -> str | None:
    """Return the text that a key is to hold; None = what it holds stays.

    Args:
        stored: The text that it holds; None = it is absent.

    Raises:
        UpdateError: Nothing that may be stored comes of it.
    """
    try:
        text = _text(operation, stored)
    except ValueError as error:
        raise UpdateError(str(error)) from error
    if text is not None and operation.max_bytes is not None and len(text) > operation.max_bytes:
        reason = f"value exceeds {operation.max_bytes} bytes; its stored form has {len(text)} bytes"
        raise UpdateError(reason, length=len(text))
    return text


def merge_patch(target: JsonValue, patch: JsonValue) -> JsonValue:
    """Return what a merge patch makes of a value (RFC 7396, section 2). Objects of the target are changed in place."""
    if not isinstance(patch, dict):
        return patch
    result = target if isinstance(target, dict) else {}
    pending = [(result, patch)]
    while pending:
        into, changes = pending.pop()
        for name, change in changes.items():
            if change is None:
                into.pop(name, None)
            elif isinstance(change, dict):
                found = into.get(name)
                into[name] = found if isinstance(found, dict) else {}
                pending.append((into[name], change))
            else:
                into[name] = change
    return result


def _text(operation: Merge | Increment | Maximum | Minimum, stored: str | None) -> str | None:
    value = None if stored is None else _load(stored, "the stored value")
    if isinstance(operation, Merge):
        return stored_text(merge_patch(value, _load(operation.patch, "the patch")))
    if isinstance(operation, Increment):
        return stored_text(_sum(0 if stored is None else value, operation.by))
    if stored is not None:
        kind, before = _comparable(value)
        other, after = _comparable(operation.value)
        if kind != other:
            raise UpdateError(f"the stored value is {kind}, which does not compare with {other}")
        if not (after > before if isinstance(operation, Maximum) else after < before):
            return None
    return stored_text(operation.value)


def _load(text: str, what: str) -> JsonValue:
    try:
        return load_json(text)
    except ValueError as error:
        raise UpdateError(f"{what} cannot be read: {error}") from error


def _sum(before: JsonValue, by: int | float) -> int | float:
    if not _is_number(before):
        raise UpdateError("the stored value is no number")
    try:
        return before + by  # type: ignore[no-any-return]
    except OverflowError as error:
        raise UpdateError("the sum is too large for a float") from error


def _comparable(value: JsonValue) -> tuple[str, Any]:
    """Return what kind of thing a value is, and what can be compared within the kind."""
    if _is_number(value):
        return "a number", value
    if isinstance(value, str):
        try:
            return "a time", moment_of(value)
        except ValueError as error:
            raise UpdateError(f"the stored value is no number and no time: {error}") from error
    raise UpdateError("the stored value is no number and no time")


def _is_number(value: JsonValue) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)
