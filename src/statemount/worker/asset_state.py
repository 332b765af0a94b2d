"""The state of an asset, as a task uses it that is registered with it."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import override

from statemount.client import AsyncWorkerAssetState, WorkerAssetState
from statemount.model import AssetScope, JsonValue
from statemount.worker.accessor import check_value
from statemount.worker.backends import BaseStateBackend
from statemount.worker.clients import Clients
from statemount.worker.scope_accessor import ScopeAccessor
from statemount.worker.scoped import ScopedBackend


class AssetStateAccessor(ScopeAccessor):
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
        super().__init__(ScopedBackend(AssetScope(name=self._name, uri=self._uri), backend))

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
    def set(self, key: str, value: JsonValue, *, if_revision: int | None = None) -> int | None:
        check_value(value)
        return self._write(key, value, None, if_revision)

    @override
    def clear(self, *, if_revision: int | None = None) -> None:
        self.server.clear(if_revision=if_revision)
        self._kept.clear()

    @override
    async def aset(self, key: str, value: JsonValue, *, if_revision: int | None = None) -> int | None:
        check_value(value)
        return await self._awrite(key, value, None, if_revision)

    @override
    async def aclear(self, *, if_revision: int | None = None) -> None:
        await self.aserver.clear(if_revision=if_revision)
        await self._kept.aclear()

    @property
    @override
    def server(self) -> WorkerAssetState:
        return self._clients.for_threads().asset(name=self._name, uri=self._uri)

    @property
    @override
    def aserver(self) -> AsyncWorkerAssetState:
        return self._clients.for_loop().asset(name=self._name, uri=self._uri)

    @override
    def _put(self, key: str, stored: JsonValue, expires_at: datetime | None, if_revision: int | None) -> int | None:
        return self.server.set(key, stored, if_revision=if_revision)

    @override
    async def _aput(
        self, key: str, stored: JsonValue, expires_at: datetime | None, if_revision: int | None
    ) -> int | None:
        return await self.aserver.set(key, stored, if_revision=if_revision)
