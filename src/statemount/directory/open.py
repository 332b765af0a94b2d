"""A directory that believes everything, for development."""

from __future__ import annotations

import logging
from uuid import UUID

from statemount.directory.claims import ClaimsError, task_scope_of
from statemount.directory.registration import BOTH
from statemount.errors import ConflictError
from statemount.interfaces import Directory, Identity, Registry
from statemount.model import Access, Asset, MappedTask, TaskScope

_logger = logging.getLogger(__name__)


class OpenDirectory(Directory):
    """Accepts whatever is addressed. For development only; it says so when it is opened.

    A task instance has the scope that its token's claims name (see
    :class:`~statemount.directory.claims.ClaimsDirectory`), else ``TaskScope("open", "open", <its UUID>)``. An asset is
    registered when it is addressed for the first time, and every worker has it as inlet and outlet.

    Args:
        registry: Where assets get their ids, best a :class:`~statemount.directory.cache.CachedRegistry`.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    async def open(self) -> None:
        await self.registry.open()
        _logger.warning(
            "the directory is open: every task instance and asset that is addressed exists, and every worker "
            "reaches every asset; this is for development only"
        )

    async def close(self) -> None:
        await self.registry.close()

    async def task_scope(self, task_instance_id: UUID, identity: Identity | None = None) -> TaskScope | None:
        if identity is not None and identity.task_instance_id == task_instance_id:
            try:
                return task_scope_of(identity.claims)
            except ClaimsError as error:
                _logger.debug("task instance %s gets a scope of its own: %s", task_instance_id, error)
        return TaskScope("open", "open", str(task_instance_id))

    async def has_task_instance(self, target: TaskScope | MappedTask, identity: Identity | None = None) -> bool:
        return True

    async def asset(self, asset_id: int, identity: Identity | None = None) -> Asset | None:
        return await self.registry.asset(asset_id)

    async def asset_by_name(self, name: str, identity: Identity | None = None) -> Asset | None:
        asset = await self.registry.asset_by_name(name)
        return asset or await self._register(name)

    async def asset_by_uri(self, uri: str, identity: Identity | None = None) -> Asset | None:
        asset = await self.registry.asset_by_uri(uri)
        return asset or await self._register(uri)

    async def access(self, task_instance_id: UUID, asset: Asset, identity: Identity | None = None) -> frozenset[Access]:
        return BOTH

    async def _register(self, name: str) -> Asset | None:
        try:
            return await self.registry.register_asset(name=name)
        except ConflictError as error:
            _logger.warning("an asset that was addressed cannot be registered: %s", error)
            return None
