"""The one error that the client adds to the tree of :mod:`statemount.errors`."""

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
