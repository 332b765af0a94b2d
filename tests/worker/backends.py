"""A worker-side backend that keeps values in memory."""

from __future__ import annotations

import json
from datetime import datetime

from statemount.model import AssetScope, JsonValue, Scope, TaskScope
from statemount.worker import BackendError, MissingObjectError, ThreadedStateBackend


class MemoryBackend(ThreadedStateBackend):
    """Keeps every value in a dictionary; ``fails`` makes each removal fail, ``calls`` names what was asked."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.calls: list[str] = []
        self.fails = False

    def get(self, scope: Scope, key: str) -> str | None:
        return self.kept.get((repr(scope), key))

    def set(self, scope: Scope, key: str, value: str, *, expires_at: datetime | None = None) -> None:
        self.kept[repr(scope), key] = value

    def delete(self, scope: Scope, key: str) -> None:
        self._remove("delete")
        self.kept.pop((repr(scope), key), None)

    def clear(self, scope: Scope, *, all_map_indices: bool = False) -> None:
        self._remove("clear")
        for name, key in list(self.kept):
            if name == repr(scope) or (all_map_indices and name.startswith(repr(scope).partition("map_index")[0])):
                del self.kept[name, key]

    def reference_written(self, scope: Scope, key: str, reference: str) -> None:
        self._remove("reference_written")

    def serialize_task_state_store_to_ref(self, *, value: JsonValue, key: str, scope: TaskScope) -> str:
        return self._keep(scope, key, value)

    def deserialize_task_state_store_from_ref(self, stored: str) -> JsonValue:
        return self._load(stored)

    def serialize_asset_state_store_to_ref(self, *, value: JsonValue, key: str, scope: AssetScope) -> str:
        return self._keep(scope, key, value)

    def deserialize_asset_state_store_from_ref(self, stored: str) -> JsonValue:
        return self._load(stored)

    def _keep(self, scope: Scope, key: str, value: JsonValue) -> str:
        self.calls.append("keep")
        self.set(scope, key, json.dumps(value))
        return json.dumps([repr(scope), key])

    def _load(self, reference: str) -> JsonValue:
        scope, key = json.loads(reference)
        if (scope, key) not in self.kept:
            raise MissingObjectError(reference)
        return json.loads(self.kept[scope, key])

    def _remove(self, call: str) -> None:
        self.calls.append(call)
        if self.fails:
            raise BackendError("the memory does not answer")
