"""What an update should make of a value, written as plainly as possible; times are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from statemount.json_values import load_json
from statemount.model import JsonValue
from statemount.operations import Increment, Maximum, Merge, Minimum

STAYS: Final = object()
"""As a result: nothing changes."""


@dataclass(frozen=True)
class Refused:
    """As a result: why the update cannot be done."""

    reason: str


def updated(operation: Merge | Increment | Maximum | Minimum, value: JsonValue) -> JsonValue:
    """Return the new value, :data:`STAYS` or a :class:`Refused`.

    Args:
        value: The old one; None = the key is absent.
    """
    if isinstance(operation, Merge):
        result = merged(value, load_json(operation.patch))
        return Refused("value cannot be null") if result is None else result
    if isinstance(operation, Increment):
        if value is None:
            return operation.by
        return value + operation.by if _is_number(value) else Refused("the stored value is no number")
    if value is None:
        return operation.value
    if not _is_number(value):
        why = ": no ISO 8601 date and time with an offset" if isinstance(value, str) else ""
        return Refused(f"the stored value is no number and no time{why}")
    best = (max if isinstance(operation, Maximum) else min)(value, operation.value)
    return STAYS if best == value else best


def merged(target: JsonValue, patch: JsonValue) -> JsonValue:
    """Do what the pseudocode of RFC 7396 says, with copies."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result = {other: kept for other, kept in result.items() if other != name}
        else:
            result[name] = merged(result.get(name), value)
    return result


def _is_number(value: JsonValue) -> bool:
    return type(value) in (int, float)
