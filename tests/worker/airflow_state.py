"""A stand-in for ``airflow.sdk.state``, which the tests do not install: its classes, by name and signature."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TaskScope:
    """As Airflow's: not ours, with the same fields."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1


@dataclass(frozen=True)
class AssetScope:
    """As Airflow's: not ours, with the same fields."""

    asset_id: int | None = None
    name: str | None = None
    uri: str | None = None


class BaseStoreBackend(ABC):
    """The base class of a backend for Airflow, with nothing of ours."""

    @abstractmethod
    def get(self, scope: Any, key: str, *, session: Any = None) -> str | None: ...
    @abstractmethod
    def set(self, scope: Any, key: str, value: str, *, expires_at: Any = None, session: Any = None) -> None: ...
    @abstractmethod
    def delete(self, scope: Any, key: str, *, session: Any = None) -> None: ...
    @abstractmethod
    def clear(self, scope: Any, *, all_map_indices: bool = False, session: Any = None) -> None: ...
    @abstractmethod
    async def aget(self, scope: Any, key: str, *, session: Any = None) -> str | None: ...
    @abstractmethod
    async def aset(self, scope: Any, key: str, value: str, *, expires_at: Any = None, session: Any = None) -> None: ...
    @abstractmethod
    async def adelete(self, scope: Any, key: str, *, session: Any = None) -> None: ...
    @abstractmethod
    async def aclear(self, scope: Any, *, all_map_indices: bool = False, session: Any = None) -> None: ...

    def cleanup(self) -> None:
        raise AssertionError("no accessor cleans up")

    def serialize_task_state_store_to_ref(self, *, value: Any, key: str, scope: Any) -> str:
        return json.dumps(value)

    def deserialize_task_state_store_from_ref(self, stored: str) -> Any:
        return json.loads(stored)

    def serialize_asset_state_store_to_ref(self, *, value: Any, key: str, scope: Any) -> str:
        return json.dumps(value)

    def deserialize_asset_state_store_from_ref(self, stored: str) -> Any:
        return json.loads(stored)
