"""The id that goes out with a call and all its repetitions, and stands in the server's logs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import uuid4

from statemount.errors import InvalidInputError, Problem

HEADER = "correlation-id"

_MAX_LENGTH = 256

_current: ContextVar[str | None] = ContextVar("statemount_correlation_id", default=None)


@contextmanager
def correlation_id(value: str) -> Iterator[None]:
    """Send this id with every call of the block, in this thread or task, in place of a new one for each call.

    Raises:
        InvalidInputError: It is empty, longer than 256 characters, or not printable ASCII.
    """
    if not (0 < len(value) <= _MAX_LENGTH and value.isascii() and value.isprintable() and value.strip() == value):
        message = f"a correlation id is 1 to {_MAX_LENGTH} printable ASCII characters"
        raise InvalidInputError([Problem("value_error", ("header", HEADER), message)])
    token = _current.set(value)
    try:
        yield
    finally:
        _current.reset(token)


def current_correlation_id() -> str:
    """Return the id of the next call."""
    return _current.get() or str(uuid4())
