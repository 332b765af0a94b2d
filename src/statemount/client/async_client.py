"""The client for event loops: the twin of :mod:`statemount.client.sync_client`, with the same names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, TypeVar
from uuid import UUID

import httpx
from tenacity import AsyncRetrying
from typing_extensions import Self

from statemount.client.async_directory import AsyncDirectoryClient
from statemount.client.async_state import AsyncPublicClient, AsyncWorkerAssetState, AsyncWorkerTaskState
from statemount.client.calls import Call
from statemount.client.contracts import Contract, ContractVersion, contract_of
from statemount.client.correlation import current_correlation_id
from statemount.client.credentials import Credentials, Token
from statemount.client.environment import server_of_environment
from statemount.client.exchange import LIMITS, TIMEOUT, Exchange, check_connection, failure_of
from statemount.client.retries import Plan, Retries, RetryableError
from statemount.client.worker_calls import WorkerAssetCalls, WorkerTaskCalls

T = TypeVar("T")


class AsyncStateClient:
    """As :class:`~statemount.client.StateClient`, awaited; on one event loop at a time.

    Args:
        sleep: Waits so many seconds between attempts; None = as asyncio or trio does.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token | Credentials | None = None,
        timeout: float | httpx.Timeout = TIMEOUT,
        retries: Retries | None = None,
        contract: ContractVersion = "airflow33",
        transport: httpx.AsyncBaseTransport | None = None,
        http: httpx.AsyncClient | None = None,
        sleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        check_connection(transport, http)
        self._contract: Contract = contract_of(contract)
        self._exchange = Exchange(url, token, retries or Retries())
        self._is_owner = http is None
        self._http: httpx.AsyncClient = http or httpx.AsyncClient(timeout=timeout, transport=transport, limits=LIMITS)
        self._sleeping: dict[str, Any] = {} if sleep is None else {"sleep": sleep}
        self.public: AsyncPublicClient = AsyncPublicClient(self._contract, self._send)
        self.directory: AsyncDirectoryClient = AsyncDirectoryClient(self._send)

    @classmethod
    def from_environment(
        cls,
        *,
        timeout: float | httpx.Timeout = TIMEOUT,
        retries: Retries | None = None,
        contract: ContractVersion = "airflow33",
        transport: httpx.AsyncBaseTransport | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> Self:
        """As :meth:`~statemount.client.StateClient.from_environment`."""
        url, token = server_of_environment()
        return cls(
            url, token=token, timeout=timeout, retries=retries, contract=contract, transport=transport, http=http
        )

    def task_instance(self, ti_id: UUID | str) -> AsyncWorkerTaskState:
        return AsyncWorkerTaskState(WorkerTaskCalls(self._contract, ti_id), self._send)

    def asset(self, *, name: str | None = None, uri: str | None = None) -> AsyncWorkerAssetState:
        return AsyncWorkerAssetState(WorkerAssetCalls(self._contract, name, uri), self._send)

    async def close(self) -> None:
        if self._is_owner:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._exchange.url!r})"

    async def _send(self, call: Call[T]) -> T:
        correlation = current_correlation_id()
        began = self._exchange.retries.clock()
        try:
            return await self._attempt(call, correlation)
        except RetryableError as failure:
            plan = Plan(self._exchange.retries, began, failure, correlation)

        async def attempt() -> T:
            plan.begin()
            return await self._attempt(call, correlation)

        try:
            return await AsyncRetrying(**self._sleeping, **plan.options())(attempt)
        except RetryableError as failure:
            raise plan.last(failure) from failure.__cause__

    async def _attempt(self, call: Call[T], correlation: str) -> T:
        exchange = self._exchange
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
