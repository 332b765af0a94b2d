"""The store, watches, directory and authenticator of whichever event loop calls: one object each for all of them."""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Mapping, Sequence
from typing import Any
from uuid import UUID

from typing_extensions import override

from statemount.errors import ConfigurationError, InvalidTokenError, NoRegistryError
from statemount.interfaces import (
    AsgiScope,
    Authenticator,
    Credential,
    Identity,
    Registry,
    Revocations,
    RouteSet,
    Store,
)
from statemount.model import (
    Access,
    Asset,
    AssetScope,
    Change,
    Columns,
    Entry,
    EntryColumn,
    History,
    LogTail,
    MappedTask,
    Page,
    Past,
    Run,
    Scope,
    TaskInstance,
    TaskScope,
    Timestamp,
    Writer,
)
from statemount.operations import Operation, Outcome
from statemount.runtime import Runtimes
from statemount.watching.watch import Watch
from statemount.watching.watches import Watches


class RuntimeStore(Store):
    """The store of whichever event loop calls, started by its first call."""

    def __init__(self, runtimes: Runtimes) -> None:
        self._runtimes = runtimes

    @override
    def read(self, scope: Scope, key: str) -> Coroutine[Any, Any, Entry | None]:
        runtime = self._runtimes.running()
        return self._read_first(scope, key) if runtime is None else runtime.store.read(scope, key)

    async def _read_first(self, scope: Scope, key: str) -> Entry | None:
        return await (await self._runtimes.current()).store.read(scope, key)

    @override
    async def list(
        self,
        scope: Scope,
        *,
        limit: int,
        offset: int = 0,
        prefix: str = "",
        after: str | None = None,
        keys_only: bool = False,
    ) -> Page:
        store = (await self._runtimes.current()).store
        return await store.list(scope, limit=limit, offset=offset, prefix=prefix, after=after, keys_only=keys_only)

    @override
    async def list_columns(
        self,
        scope: Scope,
        *,
        columns: Collection[EntryColumn],
        limit: int,
        offset: int = 0,
        prefix: str = "",
        after: str | None = None,
    ) -> Columns:
        runtime = self._runtimes.running() or await self._runtimes.current()
        return await runtime.store.list_columns(
            scope, columns=columns, limit=limit, offset=offset, prefix=prefix, after=after
        )

    @override
    def apply(
        self,
        target: Scope | MappedTask,
        operations: Sequence[Operation],
        *,
        writer: Writer | None,
    ) -> Coroutine[Any, Any, Outcome]:
        runtime = self._runtimes.running()
        if runtime is None or runtime.hub.is_told:
            return self._apply_and_tell(target, operations, writer)
        return runtime.store.apply(target, operations, writer=writer)

    async def _apply_and_tell(
        self, target: Scope | MappedTask, operations: Sequence[Operation], writer: Writer | None
    ) -> Outcome:
        runtime = self._runtimes.running() or await self._runtimes.current()
        outcome = await runtime.store.apply(target, operations, writer=writer)
        if runtime.hub.is_told:
            runtime.hub.written(target, outcome)
        return outcome

    @override
    async def changes(self, scope: Scope, *, after: int = 0, limit: int = 1000) -> Sequence[Change]:
        return await (await self._runtimes.current()).store.changes(scope, after=after, limit=limit)

    @override
    async def revisions(self, scopes: Collection[Scope]) -> Mapping[Scope, int]:
        return await (await self._runtimes.current()).store.revisions(scopes)

    @override
    async def tails(self, positions: Mapping[Scope, int], *, limit: int = 256) -> Mapping[Scope, LogTail]:
        return await (await self._runtimes.current()).store.tails(positions, limit=limit)

    @override
    async def history(
        self, scope: Scope, *, key: str | None = None, before: int | None = None, limit: int = 1000
    ) -> History:
        store = (await self._runtimes.current()).store
        return await store.history(scope, key=key, before=before, limit=limit)

    @override
    async def past(self, scope: Scope, key: str, *, revision: int | None = None, at: Timestamp | None = None) -> Past:
        return await (await self._runtimes.current()).store.past(scope, key, revision=revision, at=at)

    @override
    async def trim(self, *, before: Timestamp, limit: int = 1000) -> int:
        return await (await self._runtimes.current()).store.trim(before=before, limit=limit)

    @override
    async def count_changes(self, *, before: Timestamp) -> int | None:
        return await (await self._runtimes.current()).store.count_changes(before=before)

    @override
    async def sweep(self, *, limit: int = 1000) -> int:
        runtime = await self._runtimes.current()
        swept = await runtime.store.sweep(limit=limit)
        if swept and runtime.hub.is_told:
            runtime.hub.swept()
        return swept

    @override
    async def count_expired(self) -> int | None:
        return await (await self._runtimes.current()).store.count_expired()

    @override
    async def drop(self, target: Run | AssetScope) -> None:
        runtime = await self._runtimes.current()
        await runtime.store.drop(target)
        if runtime.hub.is_told:
            runtime.hub.moved(target)

    @override
    async def check(self) -> None:
        await (await self._runtimes.current()).store.check()


class RuntimeWatches(Watches):
    """Where a watch begins on whichever event loop calls."""

    def __init__(self, runtimes: Runtimes) -> None:
        self._runtimes = runtimes

    @override
    async def watch(self, scope: Scope, *, key: str | None = None, after: int | None = None, owner: str = "") -> Watch:
        runtime = self._runtimes.running() or await self._runtimes.current()
        return await runtime.hub.watch(scope, key=key, after=after, owner=owner)


class RuntimeDirectory(Registry):
    """The directory of whichever event loop calls, started by its first call.

    To register something raises NoRegistryError if that directory is none that a host fills. Nothing that was
    registered is to be removed then.
    """

    def __init__(self, runtimes: Runtimes) -> None:
        self._runtimes = runtimes

    @override
    def task_scope(
        self, task_instance_id: UUID, identity: Identity | None = None
    ) -> Coroutine[Any, Any, TaskScope | None]:
        runtime = self._runtimes.running()
        if runtime is None:
            return self._task_scope_first(task_instance_id, identity)
        return runtime.directory.task_scope(task_instance_id, identity)

    async def _task_scope_first(self, task_instance_id: UUID, identity: Identity | None) -> TaskScope | None:
        return await (await self._runtimes.current()).directory.task_scope(task_instance_id, identity)

    @override
    async def has_task_instance(self, target: TaskScope | MappedTask, identity: Identity | None = None) -> bool:
        return await (await self._runtimes.current()).directory.has_task_instance(target, identity)

    @override
    async def asset(self, asset_id: int, identity: Identity | None = None) -> Asset | None:
        return await (await self._runtimes.current()).directory.asset(asset_id, identity)

    @override
    async def asset_by_name(self, name: str, identity: Identity | None = None) -> Asset | None:
        return await (await self._runtimes.current()).directory.asset_by_name(name, identity)

    @override
    async def asset_by_uri(self, uri: str, identity: Identity | None = None) -> Asset | None:
        return await (await self._runtimes.current()).directory.asset_by_uri(uri, identity)

    @override
    async def access(self, task_instance_id: UUID, asset: Asset, identity: Identity | None = None) -> frozenset[Access]:
        return await (await self._runtimes.current()).directory.access(task_instance_id, asset, identity)

    @override
    async def try_number(self, task_instance_id: UUID, identity: Identity | None = None) -> int | None:
        return await (await self._runtimes.current()).directory.try_number(task_instance_id, identity)

    @override
    async def register_task_instances(self, task_instances: Sequence[TaskInstance]) -> None:
        await (await self._task_registry()).register_task_instances(task_instances)

    @override
    async def task_instance(self, task_instance_id: UUID) -> TaskInstance | None:
        return await (await self._task_registry()).task_instance(task_instance_id)

    @override
    async def remove_task_instance(self, task_instance_id: UUID) -> None:
        await (await self._task_registry()).remove_task_instance(task_instance_id)

    @override
    async def remove_run(self, *, dag_id: str, run_id: str) -> None:
        registry = (await self._runtimes.current()).registry
        if registry is not None:
            await registry.remove_run(dag_id=dag_id, run_id=run_id)

    @override
    async def register_asset(self, *, name: str, uri: str | None = None, group: str = "asset") -> Asset:
        return await (await self._registry()).register_asset(name=name, uri=uri, group=group)

    @override
    async def assets(self, *, limit: int = 100, offset: int = 0) -> Sequence[Asset]:
        return await (await self._registry()).assets(limit=limit, offset=offset)

    @override
    async def count_assets(self) -> int:
        return await (await self._registry()).count_assets()

    @override
    async def deactivate_asset(self, asset_id: int) -> None:
        await (await self._registry()).deactivate_asset(asset_id)

    @override
    async def restore_asset(self, asset_id: int) -> Asset:
        return await (await self._registry()).restore_asset(asset_id)

    @override
    async def remove_task_instances_before(self, before: Timestamp, *, limit: int = 1000) -> int:
        registry = (await self._runtimes.current()).registry
        return 0 if registry is None else await registry.remove_task_instances_before(before, limit=limit)

    @override
    async def retire_assets(self, before: Timestamp, *, limit: int = 1000) -> Sequence[int]:
        registry = (await self._runtimes.current()).registry
        return () if registry is None else await registry.retire_assets(before, limit=limit)

    @override
    async def forget_asset(self, asset_id: int) -> None:
        await (await self._registry()).forget_asset(asset_id)

    @override
    async def count_overdue(
        self, *, registered_before: Timestamp, inactive_before: Timestamp
    ) -> tuple[int, int] | None:
        registry = (await self._runtimes.current()).registry
        if registry is None:
            return 0, 0
        return await registry.count_overdue(registered_before=registered_before, inactive_before=inactive_before)

    async def _registry(self) -> Registry:
        runtime = await self._runtimes.current()
        if runtime.registry is None:
            raise NoRegistryError(f"nothing can be registered with {type(runtime.directory).__name__}")
        return runtime.registry

    async def _task_registry(self) -> Registry:
        runtime = await self._runtimes.current()
        if runtime.registry is not None and runtime.registry is not runtime.directory:
            # It is asked for assets only: what is registered in it would be known to nobody.
            raise NoRegistryError(f"no task instance can be registered with {type(runtime.directory).__name__}")
        return await self._registry()


class RuntimeRevocations(Revocations):
    """The revocations of whichever event loop calls, started by its first call."""

    def __init__(self, runtimes: Runtimes) -> None:
        self._runtimes = runtimes

    @override
    async def revoke(self, credential: Credential, *, until: Timestamp) -> None:
        await (await self._revocations()).revoke(credential, until=until)

    @override
    async def are_any_revoked(self, credentials: Sequence[Credential]) -> bool:
        return await (await self._revocations()).are_any_revoked(credentials)

    @override
    async def is_empty(self) -> bool:
        return await (await self._revocations()).is_empty()

    async def _revocations(self) -> Revocations:
        revocations = (await self._runtimes.current()).revocations
        if revocations is None:
            raise ConfigurationError("nothing keeps what is revoked")
        return revocations


class RuntimeAuthenticator(Authenticator):
    """The authenticator of whichever event loop calls, started by its first call. It refuses what is revoked.

    Args:
        authenticator: What it is on all of them.
    """

    def __init__(self, runtimes: Runtimes, authenticator: Authenticator) -> None:
        self._runtimes = runtimes
        self._authenticator = authenticator

    @override
    async def authenticate(self, asgi_scope: AsgiScope, route_set: RouteSet) -> Identity:
        runtime = self._runtimes.running() or await self._runtimes.current()
        identity = await runtime.authenticator.authenticate(asgi_scope, route_set)
        revocations = runtime.revocations
        if revocations is None or revocations.is_known_to_be_empty() or await revocations.is_empty():
            return identity
        credentials = identity.credentials
        if credentials and await revocations.are_any_revoked(credentials):
            raise InvalidTokenError("the credentials are revoked")
        return identity

    @override
    def renew(self, identity: Identity) -> str | None:
        return self._authenticator.renew(identity)
