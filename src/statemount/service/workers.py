"""What a worker's token reaches: its own task instance, and the assets that it is registered with."""

from __future__ import annotations

from uuid import UUID

from statemount.errors import AssetNotFoundError, TaskInstanceNotFoundError
from statemount.interfaces import Action, Authorizer, Directory, Identity
from statemount.model import Access, Asset, AssetScope, TaskScope, Writer


class Workers:
    """Resolves what workers address, and lets them through or not."""

    def __init__(self, directory: Directory, authorizer: Authorizer) -> None:
        self._directory = directory
        self._authorizer = authorizer

    async def task_scope(self, identity: Identity, task_instance_id: UUID) -> TaskScope:
        """Return the scope of a task instance that the authorizer has let the worker reach.

        Raises:
            TaskInstanceNotFoundError: It is not in the directory.
            ForbiddenError: The worker is bound to another attempt.
        """
        scope = await self._directory.task_scope(task_instance_id, identity)
        if scope is None:
            raise TaskInstanceNotFoundError(f"Task instance {task_instance_id} not found")
        await self._check_attempt(identity, task_instance_id)
        return scope

    async def _check_attempt(self, identity: Identity, task_instance_id: UUID) -> None:
        if self._authorizer.is_bound_to_attempt(identity):
            try_number = await self._directory.try_number(task_instance_id, identity)
            self._authorizer.check_attempt(identity, try_number)

    async def asset_by_name(self, identity: Identity, name: str, action: Action) -> AssetScope:
        """Return the scope of the active asset of this name, if the worker may do this with it.

        Raises:
            AssetNotFoundError: There is no such active asset.
            ForbiddenError: Its task is not registered with it, or not for this action.
        """
        asset = await self._directory.asset_by_name(name, identity)
        if asset is None:
            raise AssetNotFoundError(f"Asset with name={name!r} not found")
        return await self._granted(identity, asset, action)

    async def asset_by_uri(self, identity: Identity, uri: str, action: Action) -> AssetScope:
        """As :meth:`asset_by_name`, by URI."""
        asset = await self._directory.asset_by_uri(uri, identity)
        if asset is None:
            raise AssetNotFoundError(f"Asset with uri={uri!r} not found")
        return await self._granted(identity, asset, action)

    async def _granted(self, identity: Identity, asset: Asset, action: Action) -> AssetScope:
        task_instance_id = identity.task_instance_id
        access: frozenset[Access] = frozenset()
        if task_instance_id is not None:
            await self._check_attempt(identity, task_instance_id)
            access = await self._directory.access(task_instance_id, asset, identity)
        self._authorizer.check_asset(identity, asset, access, action)
        return AssetScope(asset.asset_id)

    async def writer(self, identity: Identity) -> Writer:
        """Return the writer that an entry written by this worker names.

        Raises:
            TaskInstanceNotFoundError: Its task instance is no longer in the directory.
        """
        if identity.task_instance_id is None:
            return Writer("watcher", subject=identity.subject)
        return Writer.of_task(await self.task_scope(identity, identity.task_instance_id))
