"""A watch through the client, awaited: the twin of :mod:`statemount.client.sync_watch`, with the same names."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, suppress
from types import TracebackType

import httpx
from typing_extensions import Self

from statemount.client.async_connection import AsyncConnection
from statemount.client.calls import Call
from statemount.client.events import Follower, StateEvent
from statemount.client.retries import RetryableError
from statemount.client.sync_watch import SILENCE, shut_down


class AsyncWatch(AsyncIterator[StateEvent]):
    """As :class:`~statemount.client.Watch`, for an ``async with`` block and ``async for``.

    It takes a socket: ``httpx.ASGITransport`` gives an answer only once it is whole.
    """

    def __init__(
        self, connection: AsyncConnection, follower: Follower, call_with: Callable[[Mapping[str, str]], Call[None]]
    ) -> None:
        self._connection = connection
        self._follower = follower
        self._call_with = call_with
        self._response: httpx.Response | None = None
        self._is_closed = False
        self._events = self._run()

    @property
    def revision(self) -> int | None:
        return self._follower.revision

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StateEvent:
        return await self._events.__anext__()

    async def close(self) -> None:
        self._is_closed = True
        if self._response is not None:
            shut_down(self._response)
        with suppress(RuntimeError):  # another task waits for the next event, and ends it
            await self._events.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self) -> AsyncGenerator[StateEvent, None]:
        from httpx_sse import EventSource

        follower = self._follower
        while not self._is_closed:
            failure: RetryableError | None = None
            try:
                call = self._call_with(follower.headers())
                async with self._connection.stream(call, SILENCE) as (response, authorization):
                    self._response = response
                    is_renewing = False
                    async with aclosing(EventSource(response).aiter_sse()) as source:
                        async for told in source:
                            event = follower.take(told)
                            if event is not None:
                                yield event
                            is_renewing = follower.is_to_be_renewed(authorization)
                            if is_renewing or self._is_closed:
                                break
                if is_renewing:
                    continue
            except RetryableError as error:
                failure = error
            if not self._is_closed:
                await self._connection.sleep(follower.pause_after(failure))
