"""The databases that a run of the tests is asked to use, and how each is made, emptied and removed.

``STATEMOUNT_TEST_DATABASE_URLS`` names them, separated by spaces. A server's URL names a role that may create
databases: the tests make their own there, and leave the one that is named alone.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from typing_extensions import override

VARIABLE = "STATEMOUNT_TEST_DATABASE_URLS"
DEFAULT = "memory:// sqlite://"
EXAMPLES = {
    "memory": "memory://",
    "sqlite": "sqlite://",
    "postgresql": "postgresql://postgres@127.0.0.1:5432/postgres",
    "mysql": "mysql://root@127.0.0.1:3306/mysql",
}
NAMES = {"memory": "the memory store", "sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MariaDB/MySQL"}

_T = TypeVar("_T")


def requested_urls() -> dict[str, str]:
    """Return the URLs that this run is asked to use, by kind of database, in the order of :data:`NAMES`.

    Raises:
        ValueError: One of them is of no known kind, or a kind is named twice.
    """
    urls: dict[str, str] = {}
    for url in os.environ.get(VARIABLE, DEFAULT).split():
        kind = url.partition(":")[0].partition("+")[0].replace("mariadb", "mysql")
        if kind not in NAMES:
            raise ValueError(f"{VARIABLE}: {url!r} is none of {', '.join(EXAMPLES.values())}")
        if kind in urls:
            raise ValueError(f"{VARIABLE}: {NAMES[kind]} is named twice")
        urls[kind] = url
    return {kind: urls[kind] for kind in NAMES if kind in urls}


def untested() -> list[str]:
    """Return the kinds of database that this run does not use."""
    return [kind for kind in NAMES if kind not in requested_urls()]


def run_apart(function: Callable[[], Awaitable[_T]]) -> _T:
    """Run a coroutine function to its end on an event loop of its own, in a thread of its own."""

    async def run() -> _T:
        return await function()

    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, run()).result()


class Server(ABC):
    """Makes and removes databases of one kind."""

    @abstractmethod
    def check(self) -> None:
        """Fail if the server cannot be reached."""

    @abstractmethod
    def create(self, directory: Path) -> str:
        """Make a new, empty database; return its URL.

        Args:
            directory: Where files may be kept.
        """

    @abstractmethod
    def clean(self, url: str, directory: Path) -> str:
        """Return the URL of a database with the tables of this one and no rows; it may be this one, emptied."""

    @abstractmethod
    def drop(self, url: str) -> None:
        """Remove a database that :meth:`create` made."""


class SQLite(Server):
    """A file for each database."""

    @override
    def check(self) -> None:
        return None

    @override
    def create(self, directory: Path) -> str:
        return f"sqlite:///{directory / f'{secrets.token_hex(6)}.db'}"

    @override
    def clean(self, url: str, directory: Path) -> str:
        copy = self.create(directory)
        shutil.copyfile(sqlite_path(url), sqlite_path(copy))
        return copy

    @override
    def drop(self, url: str) -> None:
        path = sqlite_path(url)
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()


@dataclass
class PostgreSQL(Server):
    """Databases on one server, by asyncpg."""

    url: str

    @override
    def check(self) -> None:
        self._run(self.url, "SELECT 1")

    @override
    def create(self, directory: Path) -> str:
        name = _new_name()
        self._run(self.url, f'CREATE DATABASE "{name}"')
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    @override
    def clean(self, url: str, directory: Path) -> str:
        self._run(url, _END_OTHERS, "SET synchronous_commit = off", _DELETE_ALL)
        return url

    @override
    def drop(self, url: str) -> None:
        name = urlsplit(url).path.strip("/")
        self._run(self.url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    @staticmethod
    def _run(url: str, *statements: str) -> None:
        import asyncpg

        async def run() -> None:
            connection = await asyncpg.connect(urlsplit(url)._replace(scheme="postgresql").geturl())
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        run_apart(run)


@dataclass
class MariaDB(Server):
    """Databases on one server of MariaDB or MySQL, by asyncmy."""

    url: str

    @override
    def check(self) -> None:
        self._run(self.url, "SELECT 1")

    @override
    def create(self, directory: Path) -> str:
        name = _new_name()
        self._run(self.url, f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    @override
    def clean(self, url: str, directory: Path) -> str:
        tables = [name for (name,) in self._run(url, "SHOW TABLES")]
        deletions = [f"DELETE FROM `{name}`" for name in tables if "version" not in name]
        self._run(url, "SET FOREIGN_KEY_CHECKS = 0", *deletions)
        return url

    @override
    def drop(self, url: str) -> None:
        name = urlsplit(url).path.strip("/")
        self._run(self.url, f"DROP DATABASE IF EXISTS `{name}`")

    @staticmethod
    def _run(url: str, *statements: str) -> list[tuple[Any, ...]]:
        import asyncmy

        parts = urlsplit(url)

        async def run() -> list[tuple[Any, ...]]:
            connection = await asyncmy.connect(
                host=parts.hostname or "127.0.0.1",
                port=parts.port or 3306,
                user=unquote(parts.username or "root"),
                password=unquote(parts.password or ""),
                database=parts.path.strip("/") or None,
                autocommit=True,
            )
            try:
                async with connection.cursor() as cursor:
                    for statement in statements:
                        await cursor.execute(statement)
                    return list(await cursor.fetchall()) if cursor.description else []
            finally:
                await connection.ensure_closed()

        return run_apart(run)


# Of a server that a test has killed, PostgreSQL's end may still be at work.
_END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)
# Unlike TRUNCATE, which makes new files, this takes no longer than there are rows.
_DELETE_ALL = """
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '%version%' LOOP
            EXECUTE format('DELETE FROM %I', name);
        END LOOP;
    END $$
"""


def _new_name() -> str:
    return f"statemount_test_{secrets.token_hex(6)}"


def sqlite_path(url: str) -> Path:
    """Return the file of a SQLite URL."""
    return Path(url.partition(":///")[2].partition("?")[0])


def server_of(kind: str, url: str) -> Server:
    """Return what makes databases at a URL that this run is asked to use."""
    if kind == "postgresql":
        return PostgreSQL(url)
    return MariaDB(url) if kind == "mysql" else SQLite()


@dataclass
class Databases:
    """Every database that a session of the tests has made, by kind.

    Args:
        directory: For files.
        migrate: Gives the empty database at a URL its tables.
    """

    directory: Path
    migrate: Callable[[str], None]
    _clean: dict[str, str] = field(default_factory=dict)
    _made: list[tuple[Server, str]] = field(default_factory=list)

    def empty(self, kind: str) -> str:
        """Return the URL of a new database with nothing in it."""
        server = server_of(kind, requested_urls()[kind])
        url = server.create(self.directory)
        self._made.append((server, url))
        return url

    def clean(self, kind: str) -> str:
        """Return the URL of a database that has its tables and no rows; on a server, one for the whole session."""
        if kind not in self._clean:
            self._clean[kind] = self.empty(kind)
            self.migrate(self._clean[kind])
        server = server_of(kind, requested_urls()[kind])
        url = server.clean(self._clean[kind], self.directory)
        if url != self._clean[kind]:
            self._made.append((server, url))
        return url

    def drop_all(self) -> None:
        """Remove every database that was made."""
        for server, url in self._made:
            server.drop(url)
        self._made.clear()
        self._clean.clear()
