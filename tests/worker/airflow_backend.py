"""A worker-side backend as it is written for Airflow: from its base class, matching on its scope classes."""

from __future__ import annotations

import json
from typing import Any

from tests.worker.airflow_state import AssetScope, BaseStoreBackend, TaskScope


class AirflowBackend(BaseStoreBackend):
    """Keeps every value in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def _path(self, scope: Any, key: str) -> str:
        match scope:
            case TaskScope():
                return f"task/{scope.dag_id}/{scope.run_id}/{scope.task_id}/{scope.map_index}/{key}"
            case AssetScope():
                return f"asset/{scope.name or scope.uri}/{key}"
        raise TypeError(f"{scope!r} is no scope of Airflow's")

    def get(self, scope: Any, key: str, *, session: Any = None) -> str | None:
        return self.kept.get(self._path(scope, key))

    def set(self, scope: Any, key: str, value: str, *, expires_at: Any = None, session: Any = None) -> None:
        self.kept[self._path(scope, key)] = value

    def delete(self, scope: Any, key: str, *, session: Any = None) -> None:
        self.kept.pop(self._path(scope, key), None)

    def clear(self, scope: Any, *, all_map_indices: bool = False, session: Any = None) -> None:
        for path in [path for path in self.kept if path.startswith(self._path(scope, ""))]:
            del self.kept[path]

    async def aget(self, scope: Any, key: str, *, session: Any = None) -> str | None:
        return self.get(scope, key)

    async def aset(self, scope: Any, key: str, value: str, *, expires_at: Any = None, session: Any = None) -> None:
        self.set(scope, key, value)

    async def adelete(self, scope: Any, key: str, *, session: Any = None) -> None:
        self.delete(scope, key)

    async def aclear(self, scope: Any, *, all_map_indices: bool = False, session: Any = None) -> None:
        self.clear(scope)

    def serialize_task_state_store_to_ref(self, *, value: Any, key: str, scope: Any) -> str:
        self.set(scope, key, json.dumps(value))
        return self._path(scope, key)

    def deserialize_task_state_store_from_ref(self, stored: str) -> Any:
        return json.loads(self.kept[stored])

    def serialize_asset_state_store_to_ref(self, *, value: Any, key: str, scope: Any) -> str:
        return self.serialize_task_state_store_to_ref(value=value, key=key, scope=scope)

    def deserialize_asset_state_store_from_ref(self, stored: str) -> Any:
        return self.deserialize_task_state_store_from_ref(stored)
