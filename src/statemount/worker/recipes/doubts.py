"""Writes of which nobody can tell whether they were done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from statemount.errors import PreconditionFailedError, WriteOutcomeUnknownError

MOST = 3
"""How often one write may end like that before its worker is told."""


class Doubts:
    """Has a write on a condition made again that may have been done, by whoever looks first what is there.

    For a write that leaves the same however often it is made, and that its worker would know again.

    Attributes:
        number: How many of them there were.
    """

    def __init__(self) -> None:
        self.number: int = 0

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Within the block, take an outcome that is not known for a condition that does not hold.

        Raises:
            PreconditionFailedError: Somebody else has written, or nobody knows.
            WriteOutcomeUnknownError: Nobody knows, and that too often.
        """
        try:
            yield
        except WriteOutcomeUnknownError as error:
            self.number += 1
            if self.number > MOST:
                raise
            raise PreconditionFailedError(None) from error
