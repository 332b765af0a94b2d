"""Calls of the public route set: what people and services ask."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from statemount.client import answers
from statemount.client.bodies import encode
from statemount.client.calls import Call
from statemount.client.contracts import PUBLIC, Contract
from statemount.client.paths import query, segment
from statemount.client.values import StateEntry, StatePage
from statemount.model import JsonValue, TaskScope


class PublicTaskCalls:
    """Calls for a task instance, by its ids."""

    def __init__(self, contract: Contract, scope: TaskScope) -> None:
        dag, run, task = (segment(name, getattr(scope, name)) for name in ("dag_id", "run_id", "task_id"))
        self._whole = f"{PUBLIC}/dags/{dag}/dagRuns/{run}/taskInstances/{task}/{contract.public}"
        self._map_index = scope.map_index
        self._query = query(map_index=scope.map_index)
        self._read_page = answers.page(contract.task_entries)

    def get(self, key: str) -> Call[StateEntry]:
        """Ask for an entry."""
        return Call("GET", self._one(key), answers.entry, key=key)

    def list(self, limit: int, offset: int) -> Call[StatePage]:
        """Ask for a part of the entries."""
        parameters = query(map_index=self._map_index, limit=limit, offset=offset)
        return Call("GET", self._whole + parameters, self._read_page)

    def set(self, key: str, value: JsonValue, expires_at: datetime | Literal["default"] | None) -> Call[None]:
        """Set a key."""
        moment = expires_at.isoformat() if isinstance(expires_at, datetime) else expires_at
        body = encode({"value": value, "expires_at": moment})
        return Call("PUT", self._one(key), answers.nothing, body, key)

    def patch(self, key: str, value: JsonValue) -> Call[None]:
        """Set the value of a key that exists."""
        return Call("PATCH", self._one(key), answers.nothing, encode({"value": value}), key)

    def delete(self, key: str) -> Call[None]:
        """Remove a key."""
        return Call("DELETE", self._one(key), answers.nothing, key=key)

    def clear(self, *, all_map_indices: bool) -> Call[None]:
        """Remove every key."""
        wide = f"{self._query}&all_map_indices=true" if all_map_indices else self._query
        return Call("DELETE", self._whole + wide, answers.nothing)

    def _one(self, key: str) -> str:
        return f"{self._whole}/{segment('key', key)}{self._query}"


class PublicAssetCalls:
    """Calls for an asset, by its id."""

    def __init__(self, contract: Contract, asset_id: int) -> None:
        self._whole = f"{PUBLIC}/assets/{asset_id:d}/{contract.public}"
        self._read_page = answers.page(contract.asset_entries)

    def get(self, key: str) -> Call[StateEntry]:
        """Ask for an entry."""
        return Call("GET", self._one(key), answers.entry, key=key)

    def list(self, limit: int, offset: int) -> Call[StatePage]:
        """Ask for a part of the entries."""
        return Call("GET", self._whole + query(limit=limit, offset=offset), self._read_page)

    def set(self, key: str, value: JsonValue) -> Call[None]:
        """Set a key."""
        return Call("PUT", self._one(key), answers.nothing, encode({"value": value}), key)

    def patch(self, key: str, value: JsonValue) -> Call[None]:
        """Set the value of a key that exists."""
        return Call("PATCH", self._one(key), answers.nothing, encode({"value": value}), key)

    def delete(self, key: str) -> Call[None]:
        """Remove a key."""
        return Call("DELETE", self._one(key), answers.nothing, key=key)

    def clear(self) -> Call[None]:
        """Remove every key."""
        return Call("DELETE", self._whole, answers.nothing)

    def _one(self, key: str) -> str:
        return f"{self._whole}/{segment('key', key)}"
