"""State through the client, awaited: the twins of :mod:`statemount.client.sync_state`, with the same names."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from statemount.client.calls import AsyncSend
from statemount.client.contracts import Contract
from statemount.client.public_calls import PublicAssetCalls, PublicTaskCalls
from statemount.client.values import StateEntry, StatePage
from statemount.client.worker_calls import WorkerAssetCalls, WorkerTaskCalls
from statemount.model import NOT_MAPPED, JsonValue, TaskScope


class AsyncWorkerTaskState:
    """As :class:`~statemount.client.WorkerTaskState`, awaited."""

    def __init__(self, calls: WorkerTaskCalls, send: AsyncSend) -> None:
        self._calls = calls
        self._send = send

    async def get(self, key: str) -> JsonValue:
        return await self._send(self._calls.get(key))

    async def set(self, key: str, value: JsonValue, *, expires_at: datetime | None = None) -> None:
        await self._send(self._calls.set(key, value, expires_at))

    async def delete(self, key: str) -> None:
        await self._send(self._calls.delete(key))

    async def clear(self, *, all_map_indices: bool = False) -> None:
        await self._send(self._calls.clear(all_map_indices=all_map_indices))


class AsyncWorkerAssetState:
    """As :class:`~statemount.client.WorkerAssetState`, awaited."""

    def __init__(self, calls: WorkerAssetCalls, send: AsyncSend) -> None:
        self._calls = calls
        self._send = send

    async def get(self, key: str) -> JsonValue:
        return await self._send(self._calls.get(key))

    async def set(self, key: str, value: JsonValue) -> None:
        await self._send(self._calls.set(key, value))

    async def delete(self, key: str) -> None:
        await self._send(self._calls.delete(key))

    async def clear(self) -> None:
        await self._send(self._calls.clear())


class AsyncPublicTaskState:
    """As :class:`~statemount.client.PublicTaskState`, awaited."""

    def __init__(self, calls: PublicTaskCalls, send: AsyncSend) -> None:
        self._calls = calls
        self._send = send

    async def get(self, key: str) -> StateEntry:
        return await self._send(self._calls.get(key))

    async def list(self, *, limit: int = 50, offset: int = 0) -> StatePage:
        return await self._send(self._calls.list(limit, offset))

    async def set(
        self, key: str, value: JsonValue, *, expires_at: datetime | Literal["default"] | None = "default"
    ) -> None:
        await self._send(self._calls.set(key, value, expires_at))

    async def patch(self, key: str, value: JsonValue) -> None:
        await self._send(self._calls.patch(key, value))

    async def delete(self, key: str) -> None:
        await self._send(self._calls.delete(key))

    async def clear(self, *, all_map_indices: bool = False) -> None:
        await self._send(self._calls.clear(all_map_indices=all_map_indices))


class AsyncPublicAssetState:
    """As :class:`~statemount.client.PublicAssetState`, awaited."""

    def __init__(self, calls: PublicAssetCalls, send: AsyncSend) -> None:
        self._calls = calls
        self._send = send

    async def get(self, key: str) -> StateEntry:
        return await self._send(self._calls.get(key))

    async def list(self, *, limit: int = 50, offset: int = 0) -> StatePage:
        return await self._send(self._calls.list(limit, offset))

    async def set(self, key: str, value: JsonValue) -> None:
        await self._send(self._calls.set(key, value))

    async def patch(self, key: str, value: JsonValue) -> None:
        await self._send(self._calls.patch(key, value))

    async def delete(self, key: str) -> None:
        await self._send(self._calls.delete(key))

    async def clear(self) -> None:
        await self._send(self._calls.clear())


class AsyncPublicClient:
    """As :class:`~statemount.client.PublicClient`, awaited."""

    def __init__(self, contract: Contract, send: AsyncSend) -> None:
        self._contract = contract
        self._send = send

    def task(self, *, dag_id: str, run_id: str, task_id: str, map_index: int = NOT_MAPPED) -> AsyncPublicTaskState:
        return AsyncPublicTaskState(
            PublicTaskCalls(self._contract, TaskScope(dag_id, run_id, task_id, map_index)), self._send
        )

    def asset(self, asset_id: int) -> AsyncPublicAssetState:
        return AsyncPublicAssetState(PublicAssetCalls(self._contract, asset_id), self._send)
