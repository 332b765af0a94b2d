"""A directory that believes the token."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from statemount.directory.registration import check_task_scope, is_acceptable, is_map_index
from statemount.errors import ConflictError, InvalidInputError
from statemount.interfaces import Directory, Identity, Registry
from statemount.model import MAX_ASSET_NAME_LENGTH, MAX_ID_LENGTH, NOT_MAPPED, Access, Asset, MappedTask, TaskScope

_logger = logging.getLogger(__name__)

_KINDS: tuple[tuple[str, Access], ...] = (("inlets", "inlet"), ("outlets", "outlet"))


class ClaimsError(ValueError):
    """A claim is missing or is not what it should be; ``str(error)`` names it, never its value."""


def task_scope_of(claims: Mapping[str, Any]) -> TaskScope:
    """Return the task scope that claims name: ``dag_id``, ``run_id``, ``task_id`` and, if mapped, ``map_index``.

    Raises:
        ClaimsError: They name none.
    """
    map_index = claims.get("map_index")
    if map_index is None:
        map_index = NOT_MAPPED
    if not is_map_index(map_index):
        raise ClaimsError("map_index is no integer of -1 or above")
    return TaskScope(_id(claims, "dag_id"), _id(claims, "run_id"), _id(claims, "task_id"), map_index)


def _id(claims: Mapping[str, Any], name: str) -> str:
    text = claims.get(name)
    if not is_acceptable(text, max_length=MAX_ID_LENGTH):
        raise ClaimsError(f"{name} is missing" if text is None else f"{name} is no acceptable id")
    return text


@dataclass(frozen=True, slots=True)
class ClaimedAsset:
    """An asset as claims name it.

    Args:
        uri: None where the claim names the asset only.
    """

    name: str
    uri: str | None = None

    @classmethod
    def read(cls, item: Any) -> ClaimedAsset:
        """Read one item of ``inlets`` or ``outlets``.

        Raises:
            ClaimsError: It is neither a name nor an object with a ``name`` and perhaps a ``uri``.
        """
        name, uri = (item.get("name"), item.get("uri")) if isinstance(item, Mapping) else (item, None)
        if not is_acceptable(name, max_length=MAX_ASSET_NAME_LENGTH):
            raise ClaimsError("an asset has no acceptable name")
        if uri is not None and not is_acceptable(uri, max_length=MAX_ASSET_NAME_LENGTH):
            raise ClaimsError("an asset has no acceptable uri")
        return cls(name, uri)


class ClaimsDirectory(Directory):
    """Takes task instances and assets from the claims of the token that addresses them; nothing is registered ahead.

    Claims: ``dag_id``, ``run_id``, ``task_id`` (texts), ``map_index`` (optional), ``inlets`` and ``outlets`` (optional
    lists of asset names, or of objects with ``name`` and ``uri``). What is malformed counts as absent, and is logged.

    A task instance is known to its own token only. Every well-formed task scope exists: nobody could say that it does
    not. Assets have ids, so they are registered when a token whose claims name them addresses them for the first time;
    no other name reaches the registry's tables. An asset's name decides which one it is. A deactivated one is
    registered anew, with another id and no state, when a token names it again.

    Args:
        registry: Where assets get their ids, best a :class:`~statemount.directory.cache.CachedRegistry`.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    async def open(self) -> None:
        await self.registry.open()

    async def close(self) -> None:
        await self.registry.close()

    async def task_scope(self, task_instance_id: UUID, identity: Identity | None = None) -> TaskScope | None:
        if identity is None or identity.task_instance_id != task_instance_id:
            return None
        try:
            return task_scope_of(identity.claims)
        except ClaimsError as error:
            _logger.warning("the token of task instance %s names no task: %s", task_instance_id, error)
            return None

    async def has_task_instance(self, target: TaskScope | MappedTask, identity: Identity | None = None) -> bool:
        if isinstance(target, MappedTask):
            target = TaskScope(target.dag_id, target.run_id, target.task_id)
        try:
            check_task_scope(target)
        except InvalidInputError:
            return False
        return True

    async def asset(self, asset_id: int, identity: Identity | None = None) -> Asset | None:
        return await self.registry.asset(asset_id)

    async def asset_by_name(self, name: str, identity: Identity | None = None) -> Asset | None:
        asset = await self.registry.asset_by_name(name)
        if asset is not None:
            return asset
        claimed = [named for _, named in _claimed_assets(identity) if named.name == name]
        return await self._register(claimed)

    async def asset_by_uri(self, uri: str, identity: Identity | None = None) -> Asset | None:
        asset = await self.registry.asset_by_uri(uri)
        if asset is not None:
            return asset
        # An asset that is named only has its name as its URI, as everywhere.
        claimed = [named for _, named in _claimed_assets(identity) if (named.uri or named.name) == uri]
        return await self._register(claimed)

    async def access(self, task_instance_id: UUID, asset: Asset, identity: Identity | None = None) -> frozenset[Access]:
        if identity is None or identity.task_instance_id != task_instance_id:
            return frozenset()
        return frozenset(kind for kind, named in _claimed_assets(identity) if named.name == asset.name)

    async def _register(self, claimed: list[ClaimedAsset]) -> Asset | None:
        if not claimed:
            return None
        wanted = max(claimed, key=lambda named: named.uri is not None)
        try:
            return await self.registry.register_asset(name=wanted.name, uri=wanted.uri)
        except ConflictError as error:
            _logger.warning("an asset that a token names cannot be registered: %s", error)
            return None


def _claimed_assets(identity: Identity | None) -> Iterator[tuple[Access, ClaimedAsset]]:
    if identity is None:
        return
    for claim, kind in _KINDS:
        items = identity.claims.get(claim)
        if items is None:
            continue
        if not isinstance(items, (list, tuple)):
            _logger.warning("the token of %s: %s is no list", identity.subject, claim)
            continue
        for item in items:
            try:
                yield kind, ClaimedAsset.read(item)
            except ClaimsError as error:
                _logger.warning("the token of %s: %s: %s", identity.subject, claim, error)
