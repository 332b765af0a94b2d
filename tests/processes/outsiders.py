"""What others do to a database while the app works with it, and what they see of the app there."""

from __future__ import annotations

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from typing_extensions import override

from statemount.database.schema import TableNames
from tests.databases import sqlite_path

_SCOPE = TableNames().scope
_NO_SUCH_THREAD = 1094
"""MariaDB's error for a session that has ended by itself."""


class Sessions(NamedTuple):
    """The sessions of others on a database: how many there are, and how many of them have a transaction open."""

    open: int
    in_transaction: int


class Outsider(ABC):
    """A connection that is not the app's. Not to be used by two tasks at once."""

    @abstractmethod
    async def close(self) -> None:
        """End the connection."""

    @abstractmethod
    async def sessions(self) -> Sessions:
        """Return what the database knows of everybody else."""

    @abstractmethod
    async def tables(self) -> int:
        """Return how many tables there are."""

    @abstractmethod
    async def disturb(self) -> None:
        """Break what others do: end their sessions; where there are none, lock them out for a moment."""

    @abstractmethod
    def locking(self, task_id: str) -> AbstractAsyncContextManager[bool]:
        """Hold the lock of a task's scope during a block; give whether it is that of everything."""


class SQLiteOutsider(Outsider):
    """Sessions cannot be seen from outside; whether one has a transaction open can be tried."""

    def __init__(self, url: str) -> None:
        self._connection = sqlite3.connect(sqlite_path(url), timeout=0, isolation_level=None)

    @override
    async def close(self) -> None:
        self._connection.close()

    @override
    async def sessions(self) -> Sessions:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return Sessions(0, 1)
        self._connection.execute("ROLLBACK")
        return Sessions(0, 0)

    @override
    async def tables(self) -> int:
        try:
            return int(self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
        except sqlite3.OperationalError:  # somebody is committing
            return 0

    @override
    async def disturb(self) -> None:
        async with self.locking(""):
            await asyncio.sleep(0.1)

    @override
    @asynccontextmanager
    async def locking(self, task_id: str) -> AsyncIterator[bool]:
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError:
                await asyncio.sleep(0.001)
        try:
            yield True
        finally:
            self._connection.execute("ROLLBACK")


class PostgreSQLOutsider(Outsider):
    """A connection by asyncpg."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, url: str) -> PostgreSQLOutsider:
        """Open one."""
        import asyncpg

        return cls(await asyncpg.connect(urlsplit(url)._replace(scheme="postgresql").geturl()))

    @override
    async def close(self) -> None:
        await self._connection.close()

    @override
    async def sessions(self) -> Sessions:
        row = await self._connection.fetchrow(
            "SELECT count(*), count(*) FILTER (WHERE state LIKE 'idle in transaction%') FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return Sessions(*row)

    @override
    async def tables(self) -> int:
        return int(
            await self._connection.fetchval(
                "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
            )
        )

    @override
    async def disturb(self) -> None:
        await self._connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

    @override
    @asynccontextmanager
    async def locking(self, task_id: str) -> AsyncIterator[bool]:
        async with self._connection.transaction():
            assert await self._connection.fetch(f"SELECT id FROM {_SCOPE} WHERE task_id = $1 FOR UPDATE", task_id)
            yield False


class MariaDBOutsider(Outsider):
    """A connection by asyncmy."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, url: str) -> MariaDBOutsider:
        """Open one."""
        import asyncmy

        parts = urlsplit(url)
        return cls(
            await asyncmy.connect(
                host=parts.hostname or "127.0.0.1",
                port=parts.port or 3306,
                user=unquote(parts.username or "root"),
                password=unquote(parts.password or ""),
                database=parts.path.strip("/"),
                autocommit=True,
            )
        )

    async def _run(self, statement: str, *args: object) -> list[tuple[Any, ...]]:
        async with self._connection.cursor() as cursor:
            await cursor.execute(statement, args)
            return list(await cursor.fetchall())

    @override
    async def close(self) -> None:
        await self._connection.ensure_closed()

    @override
    async def sessions(self) -> Sessions:
        rows = await self._run(
            "SELECT count(*), count(trx_id) FROM information_schema.processlist"
            " LEFT JOIN information_schema.innodb_trx ON trx_mysql_thread_id = id"
            " WHERE db = database() AND id <> connection_id()"
        )
        return Sessions(*rows[0])

    @override
    async def tables(self) -> int:
        rows = await self._run("SELECT count(*) FROM information_schema.tables WHERE table_schema = database()")
        return int(rows[0][0])

    @override
    async def disturb(self) -> None:
        import asyncmy

        rows = await self._run(
            "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
        )
        for (number,) in rows:
            try:
                await self._run(f"KILL {int(number)}")
            except asyncmy.errors.OperationalError as error:
                if error.args[0] != _NO_SUCH_THREAD:
                    raise

    @override
    @asynccontextmanager
    async def locking(self, task_id: str) -> AsyncIterator[bool]:
        await self._run("START TRANSACTION")
        try:
            ((scope_id,),) = await self._run(f"SELECT id FROM {_SCOPE} WHERE task_id = %s", task_id)
            await self._run(f"SELECT id FROM {_SCOPE} WHERE id = %s FOR UPDATE", scope_id)
            yield False
        finally:
            await self._run("ROLLBACK")


@asynccontextmanager
async def outsider(url: str) -> AsyncIterator[Outsider]:
    """Return a connection to a database, for the time of a block."""
    kind = urlsplit(url).scheme
    other: Outsider
    if kind == "sqlite":
        other = SQLiteOutsider(url)
    elif kind == "postgresql":
        other = await PostgreSQLOutsider.connect(url)
    else:
        other = await MariaDBOutsider.connect(url)
    try:
        yield other
    finally:
        await other.close()
