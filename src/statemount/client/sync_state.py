"""State through the client, in threads: one object for each scope. Its async twin has the same names."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from statemount.client.calls import Send
from statemount.client.contracts import Contract
from statemount.client.public_calls import PublicAssetCalls, PublicTaskCalls
from statemount.client.values import StateEntry, StatePage
from statemount.client.worker_calls import WorkerAssetCalls, WorkerTaskCalls
from statemount.model import NOT_MAPPED, JsonValue, TaskScope


class WorkerTaskState:
    """The state of a task instance, for its own worker (execution route set)."""

    def __init__(self, calls: WorkerTaskCalls, send: Send) -> None:
        self._calls = calls
        self._send = send

    def get(self, key: str) -> JsonValue:
        """Return the value of a key.

        Raises:
            KeyNotFoundError: There is no live entry under this key.
            TaskInstanceNotFoundError: There is no such task instance.
        """
        return self._send(self._calls.get(key))

    def set(self, key: str, value: JsonValue, *, expires_at: datetime | None = None) -> None:
        """Create or overwrite a key, its expiry included.

        Args:
            value: Any JSON but null.
            expires_at: From when on it is gone; aware. None = never.

        Raises:
            InvalidInputError: The key, the value or the time is not acceptable.
            ScopeFullError: There would be too many keys, or too much in them.
            WriteOutcomeUnknownError: It may or may not have been written.
        """
        self._send(self._calls.set(key, value, expires_at))

    def delete(self, key: str) -> None:
        """Remove a key; a no-op if it is missing."""
        self._send(self._calls.delete(key))

    def clear(self, *, all_map_indices: bool = False) -> None:
        """Remove every key.

        Args:
            all_map_indices: Of every map index of the task. Airflow 3.3's own paths have no such request: it goes
                to the path of the contract ``aip103``, whichever contract the client speaks.
        """
        self._send(self._calls.clear(all_map_indices=all_map_indices))


class WorkerAssetState:
    """The state of an asset, for a worker whose task is registered with it (execution route set)."""

    def __init__(self, calls: WorkerAssetCalls, send: Send) -> None:
        self._calls = calls
        self._send = send

    def get(self, key: str) -> JsonValue:
        """Return the value of a key.

        Raises:
            KeyNotFoundError: There is no entry under this key.
            AssetNotFoundError: There is no such active asset.
            ForbiddenError: The task is not registered with the asset.
        """
        return self._send(self._calls.get(key))

    def set(self, key: str, value: JsonValue) -> None:
        """Create or overwrite a key.

        Args:
            value: Any JSON but null.
        """
        self._send(self._calls.set(key, value))

    def delete(self, key: str) -> None:
        """Remove a key; a no-op if it is missing."""
        self._send(self._calls.delete(key))

    def clear(self) -> None:
        """Remove every key."""
        self._send(self._calls.clear())


class PublicTaskState:
    """The state of a task instance, for people and services (public route set)."""

    def __init__(self, calls: PublicTaskCalls, send: Send) -> None:
        self._calls = calls
        self._send = send

    def get(self, key: str) -> StateEntry:
        """Return an entry. Nobody asks whether the task instance exists.

        Raises:
            KeyNotFoundError: There is no live entry under this key.
        """
        return self._send(self._calls.get(key))

    def list(self, *, limit: int = 50, offset: int = 0) -> StatePage:
        """Return a part of the entries.

        Args:
            limit: At most so many; the server cuts it to 100. 0 = the total alone.
            offset: How many to pass over.
        """
        return self._send(self._calls.list(limit, offset))

    def set(self, key: str, value: JsonValue, *, expires_at: datetime | Literal["default"] | None = "default") -> None:
        """Create or overwrite a key, its expiry included.

        Args:
            value: Any JSON but null.
            expires_at: From when on it is gone; aware. None = never, ``default`` = after the server's retention.

        Raises:
            TaskInstanceNotFoundError: There is no such task instance.
        """
        self._send(self._calls.set(key, value, expires_at))

    def patch(self, key: str, value: JsonValue) -> None:
        """Set the value of a key that exists; its expiry stays.

        Raises:
            KeyNotFoundError: There is no live entry under this key.
            TaskInstanceNotFoundError: There is no such task instance.
        """
        self._send(self._calls.patch(key, value))

    def delete(self, key: str) -> None:
        """Remove a key; a no-op if it is missing."""
        self._send(self._calls.delete(key))

    def clear(self, *, all_map_indices: bool = False) -> None:
        """Remove every key.

        Args:
            all_map_indices: Of every map index of the task; its own map index is then unused.
        """
        self._send(self._calls.clear(all_map_indices=all_map_indices))


class PublicAssetState:
    """The state of an asset, active or not, for people and services (public route set).

    Every method raises :class:`~statemount.errors.AssetNotFoundError` if there is no such asset.
    """

    def __init__(self, calls: PublicAssetCalls, send: Send) -> None:
        self._calls = calls
        self._send = send

    def get(self, key: str) -> StateEntry:
        """Return an entry.

        Raises:
            KeyNotFoundError: There is no entry under this key.
        """
        return self._send(self._calls.get(key))

    def list(self, *, limit: int = 50, offset: int = 0) -> StatePage:
        """Return a part of the entries; see :meth:`PublicTaskState.list`."""
        return self._send(self._calls.list(limit, offset))

    def set(self, key: str, value: JsonValue) -> None:
        """Create or overwrite a key."""
        self._send(self._calls.set(key, value))

    def patch(self, key: str, value: JsonValue) -> None:
        """Set the value of a key that exists.

        Raises:
            KeyNotFoundError: There is no entry under this key.
        """
        self._send(self._calls.patch(key, value))

    def delete(self, key: str) -> None:
        """Remove a key; a no-op if it is missing."""
        self._send(self._calls.delete(key))

    def clear(self) -> None:
        """Remove every key."""
        self._send(self._calls.clear())


class PublicClient:
    """The public route set: what people and services call."""

    def __init__(self, contract: Contract, send: Send) -> None:
        self._contract = contract
        self._send = send

    def task(self, *, dag_id: str, run_id: str, task_id: str, map_index: int = NOT_MAPPED) -> PublicTaskState:
        """Return the state of a task instance.

        Args:
            map_index: Of a mapped task: which instance; -1 = it is not mapped.
        """
        return PublicTaskState(
            PublicTaskCalls(self._contract, TaskScope(dag_id, run_id, task_id, map_index)), self._send
        )

    def asset(self, asset_id: int) -> PublicAssetState:
        """Return the state of an asset, active or not."""
        return PublicAssetState(PublicAssetCalls(self._contract, asset_id), self._send)
