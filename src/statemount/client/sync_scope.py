"""The state of one scope through the client, in threads: what is the same for workers and for the public."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from tenacity import Retrying

from statemount.client.contention import ATTEMPTS, options_of
from statemount.client.scope_calls import ScopeCalls
from statemount.client.sync_connection import Connection

T = TypeVar("T")
CallsT = TypeVar("CallsT", bound=ScopeCalls)


class ScopeState(Generic[CallsT]):
    """The state of one scope: the base of the four kinds.

    Where a method takes ``if_revision``, it changes something only while the entry has this revision, and raises
    :class:`~statemount.errors.PreconditionFailedError` otherwise; 0 = while there is no such entry. Such a write is not
    repeated once it may have been done: then it raises :class:`~statemount.errors.WriteOutcomeUnknownError`.
    """

    def __init__(self, calls: CallsT, connection: Connection) -> None:
        self._calls = calls
        self._connection = connection
        self._send = connection.send

    def delete(self, key: str, *, if_revision: int | None = None) -> None:
        """Remove a key; a no-op if it is missing."""
        self._send(self._calls.delete(key, if_revision))

    def contend(self, attempt: Callable[[], T], *, attempts: int = ATTEMPTS) -> T:
        """Call a function until nobody has come in between; return what it returns then.

        Args:
            attempt: Reads, and writes at the revision that it has read. While it raises
                :class:`~statemount.errors.PreconditionFailedError` it is called again, after a random pause.
            attempts: At most.
        """
        options = options_of(self._connection.exchange.retries, attempts)
        return Retrying(sleep=self._connection.sleep, **options)(attempt)
