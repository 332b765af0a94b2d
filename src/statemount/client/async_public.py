"""State for people and services, awaited: the twins of :mod:`statemount.client.sync_public`, with the same names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from statemount.client.async_claim import AsyncClaim
from statemount.client.async_connection import AsyncConnection
from statemount.client.async_scope import AsyncScopeState
from statemount.client.contention import ATTEMPTS, revision_of
from statemount.client.contracts import Contract
from statemount.client.leases import lease_of
from statemount.client.parts import PART
from statemount.client.public_calls import PublicAssetCalls, PublicCalls, PublicTaskCalls
from statemount.client.values import HistoryPage, StateChange, StateEntry
from statemount.errors import KeyNotFoundError, PreconditionFailedError
from statemount.model import NOT_MAPPED, JsonValue, TaskScope

CallsT = TypeVar("CallsT", bound=PublicCalls)


class AsyncPublicState(AsyncScopeState[CallsT]):
    """As :class:`~statemount.client.sync_public.PublicState`, awaited."""

    async def get(self, key: str) -> StateEntry:
        return await self._send(self._calls.get(key))

    async def get_entry(self, key: str) -> StateEntry:
        return await self.get(key)

    async def delete(self, key: str, *, if_revision: int | None = None, purge: bool = False) -> None:
        call = self._calls.purge(key, if_revision) if purge else self._calls.delete(key, if_revision)
        await self._send(call)

    async def history(self, key: str | None = None, *, limit: int = 50, before: int | None = None) -> HistoryPage:
        return await self._send(self._calls.history(key, limit, before))

    async def changes(self, key: str | None = None) -> AsyncIterator[StateChange]:
        before: int | None = None
        while True:
            page = await self.history(key, limit=PART, before=before)
            for change in page.changes:
                yield change
            before = page.before
            if before is None:
                return

    async def value_at(self, key: str, *, revision: int | None = None, at: datetime | None = None) -> StateEntry:
        return await self._send(self._calls.entry_at(key, revision, at))

    async def revert(self, key: str, revision: int, *, if_revision: int | None = None) -> int | None:
        return await self._send(self._calls.revert(key, revision, if_revision))

    async def patch(self, key: str, value: JsonValue, *, if_revision: int | None = None) -> int | None:
        return await self._send(self._calls.patch(key, value, if_revision))

    async def _update(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        default: JsonValue,
        create: Callable[[JsonValue], Awaitable[object]],
        attempts: int,
    ) -> JsonValue:
        async def attempt() -> JsonValue:
            try:
                entry = await self.get(key)
            except KeyNotFoundError:
                value = change(deepcopy(default))
                await create(value)
                return value
            value = change(entry.value)
            try:
                await self.patch(key, value, if_revision=revision_of(entry))
            except KeyNotFoundError as error:
                raise PreconditionFailedError(None) from error
            return value

        return await self.contend(attempt, attempts=attempts)


class AsyncPublicTaskState(AsyncPublicState[PublicTaskCalls]):
    """As :class:`~statemount.client.PublicTaskState`, awaited."""

    async def set(
        self,
        key: str,
        value: JsonValue,
        *,
        expires_at: datetime | Literal["default"] | None = "default",
        if_revision: int | None = None,
    ) -> int | None:
        return await self._send(self._calls.set(key, value, expires_at, if_revision))

    async def update(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        *,
        default: JsonValue = None,
        expires_at: datetime | Literal["default"] | None = "default",
        attempts: int = ATTEMPTS,
    ) -> JsonValue:
        async def create(value: JsonValue) -> None:
            await self.set(key, value, expires_at=expires_at, if_revision=0)

        return await self._update(key, change, default, create, attempts)

    async def clear(
        self, *, all_map_indices: bool = False, if_revision: int | None = None, purge: bool = False
    ) -> None:
        call = self._calls.clear(all_map_indices=all_map_indices, if_revision=if_revision, purge=purge)
        await self._send(call)

    def claim(self, key: str, *, ttl: timedelta | float, wait: float = 0.0, holder: JsonValue = None) -> AsyncClaim:
        connection = self._connection
        lease = lease_of(key, ttl, wait, holder, retries=connection.exchange.retries)
        return AsyncClaim(self, lease, connection.sleep)


class AsyncPublicAssetState(AsyncPublicState[PublicAssetCalls]):
    """As :class:`~statemount.client.PublicAssetState`, awaited."""

    async def set(self, key: str, value: JsonValue, *, if_revision: int | None = None) -> int | None:
        return await self._send(self._calls.set(key, value, if_revision))

    async def update(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        *,
        default: JsonValue = None,
        attempts: int = ATTEMPTS,
    ) -> JsonValue:
        async def create(value: JsonValue) -> None:
            await self.set(key, value, if_revision=0)

        return await self._update(key, change, default, create, attempts)

    async def clear(self, *, if_revision: int | None = None, purge: bool = False) -> None:
        await self._send(self._calls.clear(if_revision, purge=purge))


class AsyncPublicClient:
    """As :class:`~statemount.client.PublicClient`, awaited."""

    def __init__(self, contract: Contract, connection: AsyncConnection) -> None:
        self._contract = contract
        self._connection = connection

    def task(self, *, dag_id: str, run_id: str, task_id: str, map_index: int = NOT_MAPPED) -> AsyncPublicTaskState:
        scope = TaskScope(dag_id, run_id, task_id, map_index)
        return AsyncPublicTaskState(PublicTaskCalls(self._contract, scope), self._connection)

    def asset(self, asset_id: int) -> AsyncPublicAssetState:
        return AsyncPublicAssetState(PublicAssetCalls(self._contract, asset_id), self._connection)
