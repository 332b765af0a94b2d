"""Errors as HTTP: every status, and the body of every refusal, in both shapes that a client can ask for."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from statemount.errors import (
    AssetNotFoundError,
    AuthenticationError,
    ConfigurationError,
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
from statemount.web import problems as kinds
from statemount.web.accept import names_media_type
from statemount.web.problems import ProblemType
from statemount.web.requests import Request
from statemount.web.responses import PROBLEM_JSON, Header, Response, etag, json_response

logger: logging.Logger = logging.getLogger("statemount.web")

MAX_INPUT_LENGTH = 1024
"""Longest ``input`` of a 422, in characters of JSON; a longer one is left out."""

MAX_PROBLEMS = 100
"""How many errors a 422 lists at most."""


LEFT_OUT: Any = object()
"""As the ``input`` of a problem: there is none to show."""


class RouteNotFoundError(StateMountError):
    """No route has this path."""


class MethodNotAllowedError(StateMountError):
    """The path has no such method.

    Args:
        allow: Those that it has.
    """

    def __init__(self, allow: bytes) -> None:
        super().__init__(allow.decode())
        self.allow = allow


class UnreadableBodyError(StateMountError):
    """The body cannot be decoded at all."""


class LateBodyError(StateMountError):
    """The body has not arrived in time.

    Args:
        http_version: Of the request.
    """

    def __init__(self, seconds: float, http_version: str) -> None:
        super().__init__(f"The body has not arrived within {seconds:g} seconds")
        self.http_version = http_version


class TargetTooLongError(StateMountError):
    """The path or the query is longer than anything that could be meant."""


class AmbiguousHeaderError(StateMountError):
    """A header that says what the body is was given more than once, and not alike.

    Args:
        name: Of the header.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is given more than once")


class MalformedConditionError(StateMountError):
    """A header with a condition does not follow the grammar of RFC 9110, or is too long.

    Args:
        name: Of the header.
        reason: In place of what it must be.
    """

    def __init__(self, name: str, reason: str = 'must be * or a list of entity tags such as "17"') -> None:
        super().__init__(f"{name} {reason}")


class UnsupportedPatchError(StateMountError):
    """The body is a patch of a kind that the route does not take.

    Args:
        accepted: The media types that it takes, as ``Accept-Patch`` lists them (RFC 5789, section 3.1).
    """

    def __init__(self, accepted: str) -> None:
        super().__init__(f"the route takes {accepted}")
        self.accepted = accepted


class MissingKeyError(KeyNotFoundError):
    """As its base, in the words of a contract version.

    Args:
        label: Such as ``Task state store key``.
    """

    def __init__(self, label: str, key: str) -> None:
        super().__init__(key)
        self.args: tuple[Any, ...] = (f"{label} {key!r} not found",)


@dataclass(frozen=True, slots=True)
class Wording:
    """What the route sets word differently.

    Args:
        has_reasons: Whether ``detail`` of a 404 is an object with ``reason`` and ``message``, or the message alone.
        expired: The kind and text of an expired token; None = as any token that is not accepted.
    """

    missing_credentials: str
    invalid_credentials: str
    has_reasons: bool
    expired: tuple[ProblemType, str] | None = None


EXECUTION_WORDING = Wording("Missing auth token", "Invalid auth token", has_reasons=True)

PUBLIC_WORDING = Wording(
    "Not authenticated",
    "Invalid JWT token",
    has_reasons=False,
    expired=(kinds.EXPIRED_CREDENTIALS, "Token Expired"),
)


@dataclass(frozen=True, slots=True)
class Description:
    """One error, as it is told.

    Args:
        detail: The value of ``detail`` in Airflow's shape.
        message: The text of ``detail`` in RFC 9457's.
        members: Further members of RFC 9457's.
    """

    kind: ProblemType
    detail: Any
    message: str
    headers: tuple[Header, ...] = ()
    members: dict[str, Any] | None = None


class ErrorResponses:
    """Turns errors into answers, and logs those of the server. Refusals stand in the audit log.

    Args:
        wording: Of the route set.
    """

    def __init__(self, wording: Wording) -> None:
        self._wording = wording

    def response(self, error: Exception, request: Request) -> Response:
        """Return the answer to a request that ended in an error, whatever it is."""
        described = self._describe(error)
        _log(error, described.kind.status, request)
        if not prefers_problem(request.accept):
            return json_response(described.kind.status, {"detail": described.detail}, described.headers)
        kind = described.kind
        document = {"type": kind.uri, "title": kind.title, "status": kind.status, "detail": described.message}
        return json_response(kind.status, {**document, **(described.members or {})}, described.headers, PROBLEM_JSON)

    def _describe(self, error: Exception) -> Description:
        for ancestor in type(error).__mro__:
            describe = _DESCRIPTIONS.get(ancestor)
            if describe is not None:
                return describe(error, self._wording)
        return _plain(kinds.INTERNAL_ERROR, "Internal Server Error")


def _plain(kind: ProblemType, text: str, headers: tuple[Header, ...] = ()) -> Description:
    return Description(kind, text, text, headers)


def _reasoned(kind: ProblemType, reason: str, message: str, headers: tuple[Header, ...] = ()) -> Description:
    return Description(kind, {"reason": reason, "message": message}, message, headers)


def _missing_credentials(error: AuthenticationError, wording: Wording) -> Description:
    return _plain(kinds.MISSING_CREDENTIALS, wording.missing_credentials, ((b"www-authenticate", b"Bearer"),))


def _invalid_token(error: InvalidTokenError, wording: Wording) -> Description:
    if not error.expired or wording.expired is None:
        return _plain(kinds.INVALID_CREDENTIALS, wording.invalid_credentials)
    kind, text = wording.expired
    return _plain(kind, text, ((b"www-authenticate", b'Bearer error="invalid_token"'),))


def _not_found(kind: ProblemType) -> Callable[[Any, Wording], Description]:
    def describe(error: NotFoundError, wording: Wording) -> Description:
        if wording.has_reasons:
            return _reasoned(kind, "not_found", str(error))
        return _plain(kind, str(error))

    return describe


def _operation_failed(
    kind: ProblemType, reason: str, error: PreconditionFailedError | UpdateFailedError, operation: FailedOperation
) -> Description:
    members = {"index": operation.index, "op": operation.op, "key": operation.key, "revision": error.revision}
    detail = {"reason": reason, "message": str(error), **members}
    return Description(kind, detail, str(error), (etag(operation.scope_revision),), members)


def _update_failed(error: UpdateFailedError, wording: Wording) -> Description:
    kind, reason = kinds.UPDATE_FAILED, "update_failed"
    if error.operation is not None:
        return _operation_failed(kind, reason, error, error.operation)
    headers = () if error.revision is None else (etag(error.revision),)
    return _reasoned(kind, reason, str(error), headers)


def _precondition_failed(error: PreconditionFailedError, wording: Wording) -> Description:
    if error.operation is not None:
        return _operation_failed(kinds.PRECONDITION_FAILED, "precondition_failed", error, error.operation)
    headers = () if error.revision is None else (etag(error.revision),)
    if wording.has_reasons:
        return _reasoned(kinds.PRECONDITION_FAILED, "precondition_failed", str(error), headers)
    return _plain(kinds.PRECONDITION_FAILED, str(error), headers)


def _invalid_input(error: InvalidInputError, wording: Wording) -> Description:
    found = [_render(problem) for problem in error.problems[:MAX_PROBLEMS]]
    message = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)
    return Description(kinds.INVALID_INPUT, found, message, members={"errors": found})


def _retry_after(error: UnavailableError) -> tuple[Header, ...]:
    return ((b"retry-after", b"%d" % max(error.retry_after, 0)),)


def _closing(http_version: str) -> tuple[Header, ...]:
    """Return what has a server close the connection, which HTTP/2 has no header for (RFC 9113, section 8.2.2)."""
    return ((b"connection", b"close"),) if http_version.startswith("1") else ()


def _too_many_watches(error: TooManyWatchesError) -> Description:
    if error.is_own:
        return _plain(kinds.TOO_MANY_OWN_WATCHES, "Too many watches of this caller are open", _retry_after(error))
    return _plain(kinds.TOO_MANY_WATCHES, "Too many watches are open", _retry_after(error))


_UNKNOWN = "The connection to the database was lost while the write was being committed: it may have been written"

_DESCRIPTIONS: dict[type, Callable[[Any, Wording], Description]] = {
    RouteNotFoundError: lambda error, _: _plain(kinds.ROUTE_NOT_FOUND, "Not Found"),
    MethodNotAllowedError: lambda error, _: _plain(
        kinds.METHOD_NOT_ALLOWED, "Method Not Allowed", ((b"allow", error.allow),)
    ),
    AuthenticationError: _missing_credentials,
    InvalidTokenError: _invalid_token,
    ForbiddenError: lambda error, _: _plain(kinds.FORBIDDEN, error.message),
    UnreadableBodyError: lambda error, _: _plain(kinds.UNREADABLE_BODY, "There was an error parsing the body"),
    LateBodyError: lambda error, _: _plain(kinds.LATE_BODY, str(error), _closing(error.http_version)),
    TargetTooLongError: lambda error, _: _plain(kinds.TARGET_TOO_LONG, "URI Too Long"),
    AmbiguousHeaderError: lambda error, _: _plain(kinds.AMBIGUOUS_HEADER, str(error)),
    MalformedConditionError: lambda error, _: _plain(kinds.MALFORMED_CONDITION, str(error)),
    PreconditionFailedError: _precondition_failed,
    InvalidInputError: _invalid_input,
    TooLargeError: lambda error, _: _plain(kinds.TOO_LARGE, f"Content larger than {error.limit} bytes"),
    NotFoundError: _not_found(kinds.NOT_FOUND),
    TaskInstanceNotFoundError: _not_found(kinds.TASK_INSTANCE_NOT_FOUND),
    AssetNotFoundError: _not_found(kinds.ASSET_NOT_FOUND),
    KeyNotFoundError: _not_found(kinds.KEY_NOT_FOUND),
    HistoryGoneError: lambda error, _: _reasoned(kinds.HISTORY_GONE, "history_gone", str(error)),
    ConflictError: lambda error, _: _plain(kinds.CONFLICT, str(error)),
    NoRegistryError: lambda error, _: _plain(kinds.NO_REGISTRY, str(error)),
    UpdateFailedError: _update_failed,
    UnsupportedPatchError: lambda error, _: _plain(
        kinds.UNSUPPORTED_PATCH, "Unsupported Media Type", ((b"accept-patch", error.accepted.encode()),)
    ),
    ScopeFullError: lambda error, _: _reasoned(kinds.SCOPE_FULL, "scope_full", str(error)),
    UnavailableError: lambda error, _: _plain(kinds.UNAVAILABLE, "Service unavailable", _retry_after(error)),
    OverloadedError: lambda error, _: _plain(
        kinds.OVERLOADED, "Too many requests are waiting already", _retry_after(error)
    ),
    TooManyWatchesError: lambda error, _: _too_many_watches(error),
    WriteOutcomeUnknownError: lambda error, _: _reasoned(
        kinds.WRITE_OUTCOME_UNKNOWN, "write_outcome_unknown", _UNKNOWN, _retry_after(error)
    ),
    ConfigurationError: lambda error, _: _plain(kinds.UNAVAILABLE, "Service unavailable", ((b"retry-after", b"10"),)),
}


def _log(error: Exception, status: int, request: Request) -> None:
    where = f"{request.method} {request.template}"
    if status == 500:
        logger.error("%s failed", where, exc_info=error)
    elif status == 503:
        logger.warning("%s could not be done: %s: %s", where, type(error).__name__, error)


def _render(problem: Problem) -> dict[str, Any]:
    """Return a problem in FastAPI's shape."""
    rendered: dict[str, Any] = {
        "type": problem.type,
        "loc": [_unicode(part) if isinstance(part, str) else part for part in problem.loc],
        "msg": _unicode(problem.msg),
    }
    if problem.type != "string_unicode" and _is_shown(problem.input):
        rendered["input"] = problem.input
    if problem.ctx is not None:
        rendered["ctx"] = {
            name: {} if isinstance(value, Exception) else _unicode(value) if isinstance(value, str) else value
            for name, value in problem.ctx.items()
        }
    return rendered


def _unicode(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _is_shown(value: Any) -> bool:
    try:
        text = json.dumps(value, allow_nan=False)
        if "\\ud" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return len(text) <= MAX_INPUT_LENGTH


def prefers_problem(accept: bytes) -> bool:
    """Tell whether an ``Accept`` names ``application/problem+json``."""
    return b"problem+json" in accept.lower() and names_media_type(accept, PROBLEM_JSON[1])
