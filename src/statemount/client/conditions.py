"""Conditions on the revision of what is written, as the headers that ask for them (RFC 9110, section 13)."""

from __future__ import annotations

from collections.abc import Mapping

from statemount.client import answers
from statemount.client.calls import Call
from statemount.errors import InvalidInputError, Problem


def on_entry(if_revision: int | None) -> Mapping[str, str] | None:
    """Return the headers for a write to an entry; None = without a condition.

    Args:
        if_revision: The one that it has; 0 = there is no such entry.

    Raises:
        InvalidInputError: It is negative.
    """
    return {"if-none-match": "*"} if if_revision == 0 else on_scope(if_revision)


def on_scope(if_revision: int | None) -> Mapping[str, str] | None:
    """Return the headers for a write to a whole scope; None = without a condition.

    Args:
        if_revision: The one that it has; 0 = it was never written.

    Raises:
        InvalidInputError: It is negative.
    """
    if if_revision is None:
        return None
    if if_revision < 0:
        message = "Input should be greater than or equal to 0"
        raise InvalidInputError(
            [Problem("greater_than_equal", ("header", "if-match"), message, if_revision, {"ge": 0})]
        )
    return {"if-match": f'"{if_revision:d}"'}


def clearance(target: str, if_revision: int | None) -> Call[None]:
    """Return the call that removes all keys of a scope."""
    condition = on_scope(if_revision)
    return Call("DELETE", target, answers.nothing, None, None, condition, condition is None)
