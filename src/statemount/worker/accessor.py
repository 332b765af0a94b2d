"""What a task does with the state of one scope, whichever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar, Union

from statemount.client import (
    AsyncWorkerAssetState,
    AsyncWorkerTaskState,
    StateValue,
    WorkerAssetState,
    WorkerTaskState,
)
from statemount.client.contention import ATTEMPTS
from statemount.model import JsonValue

T = TypeVar("T")

ServerState: TypeAlias = Union[WorkerTaskState, WorkerAssetState]
AsyncServerState: TypeAlias = Union[AsyncWorkerTaskState, AsyncWorkerAssetState]


class StateAccessor(ABC):
    """The state of one scope: ``get``, ``set``, ``delete``, ``clear``; awaited, each has an ``a`` before its name.

    Every method raises what the client raises (:mod:`statemount.errors`), and
    :class:`~statemount.worker.BackendError` where a worker-side backend cannot do its part.

    Where a method takes ``if_revision``, it changes something only while the entry has this revision, and raises
    :class:`~statemount.errors.PreconditionFailedError` otherwise; 0 = while there is no such entry. Nothing that a
    backend keeps for somebody else's write is touched then.
    """

    @property
    @abstractmethod
    def server(self) -> ServerState:
        """The same state as the server has it, through the client: for batches, lists, watches and updates in one step.

        A value that a worker-side backend keeps is a reference there, and an entry that is set without an
        ``expires_at`` never expires.
        """

    @property
    @abstractmethod
    def aserver(self) -> AsyncServerState:
        """As ``server``, awaited."""

    @abstractmethod
    def get(self, key: str, default: JsonValue = None) -> JsonValue:
        """Return the value of a key; the default if there is no live entry.

        A task instance or an asset that does not exist is an error, not the default.

        Raises:
            MissingObjectError: The server has a reference, and the worker-side backend has no value for it.
            ConfigurationError: The server has a reference, and there is no worker-side backend here.
        """

    @abstractmethod
    def get_entry(self, key: str, default: JsonValue = None) -> StateValue:
        """Return the value of a key with its revision; the default with revision 0 if there is no live entry."""

    @abstractmethod
    def set(self, key: str, value: JsonValue, *, if_revision: int | None = None) -> int | None:
        """Create or overwrite a key; return its new revision.

        Returns:
            None where the server has no revisions: never with ``if_revision``.

        Raises:
            ValueError: The value is None, which ``get`` could not tell from a key that is missing.
            InvalidInputError: The key or the value is not acceptable.
            WriteOutcomeUnknownError: It may or may not have been written.
        """

    @abstractmethod
    def update(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        *,
        default: JsonValue = None,
        attempts: int = ATTEMPTS,
    ) -> JsonValue:
        """Replace a value by what a function makes of it, and return that: nobody else has written in between.

        Args:
            change: Is given the value, and called again with the next one where somebody else was faster.
            default: What it is given where there is no live entry.
            attempts: At most.

        Raises:
            ValueError: The new value is None.
            PreconditionFailedError: Somebody else was faster each time.
            WriteOutcomeUnknownError: The last attempt may or may not have been written.
        """

    @abstractmethod
    def delete(self, key: str, *, if_revision: int | None = None) -> None:
        """Remove a key; a no-op if it is missing. The server's entry goes first, then what the backend keeps."""

    @abstractmethod
    def clear(self, *, if_revision: int | None = None) -> None:
        """Remove every key. The server's entries go first, then what the backend keeps.

        Args:
            if_revision: Of the whole scope; 0 = it was never written.
        """

    @abstractmethod
    def contend(self, attempt: Callable[[], T], *, attempts: int = ATTEMPTS) -> T:
        """Call a function until nobody has come in between; return what it returns then.

        Args:
            attempt: Reads, and writes at the revision that it has read. While it raises
                :class:`~statemount.errors.PreconditionFailedError` it is called again, after a random pause.
            attempts: At most.
        """

    @abstractmethod
    async def aget(self, key: str, default: JsonValue = None) -> JsonValue:
        """Do what ``get`` does."""

    @abstractmethod
    async def aget_entry(self, key: str, default: JsonValue = None) -> StateValue:
        """Do what ``get_entry`` does."""

    @abstractmethod
    async def aset(self, key: str, value: JsonValue, *, if_revision: int | None = None) -> int | None:
        """Do what ``set`` does."""

    @abstractmethod
    async def aupdate(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        *,
        default: JsonValue = None,
        attempts: int = ATTEMPTS,
    ) -> JsonValue:
        """Do what ``update`` does."""

    @abstractmethod
    async def adelete(self, key: str, *, if_revision: int | None = None) -> None:
        """Do what ``delete`` does."""

    @abstractmethod
    async def aclear(self, *, if_revision: int | None = None) -> None:
        """Do what ``clear`` does."""

    @abstractmethod
    async def acontend(self, attempt: Callable[[], Awaitable[T]], *, attempts: int = ATTEMPTS) -> T:
        """Do what ``contend`` does."""


def check_value(value: JsonValue) -> None:
    """Refuse None as a value.

    Raises:
        ValueError: It is None.
    """
    if value is None:
        raise ValueError("None cannot be set as a value: get returns it for a key that is missing; use delete")
