"""One request to the server, and what its answer means: a value that knows no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class Answer(NamedTuple):
    """The answer to a call, which is a success.

    Args:
        headers: By name, whatever its case.
    """

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request.

    Args:
        target: Path and query below the base URL, encoded.
        read: Returns what a success says; raises ValueError, TypeError or KeyError if it cannot be that.
        body: JSON, encoded; None = there is none.
        key: The key that is asked for, for the error that says it is missing.
        headers: What is sent besides, in the place of what is always sent; names in lower case.
        is_repeatable: Whether it may be sent again although it may have been done already. A read may; a write that
            depends on what was there before may not: it would find what it has written itself.
    """

    method: str
    target: str
    read: Callable[[Answer], T]
    body: bytes | None = None
    key: str | None = None
    headers: Mapping[str, str] | None = None
    is_repeatable: bool = True

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
