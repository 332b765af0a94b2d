"""The errors that the client adds to the tree of :mod:`statemount.errors`.

::

    StateMountError
    ├── UnexpectedAnswerError    the answer is none that this server gives
    ├── ClaimedError             somebody else holds the claim
    └── ClaimLostError           the claim is held no longer
"""

from __future__ import annotations

from statemount.errors import StateMountError


class UnexpectedAnswerError(StateMountError):
    """The answer is none that this server gives: another server's, a proxy's, or that of an error in the server.

    Whether a write was done is not known.

    Args:
        message: What came, for a person.
        status: Of the answer; None = it could not be read at all.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status: int | None = status


class ClaimedError(StateMountError):
    """Somebody else holds the claim.

    Args:
        revision: Of the holder's entry.
    """

    def __init__(self, key: str, revision: int | None) -> None:
        super().__init__(f"key {key!r} is claimed by somebody else")
        self.key: str = key
        self.revision: int | None = revision


class ClaimLostError(StateMountError):
    """The claim is held no longer: its time is over, or somebody has removed it. Another one may hold it by now."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the claim of key {key!r} is lost: its time is over, or somebody has removed it")
        self.key: str = key
