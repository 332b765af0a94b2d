"""What a worker's token reaches: its own task instance, and the assets that it is registered with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from statemount.errors import AssetNotFoundError, TaskInstanceNotFoundError
from statemount.interfaces import Action, Authorizer, Directory, Identity
from statemount.model import Access, Asset, AssetScope, TaskScope, Writer
from statemount.operations import Operation
from statemount.service.batches import actions_of, is_allowed


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
        if self._authorizer.is_bound_to_attempt(identity):
            await self._check_attempt(identity, task_instance_id)
        return scope

    async def _check_attempt(self, identity: Identity, task_instance_id: UUID) -> None:
        self._authorizer.check_attempt(identity, await self._directory.try_number(task_instance_id, identity))

    def check_some_action(self, identity: Identity, task_instance_id: UUID | None) -> None:
        """Let a worker go on that may do anything to a task instance's state, while it is not known yet what it wants.

        Args:
            task_instance_id: None for an id that is no UUID.

        Raises:
            ForbiddenError: It may do nothing.
        """
        check = partial(self._authorizer.check_task_instance, identity, task_instance_id)
        if not (is_allowed(partial(check, "read")) or is_allowed(partial(check, "delete"))):
            check("write")

    def check_batch(self, identity: Identity, task_instance_id: UUID, operations: Sequence[Operation]) -> bool:
        """Let a worker do each of the operations to a task instance's state; tell whether it may read, too.

        Raises:
            ForbiddenError: It may not do one of them.
        """
        check = partial(self._authorizer.check_task_instance, identity, task_instance_id)
        for action in actions_of(operations):
            check(action)
        return is_allowed(partial(check, "read"))

    async def asset_by_name(self, identity: Identity, name: str, action: Action) -> AssetScope:
        """Return the scope of the active asset of this name, if the worker may do this with it.

        Raises:
            AssetNotFoundError: There is no such active asset.
            ForbiddenError: Its task is not registered with it, or not for this action.
        """
        return await self._granted(identity, await self._named(identity, name), action)

    async def asset_by_uri(self, identity: Identity, uri: str, action: Action) -> AssetScope:
        """As :meth:`asset_by_name`, by URI."""
        return await self._granted(identity, await self._addressed(identity, uri), action)

    async def batch_by_name(
        self, identity: Identity, name: str, operations: Sequence[Operation]
    ) -> tuple[AssetScope, bool]:
        """Return the scope of an asset, if the worker may do each of the operations to it, and whether it may read.

        Raises:
            AssetNotFoundError: See :meth:`asset_by_name`.
            ForbiddenError: See :meth:`asset_by_name`.
        """
        return await self._granted_batch(identity, await self._named(identity, name), operations)

    async def batch_by_uri(
        self, identity: Identity, uri: str, operations: Sequence[Operation]
    ) -> tuple[AssetScope, bool]:
        """As :meth:`batch_by_name`, by URI."""
        return await self._granted_batch(identity, await self._addressed(identity, uri), operations)

    async def _named(self, identity: Identity, name: str) -> Asset:
        asset = await self._directory.asset_by_name(name, identity)
        if asset is None:
            raise AssetNotFoundError(f"Asset with name={name!r} not found")
        return asset

    async def _addressed(self, identity: Identity, uri: str) -> Asset:
        asset = await self._directory.asset_by_uri(uri, identity)
        if asset is None:
            raise AssetNotFoundError(f"Asset with uri={uri!r} not found")
        return asset

    async def _granted(self, identity: Identity, asset: Asset, action: Action) -> AssetScope:
        self._authorizer.check_asset(identity, asset, await self._access(identity, asset), action)
        return AssetScope(asset.asset_id)

    async def _granted_batch(
        self, identity: Identity, asset: Asset, operations: Sequence[Operation]
    ) -> tuple[AssetScope, bool]:
        check = partial(self._authorizer.check_asset, identity, asset, await self._access(identity, asset))
        for action in actions_of(operations):
            check(action)
        return AssetScope(asset.asset_id), is_allowed(partial(check, "read"))

    async def _access(self, identity: Identity, asset: Asset) -> frozenset[Access]:
        if identity.task_instance_id is None:
            return frozenset()
        if self._authorizer.is_bound_to_attempt(identity):
            await self._check_attempt(identity, identity.task_instance_id)
        return await self._directory.access(identity.task_instance_id, asset, identity)

    async def writer(self, identity: Identity) -> Writer:
        """Return the writer that an entry written by this worker names.

        Raises:
            TaskInstanceNotFoundError: Its task instance is no longer in the directory.
        """
        if identity.task_instance_id is None:
            return Writer("watcher", subject=identity.subject)
        return Writer.of_task(await self.task_scope(identity, identity.task_instance_id))
