"""Batches: what each operation of one needs, and what is told when one of them fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from statemount.errors import (
    FailedOperation,
    ForbiddenError,
    InvalidInputError,
    PreconditionFailedError,
    Problem,
    UpdateFailedError,
)
from statemount.interfaces import Action
from statemount.operations import NAMES, OF_SCOPE, Check, CheckScope, Clear, Delete, Get, Operation, Outcome

MAX_OPERATIONS = 100
"""How many operations a batch has at most."""

_LOOKS = (Get, Check, CheckScope)
_REMOVES = (Delete, Clear)


def actions_of(operations: Iterable[Operation]) -> Sequence[Action]:
    """Return what is done to the state by any of the operations, each once, in their order."""
    return list(dict.fromkeys(map(_action_of, operations)))


def _action_of(operation: Operation) -> Action:
    if isinstance(operation, _LOOKS):
        return "read"
    return "delete" if isinstance(operation, _REMOVES) else "write"


def permissions_of(operations: Iterable[Operation]) -> Sequence[str]:
    """Return what an identity of the public API needs for the operations besides ``state:write``.

    A check shows no value: what it tells, a conditional write tells as well.
    """
    permissions: list[str] = []
    for operation in operations:
        if isinstance(operation, Get):
            permissions.append("state:read")
        elif isinstance(operation, _REMOVES):
            permissions.append("state:delete")
    return list(dict.fromkeys(permissions))


def is_allowed(check: Callable[[], None]) -> bool:
    """Tell whether a check of an authorizer lets somebody through."""
    try:
        check()
    except ForbiddenError:
        return False
    return True


def check_count(operations: Sequence[Operation]) -> None:
    """Refuse a batch of nothing, and one of too many operations.

    Raises:
        InvalidInputError: It is one.
    """
    if 0 < len(operations) <= MAX_OPERATIONS:
        return
    kind, bound = ("too_long", "most") if operations else ("too_short", "least")
    limit = MAX_OPERATIONS if operations else 1
    message = f"a batch has at {bound} {limit} operation{'s' if operations else ''}, not {len(operations)}"
    raise InvalidInputError([Problem(kind, ("body", "operations"), message)])


def raise_failure(outcome: Outcome, operations: Sequence[Operation]) -> None:
    """Tell which operation has failed, and why; a no-op if none has.

    Raises:
        PreconditionFailedError: Its condition does not hold.
        UpdateFailedError: It cannot be done to the value that is there.
    """
    if outcome.applied:
        return
    index, result = len(outcome.results) - 1, outcome.results[-1]
    operation = operations[index]
    is_of_scope = isinstance(operation, OF_SCOPE)
    key = "" if isinstance(operation, OF_SCOPE) else operation.key
    failed = FailedOperation(index, NAMES[type(operation)], key, outcome.revision)
    revision = result.revision if is_of_scope or result.revision else None
    if result.reason is None:
        raise PreconditionFailedError(revision, failed)
    raise UpdateFailedError(result.reason, revision, failed, length=result.length)
