"""What hosts tell about their task instances and assets from outside of this process, and whether they may."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from statemount.errors import AssetNotFoundError, TaskInstanceNotFoundError
from statemount.interfaces import Authorizer, Credential, Identity, Registry
from statemount.model import Asset, AssetScope, Run, TaskInstance, TaskScope, Timestamp
from statemount.service.host import Host
from statemount.service.public import Public, asset_scope

READ = "directory:read"
WRITE = "directory:write"

_NO_DAG = ""


@dataclass(frozen=True, slots=True)
class Registration:
    """A task instance as a host describes it.

    Args:
        inlets: The assets that it reads, by whatever names them; ``outlets`` those that it writes.
    """

    id: UUID
    scope: TaskScope
    try_number: int = 1
    inlets: tuple[AssetScope, ...] = ()
    outlets: tuple[AssetScope, ...] = ()


class Registrar:
    """The host's side for callers with an identity.

    Every method raises ForbiddenError for a caller that may not do this, and NoRegistryError where the directory is
    none that is filled like this.
    """

    def __init__(self, registry: Registry, host: Host, public: Public, authorizer: Authorizer) -> None:
        self._registry = registry
        self._host = host
        self._public = public
        self._authorizer = authorizer

    def check(self, identity: Identity, permission: str) -> None:
        """Let a caller use the directory, whatever of it.

        Raises:
            ForbiddenError: It may not.
        """
        self._authorizer.check_public(identity, permission)

    async def register(self, identity: Identity, registrations: Sequence[Registration]) -> None:
        """Register task instances, all or none. Idempotent.

        Raises:
            AssetNotFoundError: An inlet or outlet is no known asset.
        """
        for registration in registrations:
            self._authorizer.check_public(identity, WRITE, dag_id=registration.scope.dag_id)
        if self._authorizer.limits_dags(identity):
            for registration in registrations:  # it would take the place of one of another dag
                known = await self._registry.task_instance(registration.id)
                if known is not None:
                    self._authorizer.check_public(identity, WRITE, dag_id=known.scope.dag_id)
        named = {asset for one in registrations for asset in (*one.inlets, *one.outlets)}
        ids = {asset: await self._asset_id(identity, asset) for asset in named}
        await self._registry.register_task_instances(
            [
                TaskInstance(one.id, one.scope, one.try_number, _all(ids, one.inlets), _all(ids, one.outlets))
                for one in registrations
            ]
        )

    async def _asset_id(self, identity: Identity, reference: AssetScope) -> int:
        try:
            asset = await self._host.find_asset(reference)
        except AssetNotFoundError:
            self._authorizer.check_public_asset(identity, WRITE, None)
            raise
        self._authorizer.check_public_asset(identity, WRITE, asset)
        return asset.asset_id

    async def task_instance(self, identity: Identity, task_instance_id: UUID) -> TaskInstance:
        """Return a registration.

        Raises:
            TaskInstanceNotFoundError: There is none with this id.
        """
        known = await self._reach(identity, task_instance_id, READ)
        if known is None:
            raise TaskInstanceNotFoundError(f"Task instance {task_instance_id} not found")
        return known

    async def remove(self, identity: Identity, task_instance_id: UUID) -> None:
        """Forget a task instance. Its state stays. A no-op if it is unknown."""
        await self._reach(identity, task_instance_id, WRITE)
        await self._registry.remove_task_instance(task_instance_id)

    async def succeeded(self, identity: Identity, task_instance_id: UUID) -> None:
        """Take note that a task instance has succeeded: its state is cleared if it is set so.

        Raises:
            TaskInstanceNotFoundError: There is none with this id.
        """
        await self._reach(identity, task_instance_id, WRITE)
        await self._host.succeeded(task_instance_id)

    async def _reach(self, identity: Identity, task_instance_id: UUID, permission: str) -> TaskInstance | None:
        known = await self._registry.task_instance(task_instance_id)
        self._authorizer.check_public(identity, permission, dag_id=_NO_DAG if known is None else known.scope.dag_id)
        return known

    async def revoke_task_instance(
        self, identity: Identity, task_instance_id: UUID, *, until: Timestamp | None = None
    ) -> None:
        """Refuse every token of a task instance from now on, registered or not. Its state stays."""
        if self._authorizer.limits_dags(identity):
            await self._reach(identity, task_instance_id, WRITE)
        await self._host.revoke(Credential.task_instance(task_instance_id), until=until)

    async def revoke_token(self, identity: Identity, jti: str, *, until: Timestamp | None = None) -> None:
        """Refuse one token from now on, and what it is renewed to.

        Nobody knows whose it is: a caller that may not reach every dag is refused.
        """
        self._authorizer.check_public(identity, WRITE, dag_id=_NO_DAG)
        await self._host.revoke(Credential.token(jti), until=until)

    async def drop_run(self, identity: Identity, run: Run) -> None:
        """Forget every task instance of a run, and remove its state. A no-op if there is nothing."""
        self._authorizer.check_public(identity, WRITE, dag_id=run.dag_id)
        await self._host.drop_run(run)

    async def register_asset(self, identity: Identity, *, name: str, uri: str | None, group: str) -> Asset:
        """Return the active asset of this name and URI, made if need be. Idempotent; the group is replaced.

        Args:
            uri: None = the name.

        Raises:
            ConflictError: The name or the URI belongs to another active asset.
        """
        asset = Asset(0, name, name if uri is None else uri, group)
        self._authorizer.check_public_asset(identity, WRITE, asset)
        return await self._registry.register_asset(name=asset.name, uri=asset.uri, group=group)

    async def assets(self, identity: Identity, *, limit: int, offset: int) -> tuple[Sequence[Asset], int]:
        """Return assets by id, inactive ones included, and how many there are.

        A caller that may not reach every asset is refused.
        """
        self._authorizer.check_public_asset(identity, READ, None)
        assets = await self._registry.assets(limit=limit, offset=offset) if limit else ()
        return assets, await self._registry.count_assets()

    async def deactivate_asset(self, identity: Identity, asset_id: int) -> None:
        """Hide an asset from workers. Its state is kept for the grace period, in which it can be restored.

        Raises:
            AssetNotFoundError: There is no such asset.
        """
        await self._reach_asset(identity, asset_id)
        await self._host.deactivate_asset(asset_id)

    async def restore_asset(self, identity: Identity, asset_id: int) -> Asset:
        """Make an inactive asset active again, with the state that it had, and return it.

        Raises:
            AssetNotFoundError: There is no such asset; its grace period may be over.
            ConflictError: An active asset has its name or URI by now.
        """
        await self._reach_asset(identity, asset_id)
        return await self._host.restore_asset(asset_id)

    async def _reach_asset(self, identity: Identity, asset_id: int) -> None:
        asset_scope(await self._public.check_asset(identity, WRITE, asset_id), asset_id)


def _all(ids: dict[AssetScope, int], references: Iterable[AssetScope]) -> frozenset[int]:
    return frozenset(ids[reference] for reference in references)
