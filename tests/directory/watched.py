"""A registry whose look-ups can be counted, held back and broken, and a clock that is set by hand."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from uuid import UUID

from statemount.directory.memory import MemoryDirectory
from statemount.interfaces import Identity
from statemount.model import Access, Asset, MappedTask, TaskInstance, TaskScope

SECOND = 1_000_000

request_context: ContextVar[str] = ContextVar("request_context", default="none")


class Clock:
    """A clock in microseconds that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_700_000_000 * SECOND

    def __call__(self) -> int:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


class WatchedDirectory(MemoryDirectory):
    """Keeps the names of the look-ups that reach it, and whether it was opened and closed.

    While ``gate`` is there, a look-up finds its answer, and waits at the gate before it gives it. ``error`` is raised
    instead of an answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.identities: list[Identity | None] = []
        self.contexts: list[str] = []
        self.gate: asyncio.Event | None = None
        self.error: Exception | None = None
        self.states: list[str] = []

    async def open(self) -> None:
        self.states.append("open")

    async def close(self) -> None:
        self.states.append("closed")

    async def _pass(self, question: str, identity: Identity | None = None) -> None:
        self.asked.append(question)
        self.identities.append(identity)
        self.contexts.append(request_context.get())
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error

    async def task_scope(self, task_instance_id: UUID, identity: Identity | None = None) -> TaskScope | None:
        answer = await super().task_scope(task_instance_id)
        await self._pass("task_scope", identity)
        return answer

    async def task_instance(self, task_instance_id: UUID) -> TaskInstance | None:
        answer = await super().task_instance(task_instance_id)
        await self._pass("task_instance")
        return answer

    async def try_number(self, task_instance_id: UUID, identity: Identity | None = None) -> int | None:
        answer = await super().try_number(task_instance_id)
        await self._pass("try_number", identity)
        return answer

    async def has_task_instance(self, target: TaskScope | MappedTask, identity: Identity | None = None) -> bool:
        answer = await super().has_task_instance(target)
        await self._pass("has_task_instance", identity)
        return answer

    async def asset(self, asset_id: int, identity: Identity | None = None) -> Asset | None:
        answer = await super().asset(asset_id)
        await self._pass("asset", identity)
        return answer

    async def asset_by_name(self, name: str, identity: Identity | None = None) -> Asset | None:
        answer = await super().asset_by_name(name)
        await self._pass("asset_by_name", identity)
        return answer

    async def asset_by_uri(self, uri: str, identity: Identity | None = None) -> Asset | None:
        answer = await super().asset_by_uri(uri)
        await self._pass("asset_by_uri", identity)
        return answer

    async def access(self, task_instance_id: UUID, asset: Asset, identity: Identity | None = None) -> frozenset[Access]:
        answer = await super().access(task_instance_id, asset)
        await self._pass("access", identity)
        return answer
