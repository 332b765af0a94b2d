"""A directory in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from uuid import UUID

from statemount.clock import system_clock
from statemount.directory.registration import access_of, check_asset, check_task_scope
from statemount.errors import AssetNotFoundError, ConflictError
from statemount.interfaces import Clock, Identity, Registry
from statemount.model import Access, Asset, MappedTask, TaskInstance, TaskScope, Timestamp


class MemoryDirectory(Registry):
    """Keeps task instances and assets in the object itself, whatever event loop it is called on.

    No method waits between looking and changing, so that each one is atomic.

    Args:
        clock: Microseconds since the epoch.
    """

    def __init__(self, *, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._task_instances: dict[UUID, TaskInstance] = {}
        self._registered_at: dict[UUID, Timestamp] = {}
        self._ids: dict[tuple[str, str], dict[TaskScope, UUID]] = {}
        self._assets: dict[int, Asset] = {}
        self._active_by_name: dict[str, Asset] = {}
        self._active_by_uri: dict[str, Asset] = {}
        self._inactive_since: dict[int, Timestamp] = {}
        self._retired: list[int] = []
        self._last_asset_id = 0

    async def task_scope(self, task_instance_id: UUID, identity: Identity | None = None) -> TaskScope | None:
        task_instance = self._task_instances.get(task_instance_id)
        return None if task_instance is None else task_instance.scope

    async def has_task_instance(self, target: TaskScope | MappedTask, identity: Identity | None = None) -> bool:
        run = self._ids.get((target.dag_id, target.run_id), {})
        if isinstance(target, TaskScope):
            return target in run
        return any(scope.task_id == target.task_id for scope in run)

    async def asset(self, asset_id: int, identity: Identity | None = None) -> Asset | None:
        return self._assets.get(asset_id)

    async def asset_by_name(self, name: str, identity: Identity | None = None) -> Asset | None:
        return self._active_by_name.get(name)

    async def asset_by_uri(self, uri: str, identity: Identity | None = None) -> Asset | None:
        return self._active_by_uri.get(uri)

    async def access(self, task_instance_id: UUID, asset: Asset, identity: Identity | None = None) -> frozenset[Access]:
        return access_of(self._task_instances.get(task_instance_id), asset.asset_id)

    async def try_number(self, task_instance_id: UUID, identity: Identity | None = None) -> int | None:
        task_instance = self._task_instances.get(task_instance_id)
        return None if task_instance is None else task_instance.try_number

    async def register_task_instances(self, task_instances: Sequence[TaskInstance]) -> None:
        for task_instance in task_instances:
            check_task_scope(task_instance.scope)
            for asset_id in task_instance.inlets | task_instance.outlets:
                self._known(asset_id)
        for task_instance in task_instances:
            self._forget(task_instance.id)
            scope = task_instance.scope
            run = self._ids.setdefault((scope.dag_id, scope.run_id), {})
            replaced = run.get(scope)
            if replaced is not None:
                del self._task_instances[replaced], self._registered_at[replaced]
            run[scope] = task_instance.id
            self._task_instances[task_instance.id] = task_instance
            self._registered_at[task_instance.id] = self._clock()

    async def task_instance(self, task_instance_id: UUID) -> TaskInstance | None:
        return self._task_instances.get(task_instance_id)

    async def remove_task_instance(self, task_instance_id: UUID) -> None:
        self._forget(task_instance_id)

    async def remove_run(self, *, dag_id: str, run_id: str) -> None:
        for task_instance_id in self._ids.pop((dag_id, run_id), {}).values():
            del self._task_instances[task_instance_id], self._registered_at[task_instance_id]

    async def remove_task_instances_before(self, before: Timestamp, *, limit: int = 1000) -> int:
        outdated = list(islice(self._registered_before(before), limit))
        for task_instance_id in outdated:
            self._forget(task_instance_id)
        return len(outdated)

    def _registered_before(self, before: Timestamp) -> Iterator[UUID]:
        return (task_instance_id for task_instance_id, at in self._registered_at.items() if at < before)

    async def register_asset(self, *, name: str, uri: str | None = None, group: str = "asset") -> Asset:
        uri = name if uri is None else uri
        check_asset(name=name, uri=uri, group=group)
        known = self._active_by_name.get(name)
        if known is not None and known.uri == uri:
            return self._put(replace(known, group=group))
        self._refuse_taken(name, uri)
        self._last_asset_id += 1
        return self._put(Asset(self._last_asset_id, name, uri, group))

    async def assets(self, *, limit: int = 100, offset: int = 0) -> Sequence[Asset]:
        return list(self._assets.values())[offset : offset + limit]

    async def count_assets(self) -> int:
        return len(self._assets)

    async def deactivate_asset(self, asset_id: int) -> None:
        asset = self._known(asset_id)
        if asset.active:
            del self._active_by_name[asset.name]
            del self._active_by_uri[asset.uri]
            self._assets[asset_id] = replace(asset, active=False)
            self._inactive_since[asset_id] = self._clock()

    async def restore_asset(self, asset_id: int) -> Asset:
        asset = self._known(asset_id)
        if asset.active:
            return asset
        self._refuse_taken(asset.name, asset.uri)
        del self._inactive_since[asset_id]
        return self._put(replace(asset, active=True))

    async def retire_assets(self, before: Timestamp, *, limit: int = 1000) -> Sequence[int]:
        for asset_id in list(islice(self._retirable(before), max(0, limit - len(self._retired)))):
            del self._assets[asset_id], self._inactive_since[asset_id]
            self._retired.append(asset_id)
        return self._retired[:limit]

    def _retirable(self, before: Timestamp) -> Iterator[int]:
        return (asset_id for asset_id, since in self._inactive_since.items() if since < before)

    async def forget_asset(self, asset_id: int) -> None:
        if asset_id not in self._retired:
            return
        self._retired.remove(asset_id)
        gone = {asset_id}
        for task_instance in list(self._task_instances.values()):
            if asset_id in task_instance.inlets | task_instance.outlets:
                self._task_instances[task_instance.id] = replace(
                    task_instance, inlets=task_instance.inlets - gone, outlets=task_instance.outlets - gone
                )

    async def count_overdue(self, *, registered_before: Timestamp, inactive_before: Timestamp) -> tuple[int, int]:
        assets = len(self._retired) + sum(1 for _ in self._retirable(inactive_before))
        return sum(1 for _ in self._registered_before(registered_before)), assets

    def _forget(self, task_instance_id: UUID) -> None:
        task_instance = self._task_instances.pop(task_instance_id, None)
        if task_instance is not None:
            del self._registered_at[task_instance_id]
            run = task_instance.scope.dag_id, task_instance.scope.run_id
            del self._ids[run][task_instance.scope]
            if not self._ids[run]:
                del self._ids[run]

    def _known(self, asset_id: int) -> Asset:
        asset = self._assets.get(asset_id)
        if asset is None:
            raise AssetNotFoundError(f"Asset with id {asset_id} not found")
        return asset

    def _refuse_taken(self, name: str, uri: str) -> None:
        if name in self._active_by_name:
            raise ConflictError(f"an active asset has the name {name!r}")
        if uri in self._active_by_uri:
            raise ConflictError(f"an active asset has the URI {uri!r}")

    def _put(self, asset: Asset) -> Asset:
        self._assets[asset.asset_id] = asset
        self._active_by_name[asset.name] = asset
        self._active_by_uri[asset.uri] = asset
        return asset
