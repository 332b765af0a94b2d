"""One request to the server, and what its answer means: a value that knows no network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request.

    Args:
        target: Path and query below the base URL, encoded.
        read: Returns what the body of a success says; raises ValueError, TypeError or KeyError if it cannot be that.
        body: JSON, encoded; None = there is none.
        key: The key that is asked for, for the error that says it is missing.
    """

    method: str
    target: str
    read: Callable[[bytes], T]
    body: bytes | None = None
    key: str | None = None

    @property
    def is_write(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET"


class Send(Protocol):
    """Makes calls, and waits for their answers."""

    def __call__(self, call: Call[T], /) -> T:
        """Return what the answer says; raise what it refuses as an error of :mod:`statemount.errors`."""
        ...


class AsyncSend(Protocol):
    """As :class:`Send`, awaited."""

    async def __call__(self, call: Call[T], /) -> T:
        """Return what the answer says; raise what it refuses as an error of :mod:`statemount.errors`."""
        ...
