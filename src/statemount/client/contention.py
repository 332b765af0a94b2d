"""Compare-and-set that others may win: what is read, changed and written again until nobody has come in between."""

from __future__ import annotations

from typing import Any

from tenacity import RetryCallState, retry_if_exception_type

from statemount.client.answers import unconditional
from statemount.client.retries import Retries
from statemount.client.values import StateEntry
from statemount.errors import PreconditionFailedError

ATTEMPTS = 100
"""Of one update, unless set otherwise."""

_FIRST = 0.005  # seconds: about as long as a read and a write take
_LONGEST = 0.5


def options_of(retries: Retries, attempts: int) -> dict[str, Any]:
    """Return the strategies for tenacity: random and growing pauses, and in the end the last refusal.

    Raises:
        ValueError: There would be no attempt at all.
    """
    if attempts < 1:
        raise ValueError(f"an update has at least 1 attempt, not {attempts}")

    def is_over(state: RetryCallState) -> bool:
        return state.attempt_number >= attempts

    def pause(state: RetryCallState) -> float:
        return retries.random() * min(_LONGEST, _FIRST * 2.0 ** min(state.attempt_number, 16))

    return {
        "stop": is_over,
        "wait": pause,
        "retry": retry_if_exception_type(PreconditionFailedError),
        "reraise": True,
    }


def revision_of(entry: StateEntry) -> int:
    """Return the revision of an entry.

    Raises:
        UnexpectedAnswerError: The server knows of no revisions.
    """
    if entry.revision is None:
        raise unconditional()
    return entry.revision
