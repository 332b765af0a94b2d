"""The parts that the settings name."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, Union

from pydantic import SecretStr

from statemount.auth.jwt import JWTAuth
from statemount.auth.policy import DefaultAuthorizer
from statemount.database.schema import TableNames
from statemount.database.url import DatabaseUrl
from statemount.directory.cache import CachedRegistry
from statemount.directory.claims import ClaimsDirectory
from statemount.directory.memory import MemoryDirectory
from statemount.directory.open import OpenDirectory
from statemount.directory.revocations import CachedRevocations, MemoryRevocations
from statemount.errors import ConfigurationError
from statemount.interfaces import Authenticator, Authorizer, Clock, Directory, Registry, Resource, Revocations, Store
from statemount.observer import SILENT, Observer
from statemount.runtime import Opened
from statemount.service.clean_up import CleanUpRules
from statemount.settings import OFF, Settings
from statemount.store.memory import MemoryStore
from statemount.store.options import StoreOptions
from statemount.watching.bell import Bell
from statemount.watching.files import possible_watches
from statemount.watching.options import WatchOptions

if TYPE_CHECKING:
    from statemount.database.connections import Connections
    from statemount.metrics import CollectorRegistry, Metrics

StoreSource: TypeAlias = Union[Store, Callable[[], Store]]
"""A store for all event loops, or a class or function that gives one for each."""

DirectorySource: TypeAlias = Union[Directory, Callable[[], Directory]]
"""A directory for all event loops, or a class or function that gives one for each."""

_PartT = TypeVar("_PartT", bound=Resource)

_Wrap: TypeAlias = Callable[[Registry], Directory]

_DIRECTORIES: dict[str, _Wrap] = {
    "database": lambda registry: registry,
    "memory": lambda registry: registry,
    "claims": ClaimsDirectory,
    "open": OpenDirectory,
}


def authenticator_of(settings: Settings, clock: Clock) -> Authenticator | None:
    """Return what verifies tokens as the settings say; None if they name no key.

    Raises:
        ConfigurationError: A key, a secret or an algorithm is not acceptable.
    """
    if not (settings.jwt_secret or settings.jwt_public_key or settings.jwt_signing_key or settings.jwt_jwks):
        return None
    public_key = _revealed(settings.jwt_public_key)
    return JWTAuth(
        secret=_revealed(settings.jwt_secret),
        keys=() if public_key is None else (public_key,),
        jwks=settings.jwt_jwks,
        algorithms=settings.jwt_algorithms,
        execution_audience=settings.jwt_execution_audience,
        public_audience=settings.jwt_public_audience,
        issuer=settings.jwt_issuer,
        leeway=settings.jwt_leeway,
        signing_key=_revealed(settings.jwt_signing_key),
        watchers=settings.watchers != "off",
        allow_short_secret=settings.jwt_allow_short_secret,
        clock=clock,
    )


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def authorizer_of(settings: Settings) -> Authorizer:
    """Return the default rules as the settings say."""
    return DefaultAuthorizer(asset_inlets=settings.asset_inlets, watchers_reach_all_assets=settings.watchers == "all")


def metrics_of(settings: Settings, registry: CollectorRegistry | None) -> Metrics | None:
    """Return what counts for Prometheus; None if nobody wants it.

    Raises:
        ConfigurationError: ``prometheus_client`` is not installed, or the registry has such metrics already.
    """
    if not settings.metrics and registry is None:
        return None
    try:
        from statemount.metrics import Metrics
    except ModuleNotFoundError as error:
        raise ConfigurationError("metrics need prometheus_client: pip install 'statemount[metrics]'") from error
    return Metrics(registry)


class DatabaseParts:
    """What shares the connections of one runtime. They are opened when the first part is asked for."""

    def __init__(self, settings: Settings, clock: Clock, opened: Opened, observer: Observer) -> None:
        self._settings = settings
        self._observer = observer
        self._clock = clock
        self._opened = opened
        self._tables = TableNames(settings.table_prefix)
        self._connections: Connections | None = None

    async def store(self) -> Store:
        """Open the database's store."""
        from statemount.store.database import DatabaseStore

        store = DatabaseStore(
            await self._open_connections(),
            tables=self._tables,
            clock=self._clock,
            options=store_options(self._settings),
            max_waiting=self._settings.max_queue_length,
            observer=self._observer,
        )
        return await self._opened.open(store)

    async def bell(self) -> Bell | None:
        """Return what tells other processes of changes; None = they are left to find out."""
        url = listen_url(self._settings)
        if url is None:
            return None
        from statemount.database.notifications import Notifications

        connections = await self._open_connections()
        return Bell(Notifications(connections, channel=self._tables.channel, url=url))

    async def revocations(self) -> Revocations:
        """Return what the database knows to be revoked, not yet opened."""
        from statemount.directory.database_revocations import DatabaseRevocations

        return DatabaseRevocations(await self._open_connections(), tables=self._tables, clock=self._clock)

    async def registry(self) -> Registry:
        """Return the database's directory, not yet opened."""
        from statemount.directory.database import DatabaseDirectory

        return DatabaseDirectory(await self._open_connections(), tables=self._tables, clock=self._clock)

    async def _open_connections(self) -> Connections:
        if self._connections is None:
            from statemount.database.connections import Connections
            from statemount.database.version import Schema

            url = DatabaseUrl(self._settings.database_url.get_secret_value())
            connections = await self._opened.open(
                Connections(
                    url,
                    size=self._settings.pool_size,
                    statement_seconds=self._settings.statement_timeout_seconds,
                    observer=self._observer,
                )
            )
            migrates = self._settings.auto_migrate
            auto_upgrade = url.is_embedded if migrates is None else migrates
            await self._opened.open(Schema(connections, self._tables, auto_upgrade=auto_upgrade))
            self._connections = connections
        return self._connections


class Parts:
    """Opens the store and the directory of one runtime after the other.

    What is in memory is made here, once: it survives a change of event loop. What has connections is made for each
    runtime.

    Args:
        store: In place of the one that the settings name.
        directory: In place of the one that the settings name.
        revocations: In place of those in the database, or in memory where there is none.
        observer: Is told what the parts do that the settings name.

    Raises:
        ConfigurationError: The settings name something that does not exist.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        store: StoreSource | None = None,
        directory: DirectorySource | None = None,
        revocations: Revocations | None = None,
        observer: Observer = SILENT,
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._clock = clock
        url = settings.database_url.get_secret_value()
        in_memory = url.startswith("memory:")
        self._wrap = None if directory is not None else _DIRECTORIES.get(settings.directory)
        self._memory_registry = MemoryDirectory(clock=clock) if in_memory or settings.directory == "memory" else None
        self._directory = directory
        if directory is None and settings.directory == "airflow":
            self._directory = self._airflow_directory()
        elif directory is None and self._wrap is None:
            self._directory = _found("directory", settings.directory)
        self._store = store
        if store is None and (settings.store == "memory" or (settings.store == "database" and in_memory)):
            self._store = MemoryStore(clock=clock, options=store_options(settings))
        elif store is None and settings.store != "database":
            self._store = _found("store", settings.store)
        uses_database = self._store is None or (self._wrap is not None and self._memory_registry is None)
        self._revocations = revocations
        if revocations is None and not uses_database:
            self._revocations = MemoryRevocations(clock=clock)
        if uses_database:
            # Refuses now what could never work, and imports now what would hold up the event loop.
            DatabaseUrl(url).make_driver()
            listen_url(settings)
            import_module("statemount.store.database")

    async def open(self, opened: Opened) -> tuple[Store, Directory, Revocations, Bell | None]:
        """Open a store, a directory, what knows the revocations, and return what tells other processes of changes.

        Raises:
            ConfigurationError: They can never work like this.
            UnavailableError: They cannot now.
        """
        database = DatabaseParts(self._settings, self._clock, opened, self._observer)
        store = await database.store() if self._store is None else await opened.open(_made(self._store, Store))
        bell = await database.bell() if self._store is None else None
        max_age = timedelta(seconds=self._settings.directory_cache_seconds)
        revocations = self._revocations
        if not isinstance(revocations, MemoryRevocations):
            revocations = CachedRevocations(revocations or await database.revocations(), max_age=max_age)
        revocations = await opened.open(revocations)
        if self._wrap is None:
            return store, await opened.open(_made(self._directory, Directory)), revocations, bell
        registry: Registry | None = self._memory_registry
        if registry is None:
            registry = CachedRegistry(await database.registry(), max_age=max_age, observer=self._observer)
        return store, await opened.open(self._wrap(registry)), revocations, bell

    def _airflow_directory(self) -> Callable[[], Directory]:
        """Return what makes the directory of a runtime.

        Raises:
            ConfigurationError: The settings do not name Airflow's database.
        """
        from statemount.directory.airflow import AirflowDirectory, AirflowTables

        if self._settings.airflow_database_url is None:
            raise ConfigurationError("directory 'airflow' needs airflow_database_url: Airflow's metadata database")
        url = self._settings.airflow_database_url.get_secret_value()
        max_age = timedelta(seconds=self._settings.directory_cache_seconds)
        AirflowTables(url)  # refuses now what could never work
        return lambda: AirflowDirectory(url, max_age=max_age, observer=self._observer)


def store_options(settings: Settings) -> StoreOptions:
    """Return the limits of a scope, and what its log keeps, as the settings say."""
    return StoreOptions(
        max_entries=settings.max_entries_per_scope,
        max_bytes=settings.max_bytes_per_scope,
        log_values=settings.history_values,
        max_logged_value_bytes=settings.history_max_value_bytes,
        max_changes=settings.history_max_changes,
    )


def watch_options(settings: Settings) -> WatchOptions:
    """Return how watches are served, as the settings say."""
    return WatchOptions(
        poll_seconds=settings.watch_poll_interval_seconds,
        heartbeat_seconds=settings.watch_heartbeat_seconds,
        max_watches=possible_watches(settings.max_watches),
        max_watches_per_owner=settings.max_watches_per_identity,
    )


def listen_url(settings: Settings) -> DatabaseUrl | None:
    """Return where other processes are heard; None = nowhere.

    Raises:
        ConfigurationError: They cannot be heard there.
    """
    url = DatabaseUrl(settings.database_url.get_secret_value())
    if settings.watch_listen_url is None:
        # Behind a pooler that gives each transaction another session, somebody else would hear.
        return url if url.dialect == "postgresql" and url.options.get("statement_cache_size") != "0" else None
    chosen = settings.watch_listen_url.get_secret_value()
    if chosen == OFF:
        return None
    heard = DatabaseUrl(chosen)
    if (url.dialect, heard.dialect) != ("postgresql", "postgresql"):
        raise ConfigurationError("watch_listen_url is for PostgreSQL alone, and names the same database")
    return heard


def clean_up_rules(settings: Settings) -> CleanUpRules:
    """Return what is removed when it is over, as the settings say."""
    return CleanUpRules(
        batch_size=settings.sweep_batch_size,
        asset_grace=timedelta(days=settings.asset_grace_days),
        directory_retention=timedelta(days=settings.directory_retention_days),
        history_retention=timedelta(days=settings.history_retention_days),
    )


def _found(setting: str, path: str) -> Any:
    """Return what a dotted path names.

    Raises:
        ConfigurationError: There is no such thing.
    """
    try:
        return pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{setting} {path!r} is neither a known name nor a dotted path: {error}") from error


def _made(source: object, kind: type[_PartT]) -> _PartT:
    """Return the part that a host gives: the object itself, or what a class or function returns.

    Raises:
        ConfigurationError: It is of another kind.
    """
    part = source() if callable(source) and not isinstance(source, kind) else source
    if not isinstance(part, kind):
        raise ConfigurationError(f"a {kind.__name__} is needed, not {type(part).__name__}")
    return part
