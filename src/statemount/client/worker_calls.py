"""Calls of the execution route set: what workers ask."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from statemount.client import answers
from statemount.client.bodies import encode
from statemount.client.calls import Call
from statemount.client.contracts import AIP103, Contract
from statemount.client.paths import query, segment
from statemount.model import JsonValue


class WorkerTaskCalls:
    """Calls for a task instance."""

    def __init__(self, contract: Contract, ti_id: UUID | str) -> None:
        self._below = f"/ti/{segment('task_instance_id', str(ti_id))}"
        self._whole = f"{contract.worker}{self._below}"

    def get(self, key: str) -> Call[JsonValue]:
        """Ask for a value."""
        return Call("GET", self._one(key), answers.value, key=key)

    def set(self, key: str, value: JsonValue, expires_at: datetime | None) -> Call[None]:
        """Set a key."""
        document: dict[str, Any] = {"value": value}
        if expires_at is not None:
            document["expires_at"] = expires_at.isoformat()
        return Call("PUT", self._one(key), answers.nothing, encode(document), key)

    def delete(self, key: str) -> Call[None]:
        """Remove a key."""
        return Call("DELETE", self._one(key), answers.nothing, key=key)

    def clear(self, *, all_map_indices: bool) -> Call[None]:
        """Remove every key; of all map indices by AIP-103's path, as Airflow 3.3's takes no such request."""
        if all_map_indices:
            return Call("DELETE", f"{AIP103.worker}{self._below}{query(all_map_indices=True)}", answers.nothing)
        return Call("DELETE", self._whole, answers.nothing)

    def _one(self, key: str) -> str:
        return f"{self._whole}/{segment('key', key)}"


class WorkerAssetCalls:
    """Calls for an asset, by its name or by its URI.

    Raises:
        ValueError: Not exactly one of them is given, or the contract has no paths for URIs.
    """

    def __init__(self, contract: Contract, name: str | None, uri: str | None) -> None:
        if (name is None) == (uri is None):
            raise ValueError("an asset is addressed by its name or by its URI: exactly one of them")
        if contract.has_asset_paths and name is None:
            raise ValueError("the contract aip103 addresses assets by their names alone")
        prefix = f"{contract.worker}/asset"
        if contract.has_asset_paths:
            self._path = f"{prefix}/{segment('name', name or '')}"
        else:
            self._path = f"{prefix}/by-name" if uri is None else f"{prefix}/by-uri"
        self._has_path = contract.has_asset_paths
        self._query = query(name=name) if name is not None else query(uri=uri or "")

    def get(self, key: str) -> Call[JsonValue]:
        """Ask for a value."""
        return Call("GET", self._one(key), answers.value, key=key)

    def set(self, key: str, value: JsonValue) -> Call[None]:
        """Set a key."""
        return Call("PUT", self._one(key), answers.nothing, encode({"value": value}), key)

    def delete(self, key: str) -> Call[None]:
        """Remove a key."""
        return Call("DELETE", self._one(key), answers.nothing, key=key)

    def clear(self) -> Call[None]:
        """Remove every key."""
        return Call("DELETE", self._path if self._has_path else f"{self._path}/clear{self._query}", answers.nothing)

    def _one(self, key: str) -> str:
        if self._has_path:
            return f"{self._path}/{segment('key', key)}"
        return f"{self._path}/value{self._query}&{query(key=key)[1:]}"
