"""What every registry asks of a registration, and what it reads from one."""

from __future__ import annotations

from typing import Any, TypeGuard

from statemount.errors import InvalidInputError, Problem
from statemount.model import MAX_ASSET_NAME_LENGTH, MAX_ID_LENGTH, NOT_MAPPED, Access, TaskInstance, TaskScope

_MAX_MAP_INDEX = 2**63 - 1
_NONE: frozenset[Access] = frozenset()
_INLET: frozenset[Access] = frozenset({"inlet"})
_OUTLET: frozenset[Access] = frozenset({"outlet"})
BOTH: frozenset[Access] = _INLET | _OUTLET
"""An asset that a task instance both reads and writes."""


def is_acceptable(text: Any, *, max_length: int) -> TypeGuard[str]:
    """Tell whether a text can identify something: 1 to ``max_length`` characters, UTF-8, no NUL."""
    if not isinstance(text, str) or not 0 < len(text) <= max_length or "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_map_index(value: Any) -> TypeGuard[int]:
    """Tell whether a value is a map index: an integer of 64 bits, -1 or above."""
    return isinstance(value, int) and not isinstance(value, bool) and NOT_MAPPED <= value <= _MAX_MAP_INDEX


def check_task_scope(scope: TaskScope) -> None:
    """Refuse a scope that no registry can hold.

    Raises:
        InvalidInputError: An id or the map index is not acceptable.
    """
    ids = {"dag_id": scope.dag_id, "run_id": scope.run_id, "task_id": scope.task_id}
    problems = [
        _problem(name, MAX_ID_LENGTH) for name, text in ids.items() if not is_acceptable(text, max_length=MAX_ID_LENGTH)
    ]
    if not is_map_index(scope.map_index):
        problems.append(Problem("value_error", ("body", "map_index"), "map_index must be an integer of -1 or above"))
    if problems:
        raise InvalidInputError(problems)


def check_asset(*, name: str, uri: str, group: str) -> None:
    """Refuse an asset that no registry can hold.

    Raises:
        InvalidInputError: The name, the URI or the group is not acceptable.
    """
    texts = {"name": name, "uri": uri, "group": group}
    limit = MAX_ASSET_NAME_LENGTH
    problems = [_problem(field, limit) for field, text in texts.items() if not is_acceptable(text, max_length=limit)]
    if problems:
        raise InvalidInputError(problems)


def _problem(field: str, max_length: int) -> Problem:
    return Problem(
        "value_error",
        ("body", field),
        f"{field} must be a text of 1 to {max_length} characters, UTF-8 without NUL",
    )


def access_of(task_instance: TaskInstance | None, asset_id: int) -> frozenset[Access]:
    """Return how a registration names an asset."""
    if task_instance is None:
        return _NONE
    if asset_id in task_instance.outlets:
        return BOTH if asset_id in task_instance.inlets else _OUTLET
    return _INLET if asset_id in task_instance.inlets else _NONE
