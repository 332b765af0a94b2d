"""State for workers, awaited: the twins of :mod:`statemount.client.sync_worker`, with the same names."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta
from typing import TypeVar

from statemount.client.async_claim import AsyncClaim
from statemount.client.async_scope import AsyncScopeState
from statemount.client.contention import ATTEMPTS
from statemount.client.leases import lease_of
from statemount.client.values import StateValue
from statemount.client.worker_calls import WorkerAssetCalls, WorkerCalls, WorkerTaskCalls
from statemount.errors import KeyNotFoundError
from statemount.model import JsonValue

CallsT = TypeVar("CallsT", bound=WorkerCalls)


class AsyncWorkerState(AsyncScopeState[CallsT]):
    """As :class:`~statemount.client.sync_worker.WorkerState`, awaited."""

    async def get(self, key: str) -> JsonValue:
        return await self._send(self._calls.get(key))

    async def get_entry(self, key: str) -> StateValue:
        return await self._send(self._calls.get_entry(key))

    async def _seen(self, key: str, default: JsonValue) -> StateValue:
        try:
            return await self.get_entry(key)
        except KeyNotFoundError:
            return StateValue(deepcopy(default), 0)


class AsyncWorkerTaskState(AsyncWorkerState[WorkerTaskCalls]):
    """As :class:`~statemount.client.WorkerTaskState`, awaited."""

    async def set(
        self, key: str, value: JsonValue, *, expires_at: datetime | None = None, if_revision: int | None = None
    ) -> int | None:
        return await self._send(self._calls.set(key, value, expires_at, if_revision))

    async def update(
        self,
        key: str,
        change: Callable[[JsonValue], JsonValue],
        *,
        default: JsonValue = None,
        expires_at: datetime | None = None,
        attempts: int = ATTEMPTS,
    ) -> JsonValue:
        async def attempt() -> JsonValue:
            seen = await self._seen(key, default)
            value = change(seen.value)
            await self.set(key, value, expires_at=expires_at, if_revision=seen.revision)
            return value

        return await self.contend(attempt, attempts=attempts)

    async def clear(self, *, all_map_indices: bool = False, if_revision: int | None = None) -> None:
        await self._send(self._calls.clear(all_map_indices=all_map_indices, if_revision=if_revision))

    def claim(
        self,
        key: str,
        *,
        ttl: timedelta | float,
        wait: float = 0.0,
        holder: JsonValue = None,
        now: Callable[[], float] | None = None,
    ) -> AsyncClaim:
        connection = self._connection
        lease = lease_of(key, ttl, wait, holder, retries=connection.exchange.retries, now=now)
        return AsyncClaim(self, lease, connection.sleep)


class AsyncWorkerAssetState(AsyncWorkerState[WorkerAssetCalls]):
    """As :class:`~statemount.client.WorkerAssetState`, awaited."""

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
        async def attempt() -> JsonValue:
            seen = await self._seen(key, default)
            value = change(seen.value)
            await self.set(key, value, if_revision=seen.revision)
            return value

        return await self.contend(attempt, attempts=attempts)

    async def clear(self, *, if_revision: int | None = None) -> None:
        await self._send(self._calls.clear(if_revision))
