"""State through the client, in threads, for people and services. Its async twin has the same names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from statemount.client.contention import ATTEMPTS, revision_of
from statemount.client.contracts import Contract
from statemount.client.leases import lease_of
from statemount.client.parts import PART
from statemount.client.public_calls import PublicAssetCalls, PublicCalls, PublicTaskCalls
from statemount.client.sync_claim import Claim
from statemount.client.sync_connection import Connection
from statemount.client.sync_scope import ScopeState
from statemount.client.values import HistoryPage, StateChange, StateEntry
from statemount.errors import KeyNotFoundError, PreconditionFailedError
from statemount.model import NOT_MAPPED, JsonValue, TaskScope

CallsT = TypeVar("CallsT", bound=PublicCalls)


class PublicState(ScopeState[CallsT]):
    """The state of a scope, for people and services (public route set)."""

    def get(self, key: str) -> StateEntry:
        """Return an entry. Nobody asks whether the task instance exists.

        Raises:
            KeyNotFoundError: There is no live entry under this key.
        """
        return self._send(self._calls.get(key))

    def get_entry(self, key: str) -> StateEntry:
        """Do what ``get`` does, under the name that workers' state has for it."""
        return self.get(key)

    def delete(self, key: str, *, if_revision: int | None = None, purge: bool = False) -> None:
        """Remove a key; a no-op if it is missing.

        Args:
            purge: And what the history has kept of its values, also of one that is missing; the lines stay.
        """
        call = self._calls.purge(key, if_revision) if purge else self._calls.delete(key, if_revision)
        self._send(call)

    def history(self, key: str | None = None, *, limit: int = 50, before: int | None = None) -> HistoryPage:
        """Return a part of the history: who changed what and when, newest first.

        Args:
            key: Of this key alone, and clears; None = of all.
            limit: At most so many; the server cuts it to 100. 0 = none, but whether there is a gap.
            before: Those alone that are older than this revision.
        """
        return self._send(self._calls.history(key, limit, before))

    def changes(self, key: str | None = None) -> Iterator[StateChange]:
        """Give the whole history, newest first, asked for in as many parts as it takes.

        Args:
            key: Of this key alone, and clears; None = of all.
        """
        before: int | None = None
        while True:
            page = self.history(key, limit=PART, before=before)
            yield from page.changes
            before = page.before
            if before is None:
                return

    def value_at(self, key: str, *, revision: int | None = None, at: datetime | None = None) -> StateEntry:
        """Return an entry as it was right after a change, or at a time: exactly one of them.

        Args:
            revision: Of the change; one of another key will do.
            at: Aware.

        Raises:
            KeyNotFoundError: There was no such entry then.
            HistoryGoneError: The history does not reach back that far, or has not kept the value.
            InvalidInputError: The revision or the time is yet to come.
        """
        return self._send(self._calls.entry_at(key, revision, at))

    def revert(self, key: str, revision: int, *, if_revision: int | None = None) -> int | None:
        """Make an entry what it was right after a change, as a new change; delete it, if it was not there.

        Returns:
            Its new revision; None = it was deleted.

        Raises:
            HistoryGoneError: The history does not reach back that far, or has not kept the value.
            PreconditionFailedError: The entry is not at ``if_revision`` now.
        """
        return self._send(self._calls.revert(key, revision, if_revision))

    def patch(self, key: str, value: JsonValue, *, if_revision: int | None = None) -> int | None:
        """Set the value of a key that exists, and return its new revision; its expiry stays.

        Raises:
            KeyNotFoundError: There is no live entry under this key.
            TaskInstanceNotFoundError: There is no such task instance.
        """
        return self._send(self._calls.patch(key, value, if_revision))

    def _update(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        default: JsonValue,
        create: Callable[[JsonValue], object],
        attempts: int,
    ) -> JsonValue:
        def attempt() -> JsonValue:
            try:
                entry = self.get(key)
            except KeyNotFoundError:
                value = change(deepcopy(default))
                create(value)
                return value
            value = change(entry.value)
            try:
                self.patch(key, value, if_revision=revision_of(entry))
            except KeyNotFoundError as error:
                raise PreconditionFailedError(None) from error
            return value

        return self.contend(attempt, attempts=attempts)


class PublicTaskState(PublicState[PublicTaskCalls]):
    """The state of a task instance, for people and services (public route set)."""

    def set(
        self,
        key: str,
        value: JsonValue,
        *,
        expires_at: datetime | Literal["default"] | None = "default",
        if_revision: int | None = None,
    ) -> int | None:
        """Create or overwrite a key, its expiry included; return its new revision.

        Args:
            value: Any JSON but null.
            expires_at: From when on it is gone; aware. None = never, ``default`` = after the server's retention.

        Returns:
            None where the server has no revisions: never with ``if_revision``.

        Raises:
            TaskInstanceNotFoundError: There is no such task instance.
            PreconditionFailedError: It is not at that revision.
        """
        return self._send(self._calls.set(key, value, expires_at, if_revision))

    def update(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        *,
        default: JsonValue = None,
        expires_at: datetime | Literal["default"] | None = "default",
        attempts: int = ATTEMPTS,
    ) -> JsonValue:
        """Replace a value by what a function makes of it, and return that: nobody else has written in between.

        Args:
            change: Is given the value, and called again with the next one where somebody else was faster.
            default: What it is given where there is no entry.
            expires_at: Of a new entry, as of ``set``; that of an entry which is there stays.
            attempts: At most.

        Raises:
            PreconditionFailedError: Somebody else was faster each time.
            WriteOutcomeUnknownError: The last attempt may or may not have been written.
        """

        def create(value: JsonValue) -> None:
            self.set(key, value, expires_at=expires_at, if_revision=0)

        return self._update(key, change, default, create, attempts)

    def clear(self, *, all_map_indices: bool = False, if_revision: int | None = None, purge: bool = False) -> None:
        """Remove every key.

        Args:
            all_map_indices: Of every map index of the task; its own map index is then unused.
            if_revision: Of the whole task instance, as ``list`` tells it; not with ``all_map_indices``.
            purge: And what the history has kept of the values; its lines stay.
        """
        call = self._calls.clear(all_map_indices=all_map_indices, if_revision=if_revision, purge=purge)
        self._send(call)

    def claim(self, key: str, *, ttl: timedelta | float, wait: float = 0.0, holder: JsonValue = None) -> Claim:
        """Return a claim of a key; see :meth:`WorkerTaskState.claim`.

        It takes the permissions ``state:write`` and ``state:delete``, and ``state:read`` where an answer is lost.
        """
        connection = self._connection
        lease = lease_of(key, ttl, wait, holder, retries=connection.exchange.retries)
        return Claim(self, lease, connection.sleep)


class PublicAssetState(PublicState[PublicAssetCalls]):
    """The state of an asset, active or not, for people and services (public route set).

    Every method raises :class:`~statemount.errors.AssetNotFoundError` if there is no such asset.
    """

    def set(self, key: str, value: JsonValue, *, if_revision: int | None = None) -> int | None:
        """Create or overwrite a key; return its new revision, as :meth:`PublicTaskState.set` does."""
        return self._send(self._calls.set(key, value, if_revision))

    def update(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        *,
        default: JsonValue = None,
        attempts: int = ATTEMPTS,
    ) -> JsonValue:
        """Replace a value by what a function makes of it; see :meth:`PublicTaskState.update`."""

        def create(value: JsonValue) -> None:
            self.set(key, value, if_revision=0)

        return self._update(key, change, default, create, attempts)

    def clear(self, *, if_revision: int | None = None, purge: bool = False) -> None:
        """Remove every key.

        Args:
            if_revision: Of the whole asset, as ``list`` tells it.
            purge: And what the history has kept of the values; its lines stay.
        """
        self._send(self._calls.clear(if_revision, purge=purge))


class PublicClient:
    """The public route set: what people and services call."""

    def __init__(self, contract: Contract, connection: Connection) -> None:
        self._contract = contract
        self._connection = connection

    def task(self, *, dag_id: str, run_id: str, task_id: str, map_index: int = NOT_MAPPED) -> PublicTaskState:
        """Return the state of a task instance.

        Args:
            map_index: Of a mapped task: which instance; -1 = it is not mapped.
        """
        scope = TaskScope(dag_id, run_id, task_id, map_index)
        return PublicTaskState(PublicTaskCalls(self._contract, scope), self._connection)

    def asset(self, asset_id: int) -> PublicAssetState:
        """Return the state of an asset, active or not."""
        return PublicAssetState(PublicAssetCalls(self._contract, asset_id), self._connection)
