"""What an answer refuses, as the error that the same refusal is in the server's own process.

The server's texts tell its errors apart: they are those of Airflow, which changes them no more than its paths.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from statemount.client.answers import revision_in
from statemount.client.calls import Call
from statemount.client.errors import UnexpectedAnswerError
from statemount.client.retries import RetryableError
from statemount.errors import (
    AssetNotFoundError,
    AuthenticationError,
    ConflictError,
    FailedOperation,
    ForbiddenError,
    HistoryGoneError,
    InvalidInputError,
    InvalidTokenError,
    KeyNotFoundError,
    NoRegistryError,
    NotFoundError,
    OverloadedError,
    PreconditionFailedError,
    Problem,
    ScopeFullError,
    StateMountError,
    TaskInstanceNotFoundError,
    TooLargeError,
    TooManyWatchesError,
    UnavailableError,
    UpdateFailedError,
    WriteOutcomeUnknownError,
)

_KEY = re.compile(r"(Task|Asset) state (store )?key ")
_LIMIT = re.compile(r"larger than (\d+) bytes")
_INVALID_TOKEN = ("Invalid auth token", "Invalid JWT token")
_CONDITION = ("precondition_failed", "the condition does not hold")
_NO_REGISTRY = ("nothing can be registered with ", "no task instance can be registered with ")
_OVERLOADED = "Too many requests are waiting already"
_WATCHES = "Too many watches "
_NOT_DONE = ("Service unavailable", _OVERLOADED)
_SHOWN = 200  # characters of a body that nobody expected


def refusal_of(
    call: Call[Any], status: int, headers: Mapping[str, str], body: bytes, now: float
) -> StateMountError | RetryableError:
    """Return the error that an answer stands for.

    Args:
        status: Not that of a success.
        now: The time in seconds since the epoch.
    """
    detail = _detail_of(body)
    reason, message = _texts_of(detail, status)
    if status in (429, 502, 503, 504):
        return _unavailable(call, status, reason, message, _retry_after(headers, now))
    if status in (400, 422):
        return InvalidInputError(_problems_of(detail, message))
    if status == 401:
        expired = message == "Token Expired"
        return InvalidTokenError(message, expired=True) if expired else AuthenticationError(message)
    if status == 403:
        return InvalidTokenError(message) if message in _INVALID_TOKEN else ForbiddenError(message)
    if status == 408:  # the body was late, whoever says so: nothing was done, and the network is not what it should be
        return UnavailableError(message)
    if status == 409:
        return _update_failed(detail, message, headers) if reason == "update_failed" else _conflict(reason, message)
    if status == 412 and (reason or message).startswith(_CONDITION):
        return _precondition_failed(detail, headers)
    if status == 410 and reason == "history_gone":
        return HistoryGoneError(call.key or "")
    if status == 413:
        return _too_large(message)
    if status == 404 and detail not in (None, "Not Found"):
        return _not_found(call, message)
    return _unexpected(call, status, body)


def _detail_of(body: bytes) -> Any:
    """Return ``detail``, or None where there is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document.get("detail") if isinstance(document, dict) else None


def _texts_of(detail: Any, status: int) -> tuple[str | None, str]:
    """Return the reason, which few errors have, and the message."""
    if isinstance(detail, dict):
        return str(detail.get("reason")), str(detail.get("message"))
    return None, detail if isinstance(detail, str) else f"the server answers {status}"


def _unavailable(
    call: Call[Any], status: int, reason: str | None, message: str, retry_after: float | None
) -> UnavailableError | RetryableError:
    seconds = 1 if retry_after is None else math.ceil(retry_after)
    if reason == "write_outcome_unknown":
        return WriteOutcomeUnknownError(message, retry_after=seconds)
    if message.startswith(_WATCHES):
        watches = TooManyWatchesError(message, is_own=status == 429, retry_after=seconds)
        return RetryableError(watches, retry_after)
    if status == 429 or message == _OVERLOADED:
        return RetryableError(OverloadedError(message, retry_after=seconds), retry_after)
    # A gateway cannot tell what became of the request, some not even with a 503.
    is_unknown = call.is_write and (status != 503 or not (call.is_repeatable or message in _NOT_DONE))
    if not is_unknown:
        return RetryableError(UnavailableError(message, retry_after=seconds), retry_after)
    unknown = WriteOutcomeUnknownError(message, retry_after=seconds)
    return RetryableError(unknown, retry_after) if call.is_repeatable else unknown


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds of ``Retry-After``, which may be a date (RFC 9110, section 10.2.3); None = not understood."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        return max(parsedate_to_datetime(text).timestamp() - now, 0.0)
    except (TypeError, ValueError, OverflowError):
        return None


def _problems_of(detail: Any, message: str) -> list[Problem]:
    found = detail if isinstance(detail, list) else []
    problems = [
        Problem(
            str(one.get("type")),
            tuple(loc) if isinstance(loc := one.get("loc"), list) else (),
            str(one.get("msg")),
            one.get("input"),
            one.get("ctx"),
        )
        for one in found
        if isinstance(one, dict)
    ]
    return problems or [Problem("value_error", (), message)]


def _conflict(reason: str | None, message: str) -> ConflictError | NoRegistryError:
    if reason == "scope_full":
        return ScopeFullError(message)
    return NoRegistryError(message) if message.startswith(_NO_REGISTRY) else ConflictError(message)


def _precondition_failed(detail: Any, headers: Mapping[str, str]) -> PreconditionFailedError:
    operation = _operation_in(detail, headers)
    if operation is None:
        return PreconditionFailedError(revision_in(headers))
    return PreconditionFailedError(_revision_in(detail), operation)


def _update_failed(detail: dict[str, Any], message: str, headers: Mapping[str, str]) -> UpdateFailedError:
    operation = _operation_in(detail, headers)
    if operation is None:
        return UpdateFailedError(message, revision_in(headers))
    return UpdateFailedError(message.removeprefix(str(operation)), _revision_in(detail), operation)


def _operation_in(detail: Any, headers: Mapping[str, str]) -> FailedOperation | None:
    """Return the operation of a batch that has failed; None = it is not about one."""
    if not isinstance(detail, dict):
        return None
    index, op, key = detail.get("index"), detail.get("op"), detail.get("key")
    if not (isinstance(index, int) and isinstance(op, str) and isinstance(key, str)):
        return None
    return FailedOperation(index, op, key, revision_in(headers) or 0)


def _revision_in(detail: dict[str, Any]) -> int | None:
    revision = detail.get("revision")
    return revision if isinstance(revision, int) else None


def _too_large(message: str) -> TooLargeError:
    limit = _LIMIT.search(message)
    error = TooLargeError(0 if limit is None else int(limit[1]))
    if limit is None:
        error.args = (message,)
    return error


def _not_found(call: Call[Any], message: str) -> NotFoundError:
    if call.key is not None and _KEY.match(message):
        return KeyNotFoundError(call.key)
    if message.startswith("Task instance "):
        return TaskInstanceNotFoundError(message)
    if message.startswith("Asset "):
        return AssetNotFoundError(message)
    return NotFoundError(message)


def _unexpected(call: Call[Any], status: int, body: bytes) -> UnexpectedAnswerError:
    hint = ": is the URL that of the app, and does it serve this contract version?" if status == 404 else ""
    shown = body[:_SHOWN].decode("utf-8", "replace")
    return UnexpectedAnswerError(f"{call.method} was answered with {status}{hint} ({shown!r})", status=status)
