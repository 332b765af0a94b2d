"""What a task does with the state of one scope, whichever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from statemount.model import JsonValue


class StateAccessor(ABC):
    """The state of one scope: ``get``, ``set``, ``delete``, ``clear``; awaited, each has an ``a`` before its name.

    Every method raises what the client raises (:mod:`statemount.errors`), and
    :class:`~statemount.worker.BackendError` where a worker-side backend cannot do its part.
    """

    @abstractmethod
    def get(self, key: str, default: JsonValue = None) -> JsonValue:
        """Return the value of a key; the default if there is no live entry.

        A task instance or an asset that does not exist is an error, not the default.

        Raises:
            MissingObjectError: The server has a reference, and the worker-side backend has no value for it.
            ConfigurationError: The server has a reference, and there is no worker-side backend here.
        """

    @abstractmethod
    def set(self, key: str, value: JsonValue) -> None:
        """Create or overwrite a key.

        Raises:
            ValueError: The value is None, which ``get`` could not tell from a key that is missing.
            InvalidInputError: The key or the value is not acceptable.
            WriteOutcomeUnknownError: It may or may not have been written.
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove a key; a no-op if it is missing. The server's entry goes first, then what the backend keeps."""

    @abstractmethod
    def clear(self) -> None:
        """Remove every key. The server's entries go first, then what the backend keeps."""

    @abstractmethod
    async def aget(self, key: str, default: JsonValue = None) -> JsonValue:
        """Do what ``get`` does."""

    @abstractmethod
    async def aset(self, key: str, value: JsonValue) -> None:
        """Do what ``set`` does."""

    @abstractmethod
    async def adelete(self, key: str) -> None:
        """Do what ``delete`` does."""

    @abstractmethod
    async def aclear(self) -> None:
        """Do what ``clear`` does."""


def check_value(value: JsonValue) -> None:
    """Refuse None as a value.

    Raises:
        ValueError: It is None.
    """
    if value is None:
        raise ValueError("None cannot be set as a value: get returns it for a key that is missing; use delete")
