"""The client for event loops: the twin of :mod:`statemount.client.sync_client`, with the same names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from uuid import UUID

import httpx
from typing_extensions import Self

from statemount.client.async_connection import AsyncConnection
from statemount.client.async_directory import AsyncDirectoryClient
from statemount.client.async_public import AsyncPublicClient
from statemount.client.async_worker import AsyncWorkerAssetState, AsyncWorkerTaskState
from statemount.client.contracts import Contract, ContractVersion, contract_of
from statemount.client.credentials import Credentials, Token
from statemount.client.environment import server_of_environment
from statemount.client.exchange import LIMITS, TIMEOUT, Exchange, check_connection
from statemount.client.retries import Retries
from statemount.client.worker_calls import WorkerAssetCalls, WorkerTaskCalls


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
        exchange = Exchange(url, token, retries or Retries())
        self._is_owner = http is None
        self._http: httpx.AsyncClient = http or httpx.AsyncClient(timeout=timeout, transport=transport, limits=LIMITS)
        self._connection = AsyncConnection(exchange, self._http, sleep)
        self.public: AsyncPublicClient = AsyncPublicClient(self._contract, self._connection)
        self.directory: AsyncDirectoryClient = AsyncDirectoryClient(self._connection.send)

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
        return AsyncWorkerTaskState(WorkerTaskCalls(self._contract, ti_id), self._connection)

    def asset(self, *, name: str | None = None, uri: str | None = None) -> AsyncWorkerAssetState:
        return AsyncWorkerAssetState(WorkerAssetCalls(self._contract, name, uri), self._connection)

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
        return f"{type(self).__name__}({self._connection.exchange.url!r})"
