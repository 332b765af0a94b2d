"""The client for threads: sends what the other modules have thought out."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from uuid import UUID

import httpx
from typing_extensions import Self

from statemount.client.contracts import Contract, ContractVersion, contract_of
from statemount.client.credentials import Credentials, Token
from statemount.client.environment import server_of_environment
from statemount.client.exchange import LIMITS, TIMEOUT, Exchange, check_connection
from statemount.client.retries import Retries
from statemount.client.sync_connection import Connection
from statemount.client.sync_directory import DirectoryClient
from statemount.client.sync_public import PublicClient
from statemount.client.sync_worker import WorkerAssetState, WorkerTaskState
from statemount.client.worker_calls import WorkerAssetCalls, WorkerTaskCalls


class StateClient:
    """Task state and asset state of a server, over HTTP. Safe to use from several threads.

    Every method of it, and of what it gives, raises an error of :mod:`statemount.errors`, the same one as in the
    server's own process: among others :class:`~statemount.errors.AuthenticationError`,
    :class:`~statemount.errors.ForbiddenError`, :class:`~statemount.errors.InvalidInputError`,
    :class:`~statemount.errors.UnavailableError` (once it is not repeated any more), and
    :class:`~statemount.errors.WriteOutcomeUnknownError` for a write that may or may not have been done; or
    :class:`~statemount.client.UnexpectedAnswerError`.

    Args:
        url: Where the app is mounted, such as ``https://host/state``.
        token: Sent with every request; a callable is asked each time. Where the server renews it, the new one is
            used until the callable gives another; clients that are given the same ``Credentials`` share it. None = the
            ``http`` client authenticates by itself.
        timeout: Seconds for each of connecting, writing, reading and waiting for a free connection, or an
            ``httpx.Timeout`` with four of them. It is not used with ``http``.
        retries: How often and how long a call is repeated.
        contract: Whose paths are used: Airflow 3.3's, or AIP-103's.
        transport: Of the connections; None = over the network.
        http: An HTTP client of the caller's, who closes it. Its time-outs, proxies and certificates are used, not its
            base URL.
        sleep: Waits so many seconds between attempts.

    Attributes:
        public: The public route set, for people and services.
        directory: Where hosts register task instances and assets.

    Raises:
        ConfigurationError: The URL or the token cannot be used, or both ``transport`` and ``http`` are given.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token | Credentials | None = None,
        timeout: float | httpx.Timeout = TIMEOUT,
        retries: Retries | None = None,
        contract: ContractVersion = "airflow33",
        transport: httpx.BaseTransport | None = None,
        http: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        check_connection(transport, http)
        self._contract: Contract = contract_of(contract)
        exchange = Exchange(url, token, retries or Retries())
        self._is_owner = http is None
        self._http: httpx.Client = http or httpx.Client(timeout=timeout, transport=transport, limits=LIMITS)
        self._connection = Connection(exchange, self._http, sleep)
        self.public: PublicClient = PublicClient(self._contract, self._connection)
        self.directory: DirectoryClient = DirectoryClient(self._connection.send)

    @classmethod
    def from_environment(
        cls,
        *,
        timeout: float | httpx.Timeout = TIMEOUT,
        retries: Retries | None = None,
        contract: ContractVersion = "airflow33",
        transport: httpx.BaseTransport | None = None,
        http: httpx.Client | None = None,
    ) -> Self:
        """Return a client of ``STATEMOUNT_URL`` with ``STATEMOUNT_TOKEN``, or the token in ``STATEMOUNT_TOKEN_FILE``.

        The file is read for every request. The arguments are those of the class.

        Raises:
            ConfigurationError: No URL is set, or both a token and a file.
        """
        url, token = server_of_environment()
        return cls(
            url, token=token, timeout=timeout, retries=retries, contract=contract, transport=transport, http=http
        )

    def task_instance(self, ti_id: UUID | str) -> WorkerTaskState:
        """Return the state of a task instance, which its own worker's token reaches."""
        return WorkerTaskState(WorkerTaskCalls(self._contract, ti_id), self._connection)

    def asset(self, *, name: str | None = None, uri: str | None = None) -> WorkerAssetState:
        """Return the state of an asset, which the token of a worker reaches whose task is registered with it.

        Raises:
            ValueError: Not exactly one of name and URI is given, or a URI where the contract knows names alone.
        """
        return WorkerAssetState(WorkerAssetCalls(self._contract, name, uri), self._connection)

    def close(self) -> None:
        """Close the connections, unless they are those of the caller's own ``http``."""
        if self._is_owner:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._connection.exchange.url!r})"
