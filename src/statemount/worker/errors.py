"""What goes wrong with a worker-side backend.

::

    StateMountError
    ├── BackendError              the backend cannot do it, or has kept something else
    └── NotFoundError
        └── MissingObjectError    the server has a reference, the backend has no value for it
"""

from __future__ import annotations

from statemount.errors import NotFoundError, StateMountError


class BackendError(StateMountError):
    """The worker-side backend cannot do it: it does not answer, refuses, or holds something that is no value."""


class MissingObjectError(NotFoundError):
    """A reference names a value that the backend does not have (any more).

    Args:
        reference: What the server has in the value's place.
    """

    def __init__(self, reference: str) -> None:
        super().__init__(f"the worker-side backend has no value for the reference {reference!r}")
        self.reference = reference
