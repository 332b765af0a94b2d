"""State through the client, in threads, for workers. Its async twin has the same names."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta
from typing import TypeVar

from statemount.client.contention import ATTEMPTS
from statemount.client.leases import lease_of
from statemount.client.sync_claim import Claim
from statemount.client.sync_scope import ScopeState
from statemount.client.values import StateValue
from statemount.client.worker_calls import WorkerAssetCalls, WorkerCalls, WorkerTaskCalls
from statemount.errors import KeyNotFoundError
from statemount.model import JsonValue

CallsT = TypeVar("CallsT", bound=WorkerCalls)


class WorkerState(ScopeState[CallsT]):
    """The state of a scope that a worker reaches (execution route set)."""

    def get(self, key: str) -> JsonValue:
        """Return the value of a key.

        Raises:
            KeyNotFoundError: There is no live entry under this key.
            TaskInstanceNotFoundError: There is no such task instance.
            AssetNotFoundError: There is no such active asset.
            ForbiddenError: It is another task instance, or the task is not registered with the asset.
        """
        return self._send(self._calls.get(key))

    def get_entry(self, key: str) -> StateValue:
        """Return the value of a key with its revision, as ``get`` does."""
        return self._send(self._calls.get_entry(key))

    def _seen(self, key: str, default: JsonValue) -> StateValue:
        try:
            return self.get_entry(key)
        except KeyNotFoundError:
            return StateValue(deepcopy(default), 0)


class WorkerTaskState(WorkerState[WorkerTaskCalls]):
    """The state of a task instance, for its own worker (execution route set)."""

    def set(
        self, key: str, value: JsonValue, *, expires_at: datetime | None = None, if_revision: int | None = None
    ) -> int | None:
        """Create or overwrite a key, its expiry included; return its new revision.

        Args:
            value: Any JSON but null.
            expires_at: From when on it is gone; aware. None = never.

        Returns:
            None where the server has no revisions: never with ``if_revision``.

        Raises:
            InvalidInputError: The key, the value or the time is not acceptable.
            PreconditionFailedError: It is not at that revision.
            ScopeFullError: There would be too many keys, or too much in them.
            WriteOutcomeUnknownError: It may or may not have been written.
        """
        return self._send(self._calls.set(key, value, expires_at, if_revision))

    def update(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        *,
        default: JsonValue = None,
        expires_at: datetime | None = None,
        attempts: int = ATTEMPTS,
    ) -> JsonValue:
        """Replace a value by what a function makes of it, and return that: nobody else has written in between.

        Args:
            change: Is given the value, and called again with the next one where somebody else was faster.
            default: What it is given where there is no entry.
            expires_at: As of ``set``.
            attempts: At most.

        Raises:
            PreconditionFailedError: Somebody else was faster each time.
            WriteOutcomeUnknownError: The last attempt may or may not have been written.
        """

        def attempt() -> JsonValue:
            seen = self._seen(key, default)
            value = change(seen.value)
            self.set(key, value, expires_at=expires_at, if_revision=seen.revision)
            return value

        return self.contend(attempt, attempts=attempts)

    def clear(self, *, all_map_indices: bool = False, if_revision: int | None = None) -> None:
        """Remove every key.

        Args:
            all_map_indices: Of every map index of the task. Airflow 3.3's own paths have no such request: it goes
                to the path of the contract ``aip103``, whichever contract the client speaks.
            if_revision: Of the whole task instance, 0 = it was never written; not with ``all_map_indices``.
        """
        self._send(self._calls.clear(all_map_indices=all_map_indices, if_revision=if_revision))

    def claim(
        self,
        key: str,
        *,
        ttl: timedelta | float,
        wait: float = 0.0,
        holder: JsonValue = None,
        now: Callable[[], float] | None = None,
    ) -> Claim:
        """Return a claim of a key: a lease, which one holder has at a time. It is taken by ``with`` or ``take``.

        Args:
            ttl: For how long it is taken: a duration, or seconds. The server ends it by its own clock.
            wait: Seconds for which to wait for somebody else's to end; 0 = it is refused at once.
            holder: Who takes it, for people who look; None = host and process.
            now: Tells the time in seconds since the epoch; None = as the client's retries do.

        Raises:
            ValueError: The time is not positive, or the wait negative.
        """
        connection = self._connection
        lease = lease_of(key, ttl, wait, holder, retries=connection.exchange.retries, now=now)
        return Claim(self, lease, connection.sleep)


class WorkerAssetState(WorkerState[WorkerAssetCalls]):
    """The state of an asset, for a worker whose task is registered with it (execution route set)."""

    def set(self, key: str, value: JsonValue, *, if_revision: int | None = None) -> int | None:
        """Create or overwrite a key; return its new revision, as :meth:`WorkerTaskState.set` does.

        Args:
            value: Any JSON but null.
        """
        return self._send(self._calls.set(key, value, if_revision))

    def update(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        *,
        default: JsonValue = None,
        attempts: int = ATTEMPTS,
    ) -> JsonValue:
        """Replace a value by what a function makes of it; see :meth:`WorkerTaskState.update`."""

        def attempt() -> JsonValue:
            seen = self._seen(key, default)
            value = change(seen.value)
            self.set(key, value, if_revision=seen.revision)
            return value

        return self.contend(attempt, attempts=attempts)

    def clear(self, *, if_revision: int | None = None) -> None:
        """Remove every key.

        Args:
            if_revision: Of the whole asset; 0 = it was never written.
        """
        self._send(self._calls.clear(if_revision))
