"""Workers for tests: registered task instances, each with a client that has its token."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, Union
from uuid import UUID, uuid4

from anyio.from_thread import BlockingPortal

from statemount.auth.tokens import TokenIssuer
from statemount.client import (
    AsyncStateClient,
    AsyncWorkerAssetState,
    AsyncWorkerTaskState,
    StateClient,
    Token,
    WorkerAssetState,
    WorkerTaskState,
)
from statemount.model import NOT_MAPPED, Asset, TaskInstance, TaskScope
from statemount.mount import StateMount

AssetChoice: TypeAlias = Union[str, Asset]
"""An asset, or the name or URI of one; a name that nobody has is registered."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A task instance that runs, and what its worker has.

    Args:
        client: With a token of this task instance, signed anew for each request: it does not expire when the clock is
            moved.
    """

    task_instance: TaskInstance
    client: AsyncStateClient

    @property
    def id(self) -> UUID:
        """The task instance's id."""
        return self.task_instance.id

    @property
    def state(self) -> AsyncWorkerTaskState:
        """The task instance's own state."""
        return self.client.task_instance(self.id)

    def asset(self, *, name: str | None = None, uri: str | None = None) -> AsyncWorkerAssetState:
        """Return the state of an asset that the task instance is registered with, by name or URI."""
        return self.client.asset(name=name, uri=uri)


@dataclass(frozen=True, slots=True)
class SyncWorker:
    """As :class:`Worker`, for code that does not await."""

    task_instance: TaskInstance
    client: StateClient

    @property
    def id(self) -> UUID:
        """The task instance's id."""
        return self.task_instance.id

    @property
    def state(self) -> WorkerTaskState:
        """The task instance's own state."""
        return self.client.task_instance(self.id)

    def asset(self, *, name: str | None = None, uri: str | None = None) -> WorkerAssetState:
        """Return the state of an asset that the task instance is registered with, by name or URI."""
        return self.client.asset(name=name, uri=uri)


class WorkerFactory:
    """Starts workers: ``worker = await start(task_id="load", outlets=["orders"])``.

    Args:
        client: Makes a client with a token.
    """

    def __init__(self, state: StateMount, tokens: TokenIssuer, client: Callable[[Token], AsyncStateClient]) -> None:
        self._state = state
        self._tokens = tokens
        self._client = client

    async def __call__(
        self,
        *,
        dag_id: str = "dag",
        run_id: str = "run",
        task_id: str = "task",
        map_index: int = NOT_MAPPED,
        try_number: int = 1,
        inlets: Iterable[AssetChoice] = (),
        outlets: Iterable[AssetChoice] = (),
    ) -> Worker:
        """Register a task instance, and return its worker. The same ids again are a retry: another id, the same state.

        Args:
            map_index: -1 = it is not mapped.
            inlets: The assets that it reads.
            outlets: The assets that it writes.

        Raises:
            NoRegistryError: The app's directory is none that task instances are registered with.
        """
        scope = TaskScope(dag_id, run_id, task_id, map_index)
        task_instance = await _registered(self._state, scope, try_number, inlets, outlets)
        return Worker(task_instance, self._client(_token_of(task_instance, self._tokens)))


class SyncWorkerFactory:
    """As :class:`WorkerFactory`, for code that does not await.

    Args:
        client: Makes a client with a token.
        portal: Of the thread with the event loop that the app runs on.
    """

    def __init__(
        self,
        state: StateMount,
        tokens: TokenIssuer,
        client: Callable[[Token], StateClient],
        portal: BlockingPortal,
    ) -> None:
        self._state = state
        self._tokens = tokens
        self._client = client
        self._portal = portal

    def __call__(
        self,
        *,
        dag_id: str = "dag",
        run_id: str = "run",
        task_id: str = "task",
        map_index: int = NOT_MAPPED,
        try_number: int = 1,
        inlets: Iterable[AssetChoice] = (),
        outlets: Iterable[AssetChoice] = (),
    ) -> SyncWorker:
        """Register a task instance, and return its worker; see :meth:`WorkerFactory.__call__`."""
        scope = TaskScope(dag_id, run_id, task_id, map_index)
        task_instance = self._portal.call(_registered, self._state, scope, try_number, inlets, outlets)
        return SyncWorker(task_instance, self._client(_token_of(task_instance, self._tokens)))


async def _registered(
    state: StateMount,
    scope: TaskScope,
    try_number: int,
    inlets: Iterable[AssetChoice],
    outlets: Iterable[AssetChoice],
) -> TaskInstance:
    task_instance = TaskInstance(
        uuid4(),
        scope,
        try_number,
        frozenset([await _asset_id(state, asset) for asset in inlets]),
        frozenset([await _asset_id(state, asset) for asset in outlets]),
    )
    await state.directory.register_task_instances([task_instance])
    return task_instance


async def _asset_id(state: StateMount, asset: AssetChoice) -> int:
    if isinstance(asset, Asset):
        return asset.asset_id
    directory = state.directory
    known = await directory.asset_by_name(asset) or await directory.asset_by_uri(asset)
    return (known or await directory.register_asset(name=asset)).asset_id


def _token_of(task_instance: TaskInstance, tokens: TokenIssuer) -> Callable[[], str]:
    return partial(tokens.worker, task_instance.id)
