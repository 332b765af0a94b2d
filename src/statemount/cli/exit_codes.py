"""How a command ends: what a script can tell from its exit code."""

from __future__ import annotations

from statemount.errors import (
    NotFoundError,
    PreconditionFailedError,
    StateMountError,
    UnavailableError,
    WriteOutcomeUnknownError,
)

FAILED = 1
NOT_FOUND = 3  # 2 is a command line that is wrong, as click and shells have it
UNAVAILABLE = 4
OUTCOME_UNKNOWN = 5
CONDITION_FAILED = 6

_CODES: tuple[tuple[type[StateMountError], int], ...] = (
    (WriteOutcomeUnknownError, OUTCOME_UNKNOWN),
    (UnavailableError, UNAVAILABLE),
    (NotFoundError, NOT_FOUND),
    (PreconditionFailedError, CONDITION_FAILED),
)


def exit_code_of(error: StateMountError) -> int:
    """Return the exit code of a command that ends with this error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)
