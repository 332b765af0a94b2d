"""What takes several calls, as steps that know no network: run in threads and on event loops alike."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias, TypeVar, Union

from statemount.errors import PreconditionFailedError, StateMountError, WriteOutcomeUnknownError
from statemount.model import JsonValue

T = TypeVar("T")


class Look(NamedTuple):
    """Read a key: what has a value and a revision comes of it, or None."""

    key: str


class Put(NamedTuple):
    """Set a key at a revision, 0 = if it is not there; its new revision comes of it."""

    key: str
    value: JsonValue
    expires_at: datetime
    if_revision: int


class Remove(NamedTuple):
    """Remove a key at a revision."""

    key: str
    if_revision: int


class Pause(NamedTuple):
    """Wait."""

    seconds: float


Step: TypeAlias = Union[Look, Put, Remove, Pause]

Script: TypeAlias = Generator[Step, Any, T]
"""Gives steps, is sent what comes of each, and returns a result. :data:`THROWN` are thrown in."""

THROWN: tuple[type[StateMountError], ...] = (PreconditionFailedError, WriteOutcomeUnknownError)
