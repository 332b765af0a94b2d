"""The state of one scope through the client, in threads: what is the same for workers and for the public."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Generic, TypeVar

from tenacity import Retrying

from statemount.client.batches import Bound, Operations, value_of
from statemount.client.calls import Send
from statemount.client.contention import ATTEMPTS, options_of
from statemount.client.events import PATIENCE, Follower
from statemount.client.parts import PART, Part, part_after
from statemount.client.scope_calls import ScopeCalls
from statemount.client.sync_connection import Connection
from statemount.client.sync_watch import Watch
from statemount.client.values import BatchOutcome, StateEntry, StatePage
from statemount.model import JsonValue

T = TypeVar("T")
CallsT = TypeVar("CallsT", bound=ScopeCalls)


class Batch(Operations):
    """Operations that are done together, or not at all; made by ``batch`` of a state."""

    def __init__(self, send: Send, calls: ScopeCalls) -> None:
        super().__init__()
        self._send_call = send
        self._calls = calls

    def send(self, *, if_revision: int | None = None) -> BatchOutcome:
        """Do all operations, and return what came of each.

        Args:
            if_revision: Of the whole scope; 0 = it was never written.

        Raises:
            PreconditionFailedError: A condition does not hold, and nothing was changed; ``operation`` says whose.
            UpdateFailedError: An update does not go together with what is there, and nothing was changed.
            InvalidInputError: There are none, more than 100, or one that is not acceptable.
            WriteOutcomeUnknownError: It may or may not have been done. It is not repeated then, if it has conditions or
                increments.
        """
        return self._send_call(self._calls.batch(self, if_revision))


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

    def list(
        self,
        *,
        limit: int = 50,
        offset: int = 0,
        prefix: str = "",
        keys_only: bool = False,
        cursor: str | None = None,
        if_revision: int | None = None,
    ) -> StatePage:
        """Return a part of the entries, by key in byte order.

        Args:
            limit: At most so many; the server cuts it to 100. 0 = the total alone.
            offset: How many to pass over.
            prefix: Of those alone whose keys begin like this.
            keys_only: Without the values.
            cursor: Of the part before this one, in place of an offset.
            if_revision: That the scope must have, as the part before this one had it.

        Raises:
            PreconditionFailedError: It has another one by now.
        """
        return self._send(self._calls.list(Part(limit, offset, prefix, keys_only, cursor, if_revision)))

    def entries(
        self, *, prefix: str = "", keys_only: bool = False, at_one_revision: bool = False
    ) -> Iterator[StateEntry]:
        """Give all entries, by key in byte order, asked for in as many parts as it takes.

        Args:
            prefix: Those alone whose keys begin like this.
            keys_only: Without the values.
            at_one_revision: As they are at one moment; else a part may be of a later one.

        Raises:
            PreconditionFailedError: Somebody has written meanwhile, and they are to be of one moment.
        """
        part: Part | None = Part(PART, prefix=prefix, keys_only=keys_only)
        while part is not None:
            page = self._send(self._calls.list(part))
            yield from page.entries
            part = part_after(part, page, at_one_revision=at_one_revision)

    def watch(self, key: str | None = None, *, after: int | None = None, patience: float | None = PATIENCE) -> Watch:
        """Return a watch: the changes of a key, or of all, as they happen.

        Args:
            key: None = all of them.
            after: The revision after which it begins, such as that of a list; None = now, which ``ready`` tells.
            patience: Seconds for which it tries to reach a server that is away; None = for ever.
        """
        follower = Follower(after, patience, self._connection.exchange.retries)
        return Watch(self._connection, follower, partial(self._calls.watch, key))

    def batch(self) -> Batch:
        """Return a batch: add operations to it, and send it."""
        return Batch(self._send, self._calls)

    def merge(self, key: str, patch: JsonValue, *, if_revision: int | None = None) -> int | None:
        """Change the value of a key that exists by a merge patch (RFC 7396), and return its new revision.

        What is null in the patch is removed, the rest is set, and objects are merged. The expiry stays.

        Raises:
            KeyNotFoundError: There is no live entry under this key; ``merge`` of a batch makes one.
            InvalidInputError: What would come of it is no value.
        """
        return self._send(self._calls.merge(key, patch, if_revision))

    def increment(self, key: str, by: int | float = 1) -> JsonValue:
        """Add to a number, in one step, and return the sum. A key that is not there counts as 0; an expiry stays.

        Raises:
            UpdateFailedError: What is there is no number.
            WriteOutcomeUnknownError: It may or may not have been added; that is not repeated.
        """
        return value_of(self.batch().increment(key, by).send())

    def maximum(self, key: str, value: Bound) -> JsonValue:
        """Write a value unless one as great is there, in one step, and return what is there then.

        A key that is not there is set; an expiry stays.

        Args:
            value: A finite number, or a time with an offset.

        Raises:
            UpdateFailedError: What is there does not compare with it.
        """
        return value_of(self.batch().maximum(key, value).send())

    def minimum(self, key: str, value: Bound) -> JsonValue:
        """Write a value unless one as small is there; see ``maximum``."""
        return value_of(self.batch().minimum(key, value).send())

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
