"""Calls of the execution route set: what workers ask."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from typing_extensions import override

from statemount.client import answers
from statemount.client.calls import Call
from statemount.client.conditions import clearance
from statemount.client.contracts import AIP103, Contract
from statemount.client.paths import Target, query, segment
from statemount.client.scope_calls import ScopeCalls
from statemount.client.values import StateValue
from statemount.model import JsonValue


class WorkerCalls(ScopeCalls):
    """Calls for a scope that a worker reaches."""

    _listing: ClassVar[Mapping[str, bool]] = {"list": True}

    def get(self, key: str) -> Call[JsonValue]:
        """Ask for a value."""
        return Call("GET", str(self.one(key)), answers.value, key=key)

    def get_entry(self, key: str) -> Call[StateValue]:
        """Ask for a value and its revision."""
        return Call("GET", str(self.one(key)), answers.value_with_revision, key=key)


class WorkerTaskCalls(WorkerCalls):
    """Calls for a task instance."""

    def __init__(self, contract: Contract, ti_id: UUID | str) -> None:
        super().__init__(contract.task_entries)
        self._below = f"/ti/{segment('task_instance_id', str(ti_id))}"
        self._whole = f"{contract.worker}{self._below}"

    @override
    def all(self) -> Target:
        return Target(self._whole)

    @override
    def one(self, key: str) -> Target:
        return Target(f"{self._whole}/{segment('key', key)}")

    def set(self, key: str, value: JsonValue, expires_at: datetime | None, if_revision: int | None) -> Call[int | None]:
        """Set a key."""
        document: dict[str, Any] = {"value": value}
        if expires_at is not None:
            document["expires_at"] = expires_at.isoformat()
        return self.write("PUT", key, document, if_revision)

    def clear(self, *, all_map_indices: bool, if_revision: int | None) -> Call[None]:
        """Remove every key; of all map indices by AIP-103's path, as Airflow 3.3's takes no such request."""
        if all_map_indices:
            return clearance(f"{AIP103.worker}{self._below}{query(all_map_indices=True)}", if_revision)
        return clearance(self._whole, if_revision)


class WorkerAssetCalls(WorkerCalls):
    """Calls for an asset, by its name or by its URI.

    Raises:
        ValueError: Not exactly one of them is given, or the contract has no paths for URIs.
    """

    def __init__(self, contract: Contract, name: str | None, uri: str | None) -> None:
        if (name is None) == (uri is None):
            raise ValueError("an asset is addressed by its name or by its URI: exactly one of them")
        if contract.has_asset_paths and name is None:
            raise ValueError("the contract aip103 addresses assets by their names alone")
        super().__init__(contract.asset_entries)
        prefix = f"{contract.worker}/asset"
        if contract.has_asset_paths:
            self._path = f"{prefix}/{segment('name', name or '')}"
        else:
            self._path = f"{prefix}/by-name" if uri is None else f"{prefix}/by-uri"
        self._has_path = contract.has_asset_paths
        self._query = query(name=name) if name is not None else query(uri=uri or "")

    @override
    def all(self) -> Target:
        return Target(self._path) if self._has_path else Target(self._path, self._query)

    @override
    def one(self, key: str) -> Target:
        if self._has_path:
            return Target(f"{self._path}/{segment('key', key)}")
        return Target(f"{self._path}/value", f"{self._query}&{query(key=key)[1:]}")

    def set(self, key: str, value: JsonValue, if_revision: int | None) -> Call[int | None]:
        """Set a key."""
        return self.write("PUT", key, {"value": value}, if_revision)

    def clear(self, if_revision: int | None) -> Call[None]:
        """Remove every key."""
        return clearance(self._path if self._has_path else f"{self._path}/clear{self._query}", if_revision)
