"""The contract of a worker-side backend: it keeps values itself, and the server keeps references to them.

Names and signatures are those of Airflow 3.3's ``BaseStoreBackend`` (``airflow.sdk.state``), so that one class serves
Airflow's workers and ours. Airflow passes ``session`` and ``expires_at`` by name to backends of its server only.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from datetime import datetime

from anyio import to_thread

from statemount.model import AssetScope, JsonValue, Scope, TaskScope

_METHODS = (
    *("get", "set", "delete", "clear", "aget", "aset", "adelete", "aclear", "cleanup"),
    *("serialize_task_state_store_to_ref", "deserialize_task_state_store_from_ref"),
    *("serialize_asset_state_store_to_ref", "deserialize_asset_state_store_from_ref"),
)


class BaseStateBackend(ABC):
    """Keeps values on the worker's side. A class with all of these methods counts as a subclass.

    One object serves a whole process, from several threads at once. The scope of an asset has the name or the URI by
    which the worker addressed it, never the id. Accessors call the four hooks, ``delete`` and ``clear``; ``get`` and
    ``set`` reach the kept values without the server, for repair and for tests.
    """

    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        if cls is BaseStateBackend and all(callable(getattr(other, name, None)) for name in _METHODS):
            return True
        return NotImplemented  # type: ignore[no-any-return]  # which lets the class decide

    @abstractmethod
    def get(self, scope: Scope, key: str) -> str | None:
        """Return the JSON text that is kept for a key; None if there is none.

        Raises:
            BackendError: The backend cannot be asked.
        """

    @abstractmethod
    def set(self, scope: Scope, key: str, value: str, *, expires_at: datetime | None = None) -> None:
        """Keep a JSON text for a key, in the place of what was kept.

        Args:
            expires_at: From when on it may be removed; None = never. A backend may keep it longer.

        Raises:
            BackendError: It is not kept.
        """

    @abstractmethod
    def delete(self, scope: Scope, key: str) -> None:
        """Remove what is kept for a key. Nothing happens if there is nothing.

        Raises:
            BackendError: It may still be there.
        """

    @abstractmethod
    def clear(self, scope: Scope, *, all_map_indices: bool = False) -> None:
        """Remove what is kept for all keys of a scope.

        Args:
            all_map_indices: Remove it for every map index of the task, not mapped (-1) included. It means nothing for
                an asset.

        Raises:
            BackendError: Some of it may still be there.
        """

    @abstractmethod
    async def aget(self, scope: Scope, key: str) -> str | None:
        """Do what ``get`` does."""

    @abstractmethod
    async def aset(self, scope: Scope, key: str, value: str, *, expires_at: datetime | None = None) -> None:
        """Do what ``set`` does."""

    @abstractmethod
    async def adelete(self, scope: Scope, key: str) -> None:
        """Do what ``delete`` does."""

    @abstractmethod
    async def aclear(self, scope: Scope, *, all_map_indices: bool = False) -> None:
        """Do what ``clear`` does."""

    def cleanup(self) -> None:  # noqa: B027
        """Remove what no reference names any more, as far as the backend can tell. By default nothing."""

    def reference_written(self, scope: Scope, key: str, reference: str) -> None:  # noqa: B027
        """Hear that the server now has this reference for a key: what an earlier one named may be removed.

        By default nothing is done. Airflow's accessors do not call it.

        Raises:
            BackendError: Something that nobody needs is left.
        """

    def reference_replaced(self, scope: Scope, key: str, reference: str) -> None:  # noqa: B027
        """Hear that the server no longer has this reference for a key, as a set on a condition or a delete replaced it.

        A set on a condition keeps its value under a key that is made for it (the key, ``~`` and a random part), as it
        is not known before whether the server takes the reference. What such a key has kept may be removed now; what
        was kept under the key itself may not: a set without a condition may be writing it. By default nothing is done,
        and such values stay until the scope is cleared. Airflow's accessors do not call it.

        Raises:
            BackendError: Something that nobody needs is left.
        """

    def serialize_task_state_store_to_ref(self, *, value: JsonValue, key: str, scope: TaskScope) -> str:
        """Keep a task's value; return the reference for the server, without the marker. By default its JSON text.

        A reference that does not hold the value itself depends on scope and key alone: no time, no random part. Else
        ``delete`` and ``clear`` would not find the value.

        Raises:
            InvalidInputError: It is no JSON value.
            BackendError: It is not kept.
        """
        return json.dumps(value)

    def deserialize_task_state_store_from_ref(self, stored: str) -> JsonValue:
        """Return the task's value that a reference, without the marker, names.

        Raises:
            MissingObjectError: It is not there.
            BackendError: The backend cannot be asked, or the reference is none of its own.
        """
        return json.loads(stored)

    def serialize_asset_state_store_to_ref(self, *, value: JsonValue, key: str, scope: AssetScope) -> str:
        """Keep an asset's value, as ``serialize_task_state_store_to_ref`` does a task's."""
        return json.dumps(value)

    def deserialize_asset_state_store_from_ref(self, stored: str) -> JsonValue:
        """Return an asset's value, as ``deserialize_task_state_store_from_ref`` does a task's."""
        return json.loads(stored)


class ThreadedStateBackend(BaseStateBackend):
    """A backend whose asynchronous forms run the others in a thread.

    A call that is cancelled is waited for: else a late write could replace the value of the next one.
    """

    async def aget(self, scope: Scope, key: str) -> str | None:
        return await to_thread.run_sync(self.get, scope, key)

    async def aset(self, scope: Scope, key: str, value: str, *, expires_at: datetime | None = None) -> None:
        await to_thread.run_sync(lambda: self.set(scope, key, value, expires_at=expires_at))

    async def adelete(self, scope: Scope, key: str) -> None:
        await to_thread.run_sync(self.delete, scope, key)

    async def aclear(self, scope: Scope, *, all_map_indices: bool = False) -> None:
        await to_thread.run_sync(lambda: self.clear(scope, all_map_indices=all_map_indices))
