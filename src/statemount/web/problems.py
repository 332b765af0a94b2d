"""The kinds of error that a client can be told, with their statuses: the registry behind RFC 9457's ``type``."""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "urn:statemount:problem:"
"""What every ``type`` begins with."""


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of error.

    Args:
        name: Stable; the end of its ``type``.
        title: The same for every occurrence.
    """

    name: str
    status: int
    title: str

    @property
    def uri(self) -> str:
        """The ``type`` of RFC 9457."""
        return PREFIX + self.name


ROUTE_NOT_FOUND = ProblemType("route-not-found", 404, "There is no such route")
METHOD_NOT_ALLOWED = ProblemType("method-not-allowed", 405, "The route does not have this method")
MISSING_CREDENTIALS = ProblemType("missing-credentials", 401, "No usable credentials were shown")
INVALID_CREDENTIALS = ProblemType("invalid-credentials", 403, "The credentials are not accepted")
EXPIRED_CREDENTIALS = ProblemType("expired-credentials", 401, "The credentials have expired")
FORBIDDEN = ProblemType("forbidden", 403, "The credentials do not allow this")
UNREADABLE_BODY = ProblemType("unreadable-body", 400, "The body cannot be decoded")
LATE_BODY = ProblemType("late-body", 408, "The body has not arrived in time; nothing was changed")
AMBIGUOUS_HEADER = ProblemType("ambiguous-header", 400, "A header of the body is there more than once")
INVALID_INPUT = ProblemType("invalid-input", 422, "The request holds something that is not acceptable")
MALFORMED_CONDITION = ProblemType("malformed-condition", 400, "A condition is no list of entity tags")
PRECONDITION_FAILED = ProblemType("precondition-failed", 412, "It is not as the condition has it; nothing was changed")
TOO_LARGE = ProblemType("too-large", 413, "The body, or what would be stored of it, is too large")
TARGET_TOO_LONG = ProblemType("target-too-long", 414, "The path or the query is too long")
NOT_FOUND = ProblemType("not-found", 404, "What was addressed does not exist")
TASK_INSTANCE_NOT_FOUND = ProblemType("task-instance-not-found", 404, "There is no such task instance")
ASSET_NOT_FOUND = ProblemType("asset-not-found", 404, "There is no such asset")
KEY_NOT_FOUND = ProblemType("key-not-found", 404, "There is no such key")
HISTORY_GONE = ProblemType("history-gone", 410, "It is not known any more how it was")
CONFLICT = ProblemType("conflict", 409, "The request contradicts something that exists")
NO_REGISTRY = ProblemType("no-registry", 409, "The directory is none that is filled like this")
SCOPE_FULL = ProblemType("scope-full", 409, "The scope would hold too many entries or bytes")
UPDATE_FAILED = ProblemType("update-failed", 409, "A value cannot be updated like this; nothing was changed")
UNSUPPORTED_PATCH = ProblemType("unsupported-patch", 415, "The route takes no patch of this kind")
UNAVAILABLE = ProblemType("unavailable", 503, "It cannot be done now; nothing was changed")
OVERLOADED = ProblemType("overloaded", 503, "Too much is waiting already; nothing was changed")
TOO_MANY_WATCHES = ProblemType("too-many-watches", 503, "Too many watches are open already")
TOO_MANY_OWN_WATCHES = ProblemType("too-many-own-watches", 429, "Too many watches of the caller are open already")
WRITE_OUTCOME_UNKNOWN = ProblemType("write-outcome-unknown", 503, "It is not known whether the write was done")
INTERNAL_ERROR = ProblemType("internal-error", 500, "Something went wrong in the server")

PROBLEM_TYPES: tuple[ProblemType, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, ProblemType)
)
"""All of them."""
