"""The errors of statemount, one tree. None of them knows of HTTP.

::

    StateMountError
    ├── ConfigurationError            the app cannot be started like this
    │   ├── SchemaError               the database's schema is missing, too old or too new
    │   └── NoRegistryError           the directory is none that is filled like this
    ├── InvalidInputError             a value, key, id or date is not acceptable
    ├── AuthenticationError           who is asking is not known
    │   └── InvalidTokenError         a token was shown and is not accepted
    ├── ForbiddenError                who is asking may not do this
    ├── NotFoundError
    │   ├── TaskInstanceNotFoundError
    │   ├── AssetNotFoundError
    │   └── KeyNotFoundError
    ├── HistoryGoneError              it is not known any more how an entry was
    ├── ConflictError                 it contradicts something that exists
    │   ├── ScopeFullError            a scope would hold too many entries or bytes
    │   └── UpdateFailedError         a value cannot be updated like this
    ├── PreconditionFailedError       it is not as the caller's condition has it
    ├── TooLargeError                 more bytes than the body limit allows
    └── UnavailableError              it cannot be done now, nothing was changed
        ├── OverloadedError           too much is waiting already
        ├── TooManyWatchesError       too many watches are open already
        ├── LockedError               somebody else holds a lock for too long
        └── WriteOutcomeUnknownError  the connection broke during COMMIT: it may have been written
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class StateMountError(Exception):
    """Base of every error that statemount raises on purpose."""


class ConfigurationError(StateMountError):
    """Refuse to start: a setting or a combination of settings cannot work."""


class SchemaError(ConfigurationError):
    """The database's schema does not fit this version; the message names the command that helps."""


class NoRegistryError(ConfigurationError):
    """Nothing can be registered: the directory takes task instances or assets from somewhere else."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input.

    Args:
        type: Stable identifier, in pydantic's vocabulary (``value_error``, ``string_too_long`` ...).
        loc: Where: ``("path" | "query" | "body", name, ...)``.
        msg: One sentence for a person.
        input: The offending input, or None where it is left out.
        ctx: Parameters of the message, as pydantic gives them.
    """

    type: str
    loc: tuple[str | int, ...]
    msg: str
    input: Any = None
    ctx: dict[str, Any] | None = None


class InvalidInputError(StateMountError):
    """An input is refused; nothing was changed.

    Args:
        problems: Every problem found, in the order of the input.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.msg for problem in problems))
        self.problems: tuple[Problem, ...] = tuple(problems)


class AuthenticationError(StateMountError):
    """No usable credentials were shown.

    Args:
        reason: Why, for the log. It is never sent to the client and never holds a credential.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InvalidTokenError(AuthenticationError):
    """A token was shown and is not accepted.

    Args:
        reason: Why, for the log.
        expired: The token verifies, but its time is over.
    """

    def __init__(self, reason: str, *, expired: bool = False) -> None:
        super().__init__(reason)
        self.expired = expired


class ForbiddenError(StateMountError):
    """The identity is known and may not do this.

    Args:
        message: What the client is told.
        reason: More detail, for the log; defaults to the message.
    """

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason: str = message if reason is None else reason


class NotFoundError(StateMountError):
    """What was addressed does not exist. ``str(error)`` is what the client is told."""


class TaskInstanceNotFoundError(NotFoundError):
    """No such task instance."""


class AssetNotFoundError(NotFoundError):
    """No such asset, or (for a worker) it is not active."""


class KeyNotFoundError(NotFoundError):
    """The scope has no live entry under this key.

    Args:
        key: The key that was asked for.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"key {key!r} not found")
        self.key = key


class HistoryGoneError(StateMountError):
    """It is not known how an entry was: the history does not reach back that far, or its value was not kept.

    Args:
        key: The key that was asked for.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"the history does not tell what key {key!r} was then")
        self.key = key


class ConflictError(StateMountError):
    """The request contradicts something that exists; nothing was changed."""


class ScopeFullError(ConflictError):
    """The scope would hold more entries or bytes than the limits allow; nothing was changed."""


@dataclass(frozen=True, slots=True)
class FailedOperation:
    """The operation of a batch that has failed, so that nothing was done.

    Args:
        index: Its place in the batch, from 0 on.
        op: Its name, such as ``set`` or ``check``.
        key: The key that it concerns.
        scope_revision: The revision of the task instance's or asset's whole state.
    """

    index: int
    op: str
    key: str
    scope_revision: int

    def __str__(self) -> str:
        return f"operation {self.index} ({self.op} {self.key!r}): "


class UpdateFailedError(ConflictError):
    """An update does not go together with the value that is there; nothing was changed.

    Args:
        reason: Why, for a person.
        revision: Of the entry as it is now; None = there is no live entry.
        operation: Which one, of a batch.
        length: Of the text that would come of it, where that is too long.
    """

    def __init__(
        self,
        reason: str,
        revision: int | None,
        operation: FailedOperation | None = None,
        *,
        length: int | None = None,
    ) -> None:
        super().__init__(f"{operation or ''}{reason}")
        self.revision = revision
        self.operation = operation
        self.length = length


class PreconditionFailedError(StateMountError):
    """A condition does not hold; nothing was changed.

    Args:
        revision: Of the entry as it is now, or of the scope for a condition on a scope; None = there is no live entry.
        operation: Whose condition it is, of a batch; None = the condition is on all of it.
    """

    def __init__(self, revision: int | None, operation: FailedOperation | None = None) -> None:
        now = "there is no such entry" if revision is None else f"the revision is {revision}"
        super().__init__(f"{operation or ''}the condition does not hold: {now}")
        self.revision = revision
        self.operation = operation


class TooLargeError(StateMountError):
    """The body or the stored text is longer than the body limit.

    Args:
        limit: The limit, in bytes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"larger than {limit} bytes")
        self.limit = limit


class UnavailableError(StateMountError):
    """It cannot be done now: the database or a service behind us does not answer. Nothing was changed.

    Args:
        reason: Why, for the log.
        retry_after: Seconds after which a new try makes sense.
    """

    def __init__(self, reason: str, *, retry_after: int = 1) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class OverloadedError(UnavailableError):
    """The queue is full. Nothing was changed."""


class TooManyWatchesError(UnavailableError):
    """Too many watches are open already, in this process or of one caller.

    Args:
        is_own: They are the caller's own.
    """

    def __init__(self, reason: str, *, is_own: bool = False, retry_after: int = 10) -> None:
        super().__init__(reason, retry_after=retry_after)
        self.is_own = is_own


class LockedError(UnavailableError):
    """Somebody else holds a lock, for longer than we wait. Nothing was changed."""


class WriteOutcomeUnknownError(UnavailableError):
    """The connection was lost after COMMIT was sent: the write may or may not be there."""
