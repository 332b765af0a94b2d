"""What people and services address over the public API, and whether they may."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from statemount.errors import AssetNotFoundError, TaskInstanceNotFoundError
from statemount.interfaces import Authorizer, Directory, Identity
from statemount.model import Asset, AssetScope, MappedTask, TaskScope
from statemount.operations import Operation
from statemount.service.batches import is_allowed, permissions_of

_MAX_ASSET_ID = 2**63 - 1


class Public:
    """Resolves what the public API addresses, and lets callers through or not."""

    def __init__(self, directory: Directory, authorizer: Authorizer) -> None:
        self._directory = directory
        self._authorizer = authorizer

    def check(self, identity: Identity, permission: str, *, dag_id: str | None = None) -> None:
        """Let a caller act, whether or not what it addresses exists.

        Args:
            dag_id: Of the task instance that it addresses, if it is one.

        Raises:
            ForbiddenError: It may not.
        """
        self._authorizer.check_public(identity, permission, dag_id=dag_id)

    async def check_asset(self, identity: Identity, permission: str, asset_id: int | None) -> Asset | None:
        """Let a caller act on an asset; return it, active or not, or None if there is none.

        Args:
            asset_id: None = what was given as an id is none.

        Raises:
            ForbiddenError: It may not, whether or not there is such an asset.
        """
        self._authorizer.check_public(identity, permission)
        asset = None
        if asset_id is not None and 0 < asset_id <= _MAX_ASSET_ID:
            asset = await self._directory.asset(asset_id, identity)
        self._authorizer.check_public_asset(identity, permission, asset)
        return asset

    def check_batch(
        self,
        identity: Identity,
        operations: Sequence[Operation],
        *,
        dag_id: str | None = None,
        asset: Asset | None = None,
    ) -> bool:
        """Let a caller that may write do each of the operations; tell whether it may read what updates leave.

        Args:
            dag_id: Of the task instance whose state they are on.
            asset: Whose state they are on, if it is none of a task instance.

        Raises:
            ForbiddenError: It may not do one of them.
        """

        def check(permission: str) -> None:
            self._authorizer.check_public(identity, permission, dag_id=dag_id)
            if dag_id is None:
                self._authorizer.check_public_asset(identity, permission, asset)

        for permission in permissions_of(operations):
            check(permission)
        return is_allowed(lambda: check("state:read"))

    async def require_task_instance(self, identity: Identity, target: TaskScope | MappedTask) -> None:
        """Make sure that a task instance exists; for a mapped task, one with any map index.

        Raises:
            TaskInstanceNotFoundError: There is none.
        """
        if await self._directory.has_task_instance(target, identity):
            return
        which = f"map_index={target.map_index}" if isinstance(target, TaskScope) else "all_map_indices=True"
        raise TaskInstanceNotFoundError(
            f"Task instance not found for dag_id={target.dag_id!r}, run_id={target.run_id!r}, "
            f"task_id={target.task_id!r}, {which}"
        )


def asset_scope(asset: Asset | None, asset_id: int) -> AssetScope:
    """Return the scope of an asset that was looked up.

    Raises:
        AssetNotFoundError: There is none.
    """
    if asset is None:
        # Decimal, for the id may have more digits than this interpreter turns into text.
        raise AssetNotFoundError(f"Asset with id {Decimal(asset_id):f} not found")
    return AssetScope(asset.asset_id)
