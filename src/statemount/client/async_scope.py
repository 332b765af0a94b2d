"""The state of one scope, awaited: the twin of :mod:`statemount.client.sync_scope`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from tenacity import AsyncRetrying

from statemount.client.async_connection import AsyncConnection
from statemount.client.contention import ATTEMPTS, options_of
from statemount.client.scope_calls import ScopeCalls

T = TypeVar("T")
CallsT = TypeVar("CallsT", bound=ScopeCalls)


class AsyncScopeState(Generic[CallsT]):
    """As :class:`~statemount.client.sync_scope.ScopeState`, awaited."""

    def __init__(self, calls: CallsT, connection: AsyncConnection) -> None:
        self._calls = calls
        self._connection = connection
        self._send = connection.send

    async def delete(self, key: str, *, if_revision: int | None = None) -> None:
        await self._send(self._calls.delete(key, if_revision))

    async def contend(self, attempt: Callable[[], Awaitable[T]], *, attempts: int = ATTEMPTS) -> T:
        options = options_of(self._connection.exchange.retries, attempts)
        return await AsyncRetrying(sleep=self._connection.sleep, **options)(attempt)
