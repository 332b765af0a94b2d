"""The state of an asset, as a task uses it that is registered with it."""

from __future__ import annotations

from typing_extensions import override

from statemount.client import AsyncWorkerAssetState, WorkerAssetState
from statemount.errors import KeyNotFoundError
from statemount.model import AssetScope, JsonValue
from statemount.worker.accessor import StateAccessor, check_value
from statemount.worker.backends import BaseStateBackend
from statemount.worker.clients import Clients
from statemount.worker.scoped import ScopedBackend


class AssetStateAccessor(StateAccessor):
    """The state of one asset. Two accessors of the same name, or of the same URI, are equal.

    Raises:
        ValueError: Not exactly one of name and URI is given.
    """

    def __init__(
        self,
        clients: Clients,
        *,
        name: str | None = None,
        uri: str | None = None,
        backend: BaseStateBackend | None = None,
    ) -> None:
        if bool(name) == bool(uri):
            raise ValueError("an asset is addressed by its name or by its URI: exactly one of them")
        self._clients = clients
        self._name = name or None
        self._uri = uri or None
        self._kept = ScopedBackend(AssetScope(name=self._name, uri=self._uri), backend)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AssetStateAccessor):
            return NotImplemented
        return (self._name, self._uri) == (other._name, other._uri)

    def __hash__(self) -> int:
        return hash((self._name, self._uri))

    def __repr__(self) -> str:
        return f"<AssetStateAccessor {self.address}>"

    @property
    def address(self) -> str:
        """How the asset is addressed, for a person."""
        return f"uri={self._uri!r}" if self._name is None else f"name={self._name!r}"

    @override
    def get(self, key: str, default: JsonValue = None) -> JsonValue:
        try:
            stored = self._sync.get(key)
        except KeyNotFoundError:
            return default
        return self._kept.from_stored(key, stored)

    @override
    def set(self, key: str, value: JsonValue) -> None:
        check_value(value)
        stored = self._kept.to_stored(key, value)
        self._sync.set(key, stored)
        self._kept.stored_on_server(key, stored)

    @override
    def delete(self, key: str) -> None:
        self._sync.delete(key)
        self._kept.delete(key)

    @override
    def clear(self) -> None:
        self._sync.clear()
        self._kept.clear()

    @override
    async def aget(self, key: str, default: JsonValue = None) -> JsonValue:
        try:
            stored = await self._async.get(key)
        except KeyNotFoundError:
            return default
        return await self._kept.afrom_stored(key, stored)

    @override
    async def aset(self, key: str, value: JsonValue) -> None:
        check_value(value)
        stored = await self._kept.ato_stored(key, value)
        await self._async.set(key, stored)
        await self._kept.astored_on_server(key, stored)

    @override
    async def adelete(self, key: str) -> None:
        await self._async.delete(key)
        await self._kept.adelete(key)

    @override
    async def aclear(self) -> None:
        await self._async.clear()
        await self._kept.aclear()

    @property
    def _sync(self) -> WorkerAssetState:
        return self._clients.for_threads().asset(name=self._name, uri=self._uri)

    @property
    def _async(self) -> AsyncWorkerAssetState:
        return self._clients.for_loop().asset(name=self._name, uri=self._uri)
