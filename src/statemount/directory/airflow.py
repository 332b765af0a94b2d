"""A directory in Airflow's own metadata database, which it only reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from statemount.database.connections import Connections
from statemount.database.query import Query, Row, Script
from statemount.database.statements.airflow import AirflowStatements
from statemount.database.url import DatabaseUrl
from statemount.directory.cache import DEFAULT_MAX_AGE, DEFAULT_MAX_ANSWERS, CachedDirectory, monotonic
from statemount.directory.registration import is_acceptable, is_map_index
from statemount.errors import ConfigurationError, StateMountError, UnavailableError
from statemount.interfaces import Clock, Directory, Identity
from statemount.model import MAX_ASSET_NAME_LENGTH, MAX_ID_LENGTH, Access, Asset, MappedTask, TaskScope
from statemount.observer import SILENT, Observer

_LARGEST = 2**31 - 1  # of Airflow's ids and map indices
_SCHEME = re.compile(r"(sqlite|postgres(?:ql)?|mysql|mariadb)(?:\+\w+)?(?=://)")
_LAST_OF_THREE_BYTES = "\uffff"
_LATIN1 = "cp1252"  # what MySQL calls latin1

DEFAULT_POOL_SIZE = 5
"""The most connections to Airflow's database of one process."""


class AirflowDirectory(CachedDirectory):
    """The task instances and assets of Airflow 3.1 or later, read from its own tables in its metadata database.

    A task instance exists while Airflow has it; a new try has a new UUID and the same scope. A task may touch the
    assets that its dag gives it as inlets and outlets; not those that it reaches at run time alone, through an alias.

    An object belongs to one event loop: give ``StateMount`` a function that makes it, or set ``airflow_database_url``.

    Args:
        url: The database as Airflow's ``[database] sql_alchemy_conn`` names it; our own driver is used.
        pool_size: The most connections.
        max_age: As for :class:`~statemount.directory.cache.CachedDirectory`.
        max_answers: As for :class:`~statemount.directory.cache.CachedDirectory`.
        clock: As for :class:`~statemount.directory.cache.CachedDirectory`.
        observer: As for :class:`~statemount.directory.cache.CachedDirectory`.

    Raises:
        ConfigurationError: The URL cannot be used, its driver is not installed, or a bound makes no sense.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = DEFAULT_POOL_SIZE,
        max_age: timedelta = DEFAULT_MAX_AGE,
        max_answers: int = DEFAULT_MAX_ANSWERS,
        clock: Clock = monotonic,
        observer: Observer = SILENT,
    ) -> None:
        self._tables = AirflowTables(url, pool_size=pool_size)
        super().__init__(self._tables, max_age=max_age, max_answers=max_answers, clock=clock, observer=observer)

    def abandon(self) -> None:
        """Give up the threads of the connections: their event loop was closed before they were."""
        self._tables.abandon()


class AirflowTables(Directory):
    """What :class:`AirflowDirectory` remembers the answers of.

    Args:
        url: As there.
        pool_size: As there.

    Raises:
        ConfigurationError: The URL cannot be used, or its driver is not installed.
    """

    def __init__(self, url: str, *, pool_size: int = DEFAULT_POOL_SIZE) -> None:
        self._url = DatabaseUrl(database_url_of(url))
        if self._url.is_in_memory:
            raise ConfigurationError("Airflow's database is not in memory: name its file")
        self._connections = Connections(self._url, size=pool_size, reads_only=True)
        self._statements = AirflowStatements(self._url.dialect)

    async def open(self) -> None:
        if self._url.is_embedded and not _exists(self._url.file):  # else opening it would make one
            raise UnavailableError("the file of Airflow's database does not exist")
        await self._connections.open()
        try:
            await self._check()
        except BaseException:
            await self._connections.close()
            raise

    async def _check(self) -> None:
        message = "the tables of Airflow 3.1 or later cannot be read"
        try:
            await self._connections.read(self._touch)
        except UnavailableError as error:
            raise UnavailableError(f"{message}: {error}") from error
        except StateMountError:
            raise
        except Exception as error:
            raise ConfigurationError(f"{message} ({type(error).__name__})") from error

    def _touch(self) -> Script[None]:
        for query in self._statements.columns():  # noqa: UP028 - a script is sent rows
            yield query

    async def close(self) -> None:
        await self._connections.close()

    def abandon(self) -> None:
        """Give up the threads of the connections: their event loop was closed before they were."""
        self._connections.abandon()

    async def task_scope(self, task_instance_id: UUID, identity: Identity | None = None) -> TaskScope | None:
        rows = await self._rows(self._statements.task(task_instance_id))
        return TaskScope(*rows[0][:4]) if rows else None

    async def try_number(self, task_instance_id: UUID, identity: Identity | None = None) -> int | None:
        rows = await self._rows(self._statements.task(task_instance_id))
        return rows[0][4] if rows else None

    async def has_task_instance(self, target: TaskScope | MappedTask, identity: Identity | None = None) -> bool:
        ids = (target.dag_id, target.run_id, target.task_id)
        if not all(map(self._can_be_id, ids)):
            return False
        query = self._statements.has_task(*ids)
        if isinstance(target, TaskScope):
            if not is_map_index(target.map_index) or target.map_index > _LARGEST:
                return False
            query = self._statements.has_scope(*ids, target.map_index)
        return any(tuple(row[:3]) == ids for row in await self._rows(query))

    async def asset(self, asset_id: int, identity: Identity | None = None) -> Asset | None:
        if not 0 < asset_id <= _LARGEST:
            return None
        rows = await self._rows(self._statements.asset(asset_id))
        return _asset_of(rows[0]) if rows else None

    async def asset_by_name(self, name: str, identity: Identity | None = None) -> Asset | None:
        if not self._can_be_name(name):
            return None
        rows = await self._rows(self._statements.asset_by_name(name))
        return next((asset for asset in map(_asset_of, rows) if asset.name == name), None)

    async def asset_by_uri(self, uri: str, identity: Identity | None = None) -> Asset | None:
        if not self._can_be_name(uri):
            return None
        rows = await self._rows(self._statements.asset_by_uri(uri))
        return next((asset for asset in map(_asset_of, rows) if asset.uri == uri), None)

    async def access(self, task_instance_id: UUID, asset: Asset, identity: Identity | None = None) -> frozenset[Access]:
        if not 0 < asset.asset_id <= _LARGEST:
            return frozenset()
        rows = await self._rows(self._statements.access(task_instance_id, asset.asset_id))
        return frozenset(row[0] for row in rows)

    def _can_be_id(self, text: str) -> bool:
        """Tell whether Airflow could have such an id; MySQL refuses to compare others."""
        return is_acceptable(text, max_length=MAX_ID_LENGTH) and (
            self._url.dialect != "mysql" or max(text) <= _LAST_OF_THREE_BYTES
        )

    def _can_be_name(self, text: str) -> bool:
        """Tell whether Airflow could have an asset with this name or URI; MySQL refuses to compare others."""
        if not is_acceptable(text, max_length=MAX_ASSET_NAME_LENGTH):
            return False
        try:
            text.encode(_LATIN1 if self._url.dialect == "mysql" else "utf-8")
        except UnicodeEncodeError:
            return False
        return True

    async def _rows(self, query: Query) -> Sequence[Row]:
        return await self._connections.detached(self._connections.read(lambda: _only(query)))


def _exists(file: str) -> bool:
    return Path(file).is_file()


def _only(query: Query) -> Script[Sequence[Row]]:
    return (yield query)


def _asset_of(row: Row) -> Asset:
    asset_id, name, uri, group, active = row
    return Asset(asset_id, name, uri, group, active is not None)


def database_url_of(airflow_url: str) -> str:
    """Return the URL of Airflow's database for our own drivers.

    SQLAlchemy's choice of a driver goes, and ``charset``, which is always UTF-8 here.

    Raises:
        ConfigurationError: It is no URL of SQLite, PostgreSQL or MySQL.
    """
    match = _SCHEME.match(airflow_url)
    if match is None:
        raise ConfigurationError(
            "Airflow's database URL must begin with sqlite://, postgresql:// or mysql://, perhaps with a +driver"
        )
    url = f"{match[1]}{airflow_url[match.end() :]}"
    if match[1] in ("mysql", "mariadb"):
        query = urlsplit(url).query
        kept = "&".join(part for part in query.split("&") if part and not part.startswith("charset="))
        url = url.removesuffix(f"?{query}") + (f"?{kept}" if kept else "")
    return url
