"""The directory through the client, awaited: the twin of :mod:`statemount.client.sync_directory`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from statemount.client import directory_calls as calls
from statemount.client.calls import AsyncSend
from statemount.client.values import AssetPage, Registration
from statemount.model import Asset, TaskInstance


class AsyncDirectoryClient:
    """As :class:`~statemount.client.DirectoryClient`, awaited."""

    def __init__(self, send: AsyncSend) -> None:
        self._send = send

    async def register_task_instance(self, registration: Registration | TaskInstance) -> None:
        await self._send(calls.register_task_instance(registration))

    async def register_task_instances(self, registrations: Iterable[Registration | TaskInstance]) -> None:
        await self._send(calls.register_task_instances(registrations))

    async def task_instance(self, ti_id: UUID | str) -> TaskInstance:
        return await self._send(calls.task_instance(ti_id))

    async def remove_task_instance(self, ti_id: UUID | str) -> None:
        await self._send(calls.remove_task_instance(ti_id))

    async def succeeded(self, ti_id: UUID | str) -> None:
        await self._send(calls.succeeded(ti_id))

    async def revoke_task_instance(self, ti_id: UUID | str, *, until: datetime | None = None) -> None:
        await self._send(calls.revoke_task_instance(ti_id, until))

    async def revoke_token(self, jti: str, *, until: datetime | None = None) -> None:
        await self._send(calls.revoke_token(jti, until))

    async def drop_run(self, *, dag_id: str, run_id: str) -> None:
        await self._send(calls.drop_run(dag_id, run_id))

    async def register_asset(self, *, name: str, uri: str | None = None, group: str = "asset") -> Asset:
        return await self._send(calls.register_asset(name, uri, group))

    async def assets(self, *, limit: int = 50, offset: int = 0) -> AssetPage:
        return await self._send(calls.assets(limit, offset))

    async def deactivate_asset(self, asset_id: int) -> None:
        await self._send(calls.deactivate_asset(asset_id))

    async def restore_asset(self, asset_id: int) -> Asset:
        return await self._send(calls.restore_asset(asset_id))
