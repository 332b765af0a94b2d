"""The composition root: one object, to be mounted, wrapped around a host app, served alone, or used in process."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from typing_extensions import override

from statemount.clock import system_clock
from statemount.directory.claims import ClaimsDirectory
from statemount.directory.open import OpenDirectory
from statemount.errors import ConfigurationError, UnavailableError
from statemount.interfaces import (
    AsgiScope,
    Authenticator,
    Authorizer,
    Clock,
    Credential,
    Identity,
    Registry,
    Revocations,
    RouteSet,
)
from statemount.model import Timestamp
from statemount.observer import SILENT, Observer
from statemount.parts import (
    DirectorySource,
    Parts,
    StoreSource,
    authenticator_of,
    authorizer_of,
    clean_up_rules,
    metrics_of,
    watch_options,
)
from statemount.proxies import (
    RuntimeAuthenticator,
    RuntimeDirectory,
    RuntimeRevocations,
    RuntimeStore,
    RuntimeWatches,
)
from statemount.runtime import Opened, Runtime, Runtimes
from statemount.service import StateService
from statemount.service.sweeper import Sweeper
from statemount.settings import Settings
from statemount.watching.hub import Hub
from statemount.web.app import StateApp
from statemount.web.below import BelowApp
from statemount.web.lifespan import serve_lifespan
from statemount.web.requests import Receive, Send
from statemount.web.route_set import RouteSetApp
from statemount.web.server_stop import ServerStop

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from statemount.metrics import CollectorRegistry

_logger = logging.getLogger(__name__)

HostLifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[Any]]
"""A host app's lifespan, as Starlette and FastAPI take it."""

_NO_AUTHENTICATION = "nothing says how callers are authenticated: give auth=, or a setting such as jwt_secret"


class StateMount:
    """Task state and asset state, as an ASGI app and in process.

    Nothing is opened here. The first use on an event loop starts what is needed there, and the end of that event loop
    closes it; :attr:`lifespan`, :meth:`start` and :meth:`stop` do so earlier. One object serves any number of event
    loops, one after the other or at once, and forked processes.

    Args:
        url: The database: ``sqlite:///<file>``, ``postgresql://...``, ``mysql://...``; ``memory://`` keeps everything
            in this object. It is the setting ``database_url``.
        auth: Who verifies callers. None = tokens as the settings say; without any, HTTP requests are refused.
        directory: Knows the task instances and assets; None = as the settings say. A class or function is called once
            for each event loop; an object is used on all of them.
        store: Keeps the entries; likewise.
        revocations: Knows which credentials are revoked. None = they are kept in the database, or in this object where
            neither store nor directory is in one.
        authorizer: Decides who may do what; None = the default rules as the settings say.
        settings: None = the defaults. The environment is read by :meth:`from_environment` alone.
        clock: Microseconds since the epoch.
        metrics_registry: A registry of ``prometheus_client`` to count in, for a host that exposes it itself. None = one
            of this app's own, if the setting ``metrics`` is on.
        overrides: Single settings by name, before those of ``settings``.

    Raises:
        ConfigurationError: The settings cannot work, or do not fit together.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        auth: Authenticator | None = None,
        directory: DirectorySource | None = None,
        store: StoreSource | None = None,
        revocations: Revocations | None = None,
        authorizer: Authorizer | None = None,
        settings: Settings | None = None,
        clock: Clock = system_clock,
        metrics_registry: CollectorRegistry | None = None,
        **overrides: Any,
    ) -> None:
        if url is not None:
            overrides["database_url"] = url
        self.settings: Settings = (settings or Settings()).replace(overrides)
        self._clock = clock
        metrics = metrics_of(self.settings, metrics_registry)
        self._observer: Observer = metrics or SILENT
        self._parts = Parts(
            self.settings, clock, store=store, directory=directory, revocations=revocations, observer=self._observer
        )
        self._auth = auth or authenticator_of(self.settings, clock) or _NoAuthenticator()
        self._runtimes = Runtimes(self._open)
        self._directory = RuntimeDirectory(self._runtimes)
        self._service = StateService(
            store=RuntimeStore(self._runtimes),
            directory=self._directory,
            revocations=RuntimeRevocations(self._runtimes),
            authorizer=authorizer or authorizer_of(self.settings),
            clock=clock,
            default_retention=timedelta(days=self.settings.default_retention_days),
            max_value_bytes=self.settings.max_value_storage_bytes,
            max_body_bytes=self.settings.max_body_bytes,
            clears_on_success=self.settings.clear_on_success,
            clean_up=clean_up_rules(self.settings),
            watches=RuntimeWatches(self._runtimes),
        )
        self._app = StateApp(
            service=self._service,
            authenticator=RuntimeAuthenticator(self._runtimes, self._auth),
            contracts=self.settings.contracts,
            max_body_bytes=self.settings.max_body_bytes,
            body_seconds=self.settings.body_timeout_seconds or None,
            clock=clock,
            observer=metrics,
            exposition=metrics.exposition if metrics is not None and self.settings.metrics else None,
        )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> StateMount:
        """Return an app as the environment variables say: ``STATEMOUNT_DATABASE_URL`` and so on.

        Args:
            environ: The variables; None = the process's own.

        Raises:
            ConfigurationError: A variable cannot be used, or nothing says how callers are authenticated.
        """
        state = cls(settings=Settings.from_environment(environ))
        if isinstance(state._auth, _NoAuthenticator):
            raise ConfigurationError("nothing says how callers are authenticated: set STATEMOUNT_JWT_SECRET")
        return state

    def __repr__(self) -> str:
        return f"StateMount({self.settings.database_url!s})"

    @property
    def service(self) -> StateService:
        """The rules with no HTTP; usable on any event loop."""
        return self._service

    @property
    def directory(self) -> Registry:
        """Where a host registers task instances and assets; usable on any event loop.

        To register raises ConfigurationError if the directory is none that a host fills.
        """
        return self._directory

    @property
    def execution(self) -> RouteSetApp:
        """The routes for workers, as an ASGI app of their own."""
        return self._app.execution

    @property
    def public(self) -> RouteSetApp:
        """The routes for people and services, as an ASGI app of their own."""
        return self._app.public

    def route(self, prefix: str) -> BaseRoute:
        """Return a route for Starlette and FastAPI: ``Starlette(routes=[state.route("/state")])``.

        It is a ``Mount`` that lets keys with newlines through. :attr:`execution` and :attr:`public` have the same
        method.

        Args:
            prefix: Where it is mounted, such as ``/state``.

        Raises:
            ConfigurationError: The prefix does not begin with a slash, or ends with one.
        """
        from statemount.web.route import StateRoute

        return StateRoute(prefix, self)

    def below(self, prefix: str) -> BelowApp:
        """Return this app for a host whose router changes the path of what it mounts, as Litestar's does.

        It takes the path as it was sent, so that no key is damaged. :attr:`execution` and :attr:`public` have the same
        method.

        Args:
            prefix: Where it is mounted, such as ``/state``, with every prefix of routers around it.

        Raises:
            ConfigurationError: The prefix does not begin with a slash, or ends with one.
        """
        return BelowApp(self, prefix)

    def openapi_into(self, document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
        """Return a host's OpenAPI document with our operations in it.

        Names of components begin with ``StateMount`` in it, and operation ids with ``state_execution_``,
        ``state_public_`` or ``state_``. :attr:`execution` and :attr:`public` have the same method, for what is
        mounted alone.

        Args:
            document: The host's; it stays as it is.
            prefix: Where this app is mounted, such as ``/state``.

        Raises:
            ConfigurationError: The document is not OpenAPI 3.1, or has one of the paths or names already.
        """
        return self._app.openapi_into(document, prefix)

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer a request, or the lifespan scope of a server."""
        if scope["type"] == "lifespan":
            await serve_lifespan(self, receive, send)
        else:
            await self._app(scope, receive, send)

    async def start(self) -> None:
        """Start on this event loop, ahead of the first use. A no-op if it is started.

        A database that does not answer is logged, and asked again at the next use.

        Raises:
            ConfigurationError: It can never work like this.
        """
        try:
            await self._runtimes.current()
        except ConfigurationError:
            raise
        except UnavailableError as error:
            _logger.warning("statemount cannot serve yet, and will try again when it is used: %s", error)
        except Exception:
            _logger.exception("statemount cannot serve yet, and will try again when it is used")

    async def stop(self) -> None:
        """Finish what was accepted and close everything on this event loop. A no-op if nothing is started."""
        await self._runtimes.stop()

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Start, and stop at the end: ``Starlette(lifespan=state.lifespan)``.

        Args:
            app: The host app; not used.
        """
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    def lifespan_with(self, host_lifespan: HostLifespan) -> HostLifespan:
        """Return a lifespan for a host app that has one already. Ours starts before it and stops after it."""

        @asynccontextmanager
        async def both(app: Any) -> AsyncIterator[Any]:
            async with self.lifespan(app), host_lifespan(app) as host_state:
                yield host_state

        return both

    def end_watches(self) -> None:
        """End every watch on this event loop, and begin none for half a minute: the server is about to stop.

        A server waits for its connections before it ends the lifespan, and a watch does not end by itself. Where the
        app does not see by itself that its server stops, whoever stops it calls this first.
        """
        runtime = self._runtimes.running()
        if runtime is not None:
            runtime.hub.stop_soon()

    async def task_succeeded(self, task_instance_id: UUID) -> None:
        """Take note that a task instance has succeeded: its state is cleared if ``clear_on_success`` is set.

        Raises:
            TaskInstanceNotFoundError: It is not in the directory.
        """
        await self._service.host.succeeded(task_instance_id)

    async def revoke_task_instance(self, task_instance_id: UUID, *, until: Timestamp | None = None) -> None:
        """Refuse every token of a task instance that has ended, also one that is renewed. Its state stays.

        Args:
            until: When the last of its tokens has ended by itself, in microseconds since the epoch; None = in 30 days.
        """
        await self._service.host.revoke(Credential.task_instance(task_instance_id), until=until)

    async def revoke_token(self, jti: str, *, until: Timestamp | None = None) -> None:
        """Refuse the token with this ``jti``, and those that it is renewed to.

        Args:
            until: As for :meth:`revoke_task_instance`.
        """
        await self._service.host.revoke(Credential.token(jti), until=until)

    async def _open(self, opened: Opened) -> Runtime:
        authenticator = await opened.open(self._auth)
        store, directory, revocations, bell = await self._parts.open(opened)
        inner = directory.registry if isinstance(directory, (ClaimsDirectory, OpenDirectory)) else directory
        registry = inner if isinstance(inner, Registry) else None
        options = watch_options(self.settings)
        hub = Hub(store, options, bell=bell, stop_sign=ServerStop(), observer=self._observer)
        await opened.open(hub)
        if self.settings.sweep_interval_seconds:
            sweeper = Sweeper(
                store,
                registry,
                self._clock,
                clean_up_rules(self.settings),
                interval=self.settings.sweep_interval_seconds,
                swept=hub.swept,
                observer=self._observer,
            )
            await opened.open(sweeper)
        return Runtime(store, directory, authenticator, hub, registry, revocations)


class _NoAuthenticator(Authenticator):
    """Refuses everybody."""

    @override
    async def authenticate(self, asgi_scope: AsgiScope, route_set: RouteSet) -> Identity:
        raise ConfigurationError(_NO_AUTHENTICATION)
