"""The state of one scope, awaited: the twin of :mod:`statemount.client.sync_scope`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

from tenacity import AsyncRetrying

from statemount.client.async_connection import AsyncConnection
from statemount.client.async_watch import AsyncWatch
from statemount.client.batches import Bound, Operations, value_of
from statemount.client.calls import AsyncSend
from statemount.client.contention import ATTEMPTS, options_of
from statemount.client.events import PATIENCE, Follower
from statemount.client.parts import PART, Part, part_after
from statemount.client.scope_calls import ScopeCalls
from statemount.client.values import BatchOutcome, StateEntry, StatePage
from statemount.model import JsonValue

T = TypeVar("T")
CallsT = TypeVar("CallsT", bound=ScopeCalls)


class AsyncBatch(Operations):
    """As :class:`~statemount.client.Batch`, awaited: ``await batch.send()``."""

    def __init__(self, send: AsyncSend, calls: ScopeCalls) -> None:
        super().__init__()
        self._send_call = send
        self._calls = calls

    async def send(self, *, if_revision: int | None = None) -> BatchOutcome:
        return await self._send_call(self._calls.batch(self, if_revision))


class AsyncScopeState(Generic[CallsT]):
    """As :class:`~statemount.client.sync_scope.ScopeState`, awaited."""

    def __init__(self, calls: CallsT, connection: AsyncConnection) -> None:
        self._calls = calls
        self._connection = connection
        self._send = connection.send

    async def list(
        self,
        *,
        limit: int = 50,
        offset: int = 0,
        prefix: str = "",
        keys_only: bool = False,
        cursor: str | None = None,
        if_revision: int | None = None,
    ) -> StatePage:
        return await self._send(self._calls.list(Part(limit, offset, prefix, keys_only, cursor, if_revision)))

    async def entries(
        self, *, prefix: str = "", keys_only: bool = False, at_one_revision: bool = False
    ) -> AsyncIterator[StateEntry]:
        part: Part | None = Part(PART, prefix=prefix, keys_only=keys_only)
        while part is not None:
            page = await self._send(self._calls.list(part))
            for entry in page.entries:
                yield entry
            part = part_after(part, page, at_one_revision=at_one_revision)

    def watch(
        self, key: str | None = None, *, after: int | None = None, patience: float | None = PATIENCE
    ) -> AsyncWatch:
        follower = Follower(after, patience, self._connection.exchange.retries)
        return AsyncWatch(self._connection, follower, partial(self._calls.watch, key))

    def batch(self) -> AsyncBatch:
        return AsyncBatch(self._send, self._calls)

    async def merge(self, key: str, patch: JsonValue, *, if_revision: int | None = None) -> int | None:
        return await self._send(self._calls.merge(key, patch, if_revision))

    async def increment(self, key: str, by: int | float = 1) -> JsonValue:
        return value_of(await self.batch().increment(key, by).send())

    async def maximum(self, key: str, value: Bound) -> JsonValue:
        return value_of(await self.batch().maximum(key, value).send())

    async def minimum(self, key: str, value: Bound) -> JsonValue:
        return value_of(await self.batch().minimum(key, value).send())

    async def delete(self, key: str, *, if_revision: int | None = None) -> None:
        await self._send(self._calls.delete(key, if_revision))

    async def contend(self, attempt: Callable[[], Awaitable[T]], *, attempts: int = ATTEMPTS) -> T:
        options = options_of(self._connection.exchange.retries, attempts)
        return await AsyncRetrying(sleep=self._connection.sleep, **options)(attempt)
