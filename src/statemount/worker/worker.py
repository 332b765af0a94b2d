"""A worker: where its accessors and their connections come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from types import TracebackType
from uuid import UUID

import httpx
from typing_extensions import Self

from statemount.client import AsyncStateClient, ContractVersion, Retries, StateClient, Token
from statemount.client.credentials import Credentials
from statemount.client.environment import server_of_environment
from statemount.client.exchange import TIMEOUT
from statemount.clock import system_clock
from statemount.errors import ConfigurationError
from statemount.model import TaskScope, Timestamp
from statemount.worker.asset_state import AssetStateAccessor
from statemount.worker.asset_states import AssetStateAccessors
from statemount.worker.backends import BaseStateBackend
from statemount.worker.clients import Clients
from statemount.worker.environment import (
    TASK_INSTANCE_ID,
    retention_of_environment,
    scope_of_environment,
    task_instance_of_environment,
)
from statemount.worker.loading import worker_backend
from statemount.worker.retention import DEFAULT_RETENTION, check_default_retention
from statemount.worker.task_state import TaskStateAccessor


class Worker:
    """What runs one task instance: gives its accessors, and keeps their connections.

    It may be used from several threads, from several event loops and after a fork: each loop and process gets
    connections of its own. All send the token as the server last renewed it. A worker that was closed opens
    connections again when it is used.

    Args:
        url: Where the app is mounted, such as ``https://host/state``.
        token: The worker's, or a callable that is asked for it before every request.
        ti_id: The task instance; None = assets alone are used.
        scope: Its ids; only a worker-side backend needs them.
        backend: Keeps values on the worker's side; None = the server keeps them.
        default_retention: How long a task's entry is kept that is set without a retention; positive, or
            ``NEVER_EXPIRE``.
        timeout: Seconds for each of connecting, writing, reading and waiting for a free connection.
        retries: How often and how long a call is repeated.
        contract: Whose paths are used: Airflow 3.3's, or AIP-103's.
        transport: Of the connections of threads; None = over the network. One that is given is used in every process.
        async_transport: Of the connections of event loops; None = over the network. One that is given is used on every
            loop, as ``httpx.ASGITransport`` can be.
        clock: Tells when a retention begins.

    Raises:
        ConfigurationError: The URL, the token or the default retention cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token | None = None,
        ti_id: UUID | str | None = None,
        scope: TaskScope | None = None,
        backend: BaseStateBackend | None = None,
        default_retention: timedelta = DEFAULT_RETENTION,
        timeout: float | httpx.Timeout = TIMEOUT,
        retries: Retries | None = None,
        contract: ContractVersion = "airflow33",
        transport: httpx.BaseTransport | None = None,
        async_transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], Timestamp] = system_clock,
    ) -> None:
        credentials = Credentials(token)

        def make() -> StateClient:
            return StateClient(
                url, token=credentials, timeout=timeout, retries=retries, contract=contract, transport=transport
            )

        def make_async() -> AsyncStateClient:
            return AsyncStateClient(
                url, token=credentials, timeout=timeout, retries=retries, contract=contract, transport=async_transport
            )

        self._url = url
        self._ti_id = ti_id
        self._scope = scope
        self._backend = backend
        self._default_retention = check_default_retention(default_retention)
        self._clock = clock
        self._clients = Clients(make, make_async)

    @classmethod
    def from_environment(
        cls,
        *,
        backend: BaseStateBackend | None = None,
        timeout: float | httpx.Timeout = TIMEOUT,
        retries: Retries | None = None,
        contract: ContractVersion = "airflow33",
        transport: httpx.BaseTransport | None = None,
        async_transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], Timestamp] = system_clock,
    ) -> Self:
        """Return the worker that the environment describes.

        ``STATEMOUNT_URL``; ``STATEMOUNT_TOKEN`` or ``STATEMOUNT_TOKEN_FILE``; ``STATEMOUNT_TASK_INSTANCE_ID``; with a
        worker-side backend ``STATEMOUNT_DAG_ID``, ``STATEMOUNT_RUN_ID``, ``STATEMOUNT_TASK_ID`` and, for a mapped task,
        ``STATEMOUNT_MAP_INDEX``; ``STATEMOUNT_DEFAULT_RETENTION_DAYS`` (30; 0 = for ever).

        Args:
            backend: None = the one that ``STATEMOUNT_WORKER_STATE_BACKEND`` names, if it is set.

        Raises:
            ConfigurationError: One of them is missing or cannot be used.
        """
        url, token = server_of_environment()
        return cls(
            url,
            token=token,
            ti_id=task_instance_of_environment(),
            scope=scope_of_environment(),
            backend=worker_backend() if backend is None else backend,
            default_retention=retention_of_environment(),
            timeout=timeout,
            retries=retries,
            contract=contract,
            transport=transport,
            async_transport=async_transport,
            clock=clock,
        )

    @property
    def task_state(self) -> TaskStateAccessor:
        """The state of the task instance.

        Raises:
            ConfigurationError: It is not known which one, or there is a worker-side backend and the ids are not known.
        """
        if self._ti_id is None:
            raise ConfigurationError(f"the worker was told no task instance: give it ti_id, or set {TASK_INSTANCE_ID}")
        return TaskStateAccessor(
            self._clients,
            self._ti_id,
            self._scope,
            backend=self._backend,
            default_retention=self._default_retention,
            clock=self._clock,
        )

    def asset_state(self, *, name: str | None = None, uri: str | None = None) -> AssetStateAccessor:
        """Return the state of an asset.

        Raises:
            ValueError: Not exactly one of name and URI is given.
        """
        return AssetStateAccessor(self._clients, name=name, uri=uri, backend=self._backend)

    def asset_states(self, *, inlets: Iterable[object] = (), outlets: Iterable[object] = ()) -> AssetStateAccessors:
        """Return the state of a task's assets; see :class:`AssetStateAccessors`.

        Raises:
            TypeError: One of them is no asset.
            ValueError: One of them has neither a name nor a URI.
        """
        return AssetStateAccessors(self.asset_state, inlets, outlets)

    def close(self) -> None:
        """Close the connections of threads. Those of an event loop are closed there, by :meth:`aclose`."""
        self._clients.close()

    async def aclose(self) -> None:
        """Close the connections of threads and those of the running event loop."""
        await self._clients.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url!r}, ti_id={self._ti_id})"
