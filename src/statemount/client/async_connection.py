"""How a client for event loops sends its calls: the twin of :mod:`statemount.client.sync_connection`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
from anyio import sleep as sleep_on_loop
from tenacity import AsyncRetrying

from statemount.client.calls import Call
from statemount.client.correlation import current_correlation_id
from statemount.client.exchange import Exchange, failure_of
from statemount.client.retries import Plan, RetryableError

T = TypeVar("T")


class AsyncConnection:
    """As :class:`~statemount.client.sync_connection.Connection`, awaited.

    Args:
        sleep: None = as asyncio or trio does.
    """

    def __init__(
        self, exchange: Exchange, http: httpx.AsyncClient, sleep: Callable[[float], Awaitable[None]] | None
    ) -> None:
        self.exchange: Exchange = exchange
        self.sleep: Callable[[float], Awaitable[None]] = sleep or sleep_on_loop
        self._http = http

    async def send(self, call: Call[T]) -> T:
        correlation = current_correlation_id()
        began = self.exchange.retries.clock()
        try:
            return await self._attempt(call, correlation)
        except RetryableError as failure:
            plan = Plan(self.exchange.retries, began, failure, correlation)

        async def attempt() -> T:
            plan.begin()
            return await self._attempt(call, correlation)

        try:
            return await AsyncRetrying(sleep=self.sleep, **plan.options())(attempt)
        except RetryableError as failure:
            raise plan.last(failure) from failure.__cause__

    @asynccontextmanager
    async def stream(self, call: Call[Any], timeout: float) -> AsyncIterator[tuple[httpx.Response, str | None]]:
        exchange = self.exchange
        authorization = exchange.credentials.header()
        headers = exchange.headers(call, authorization, current_correlation_id())
        auth = httpx.USE_CLIENT_DEFAULT if authorization is None else None
        limits = self._http.timeout
        silence = httpx.Timeout(connect=limits.connect, read=timeout, write=limits.write, pool=limits.pool)
        try:
            request = self._http.build_request(
                call.method, exchange.url + call.target, headers=headers, timeout=silence
            )
            response = await self._http.send(request, auth=auth, follow_redirects=False, stream=True)
            try:
                if not response.is_success:
                    await response.aread()
                exchange.check_stream(call, response, authorization)
                yield response, authorization
            finally:
                await response.aclose()
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise failure_of(call, error) from error

    async def _attempt(self, call: Call[T], correlation: str) -> T:
        exchange = self.exchange
        authorization = exchange.credentials.header()
        headers = exchange.headers(call, authorization, correlation)
        auth = httpx.USE_CLIENT_DEFAULT if authorization is None else None
        try:
            request = self._http.build_request(
                call.method, exchange.url + call.target, headers=headers, content=call.body
            )
            response = await self._http.send(request, auth=auth, follow_redirects=False)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise failure_of(call, error) from error
        return exchange.read(call, response, authorization)
