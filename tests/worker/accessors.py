"""What the tests of accessors share: a server with a task and assets, its worker, and a record of what was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal, TypeAlias
from uuid import UUID, uuid4

import httpx

from statemount.client import AsyncStateClient, StateEntry
from statemount.errors import KeyNotFoundError
from statemount.model import Asset, AssetScope, JsonValue, Scope, TaskInstance, TaskScope
from statemount.mount import StateMount
from statemount.worker import BackendError, Worker
from tests.client.support import AUTH, World, running
from tests.worker.backends import MemoryBackend

Form: TypeAlias = Literal["sync", "async"]
FORMS: tuple[Form, ...] = ("sync", "async")

NOW = datetime(2026, 5, 14, 12, tzinfo=timezone.utc)
"""What the clock of a worker says, where a test sets it."""


class RecordingTransport(httpx.HTTPTransport):
    """Sends as usual, and notes each request."""

    def __init__(self, calls: list[str]) -> None:
        super().__init__(verify=False)  # certificates take longer to load than a test
        self._calls = calls

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._calls.append(request.method)
        return super().handle_request(request)


class RecordingAsyncTransport(httpx.AsyncHTTPTransport):
    """Sends as usual, and notes each request."""

    def __init__(self, calls: list[str]) -> None:
        super().__init__(verify=False)  # certificates take longer to load than a test
        self._calls = calls

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._calls.append(request.method)
        return await super().handle_async_request(request)


class RecordingBackend(MemoryBackend):
    """Notes the scope of each value that is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.scopes: list[Scope] = []

    def set(self, scope: Scope, key: str, value: str, *, expires_at: datetime | None = None) -> None:
        self.scopes.append(scope)
        super().set(scope, key, value, expires_at=expires_at)

    def serialize_task_state_store_to_ref(self, *, value: JsonValue, key: str, scope: TaskScope) -> str:
        if self.fails:
            raise BackendError("the memory does not answer")
        return super().serialize_task_state_store_to_ref(value=value, key=key, scope=scope)


@dataclass
class Site:
    """A server with a task instance, registered with one asset, and clients of both kinds.

    Args:
        form: Which forms of the accessors' methods are called.
        backend: The worker-side backend.
        calls: What was asked of the server (methods of HTTP) and of the backend, in this order.
    """

    world: World
    form: Form
    user: AsyncStateClient
    backend: RecordingBackend = field(default_factory=RecordingBackend)

    @property
    def calls(self) -> list[str]:
        """What was asked of the server (methods of HTTP) and of the backend (names), in order."""
        return self.backend.calls

    @property
    def url(self) -> str:
        """Where the app is mounted."""
        return f"{self.world.url}/state"

    def worker(self, *, has_backend: bool = False, **options: Any) -> Worker:
        """Return a worker of the task instance, which notes its calls."""
        given = {
            "token": AUTH.tokens.worker(self.world.ti_id),
            "ti_id": self.world.ti_id,
            "scope": self.world.scope,
            "backend": self.backend if has_backend else None,
            "transport": RecordingTransport(self.calls),
            "async_transport": RecordingAsyncTransport(self.calls),
            **options,
        }
        return Worker(self.url, **given)

    async def call(self, accessor: Any, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of an accessor, in the form that is tested."""
        if self.form == "sync":
            return await asyncio.to_thread(getattr(accessor, method), *arguments, **options)
        return await getattr(accessor, f"a{method}")(*arguments, **options)

    async def task_entry(self, key: str, scope: TaskScope | None = None) -> StateEntry | None:
        """Return what the server has for a task, as somebody else sees it."""
        scope = scope or self.world.scope
        state = self.user.public.task(
            dag_id=scope.dag_id, run_id=scope.run_id, task_id=scope.task_id, map_index=scope.map_index
        )
        try:
            return await state.get(key)
        except KeyNotFoundError:
            return None

    async def asset_entry(self, key: str, asset_id: int | None = None) -> StateEntry | None:
        """Return what the server has for an asset, as somebody else sees it."""
        try:
            return await self.user.public.asset(asset_id or self.world.asset_id).get(key)
        except KeyNotFoundError:
            return None

    async def register(self, *assets: Asset, map_index: int = -1) -> tuple[UUID, TaskScope]:
        """Register another map index of the task, as the outlet of which each asset is."""
        ti_id = uuid4()
        scope = TaskScope(self.world.scope.dag_id, self.world.scope.run_id, self.world.scope.task_id, map_index)
        outlets = frozenset({self.world.asset_id, *(asset.asset_id for asset in assets)})
        await self.world.state.directory.register_task_instances([TaskInstance(ti_id, scope, outlets=outlets)])
        return ti_id, scope


@asynccontextmanager
async def site(url: str, form: Form) -> AsyncIterator[Site]:
    """Run a server on a database until the end of the block."""
    async with running(StateMount(url, auth=AUTH), "loop") as world, world.user() as user:
        yield Site(world, form, user)


def address(world: World, by: str) -> dict[str, str]:
    """Return how the asset is addressed: by ``name`` or by ``uri``."""
    return {"name": world.asset_name} if by == "name" else {"uri": world.asset_uri}


def asset_scope(world: World, by: str) -> AssetScope:
    """Return the scope that a backend is given for the asset."""
    return AssetScope(name=world.asset_name) if by == "name" else AssetScope(uri=world.asset_uri)
