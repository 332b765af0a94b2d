"""Calls of the public route set: what people and services ask."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from typing_extensions import override

from statemount.client import answers
from statemount.client.calls import Call
from statemount.client.conditions import clearance
from statemount.client.contracts import PUBLIC, Contract
from statemount.client.paths import Target, query, segment
from statemount.client.scope_calls import ScopeCalls
from statemount.client.values import StateEntry
from statemount.model import JsonValue, TaskScope


class PublicCalls(ScopeCalls):
    """Calls for a scope, by people and services.

    Args:
        whole: Where its entries are.
        entries: The name of a list of them.
    """

    def __init__(self, whole: Target, entries: str) -> None:
        super().__init__(entries)
        self._whole = whole

    @override
    def all(self) -> Target:
        return self._whole

    @override
    def one(self, key: str) -> Target:
        return Target(f"{self._whole.path}/{segment('key', key)}", self._whole.query)

    def get(self, key: str) -> Call[StateEntry]:
        """Ask for an entry."""
        return Call("GET", str(self.one(key)), answers.entry, key=key)

    def patch(self, key: str, value: JsonValue, if_revision: int | None) -> Call[int | None]:
        """Set the value of a key that exists."""
        return self.write("PATCH", key, {"value": value}, if_revision)


class PublicTaskCalls(PublicCalls):
    """Calls for a task instance, by its ids."""

    def __init__(self, contract: Contract, scope: TaskScope) -> None:
        dag, run, task = (segment(name, getattr(scope, name)) for name in ("dag_id", "run_id", "task_id"))
        path = f"{PUBLIC}/dags/{dag}/dagRuns/{run}/taskInstances/{task}/{contract.public}"
        super().__init__(Target(path, query(map_index=scope.map_index)), contract.task_entries)

    def set(
        self, key: str, value: JsonValue, expires_at: datetime | Literal["default"] | None, if_revision: int | None
    ) -> Call[int | None]:
        """Set a key."""
        moment = expires_at.isoformat() if isinstance(expires_at, datetime) else expires_at
        return self.write("PUT", key, {"value": value, "expires_at": moment}, if_revision)

    def clear(self, *, all_map_indices: bool, if_revision: int | None) -> Call[None]:
        """Remove every key."""
        target = self._whole.also(all_map_indices=True) if all_map_indices else str(self._whole)
        return clearance(target, if_revision)


class PublicAssetCalls(PublicCalls):
    """Calls for an asset, by its id."""

    def __init__(self, contract: Contract, asset_id: int) -> None:
        super().__init__(Target(f"{PUBLIC}/assets/{asset_id:d}/{contract.public}"), contract.asset_entries)

    def set(self, key: str, value: JsonValue, if_revision: int | None) -> Call[int | None]:
        """Set a key."""
        return self.write("PUT", key, {"value": value}, if_revision)

    def clear(self, if_revision: int | None) -> Call[None]:
        """Remove every key."""
        return clearance(str(self._whole), if_revision)
