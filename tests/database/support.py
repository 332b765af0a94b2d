"""What the tests of databases share: connections with a life, short scripts, outsiders, a proxy that breaks off."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import statemount
from statemount.database.connections import Connections
from statemount.database.query import Query, Row, Script, ScriptFactory
from statemount.database.url import DatabaseUrl

SOURCE = Path(statemount.__file__).parents[1]


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Connections]:
    """Open connections for the length of a block."""
    connections = Connections(DatabaseUrl(url), **options)
    await connections.open()
    try:
        yield connections
    finally:
        await connections.close()


def ask(
    sql: str, args: Sequence[Any] = (), mode: Literal["one", "each", "many"] = "one"
) -> ScriptFactory[Sequence[Row]]:
    """Return a script of one query."""

    def script() -> Script[Sequence[Row]]:
        return (yield Query(sql, args, mode))

    return script


def scripts(*queries: str) -> ScriptFactory[None]:
    """Return a script of several queries."""

    def script() -> Script[None]:
        for sql in queries:
            yield Query(sql)

    return script


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds; fail if it does not within a while.

    Raises:
        AssertionError: It did not hold within 10 seconds.
    """
    for _ in range(1000):
        if await holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to hold")


def at(url: str, port: int, host: str = "127.0.0.1") -> str:
    """Return the URL with another host and port."""
    parts = urlsplit(url)
    credentials, at_sign, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{credentials}{at_sign}{host}:{port}").geturl()


def with_credentials(url: str, credentials: str) -> str:
    """Return the URL with another user and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{credentials}@{parts.netloc.rpartition('@')[2]}").geturl()


class Outsider(ABC):
    """Somebody else's connection to the same database, in autocommit mode."""

    @abstractmethod
    async def run(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """Run a statement, and return its rows."""


class _SQLiteOutsider(Outsider):
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def run(self, sql: str) -> Sequence[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()


class _PostgreSQLOutsider(Outsider):
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def run(self, sql: str) -> Sequence[tuple[Any, ...]]:
        return [tuple(row) for row in await self._connection.fetch(sql)]


class _MySQLOutsider(Outsider):
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def run(self, sql: str) -> Sequence[tuple[Any, ...]]:
        async with self._connection.cursor() as cursor:
            await cursor.execute(sql)
            return list(await cursor.fetchall())


@asynccontextmanager
async def outsider(url: str) -> AsyncIterator[Outsider]:
    """Connect somebody else for the length of a block."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        file = sqlite3.connect(DatabaseUrl(url).file, isolation_level=None, timeout=0)
        try:
            yield _SQLiteOutsider(file)
        finally:
            file.close()
    elif parts.scheme == "postgresql":
        import asyncpg

        connection = await asyncpg.connect(url)
        try:
            yield _PostgreSQLOutsider(connection)
        finally:
            connection.terminate()
    else:
        import asyncmy

        connection = await asyncmy.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            database=parts.path.strip("/"),
            autocommit=True,
        )
        try:
            yield _MySQLOutsider(connection)
        finally:
            connection.close()


class Proxy:
    """Passes bytes on to a server, until told otherwise.

    Args:
        url: The server's.
        port: Where to listen; 0 = anywhere.
    """

    def __init__(self, url: str, *, port: int = 0) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or {"postgresql": 5432}.get(parts.scheme, 3306))
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = port
        self.breaks_on: bytes | None = None
        """A request that holds this ends the connection."""
        self.passes_on = False
        """Whether the server still gets the request that ends the connection."""
        self.breaks_once = False
        """Whether only the next such request does."""
        self.broken = 0
        """How many connections were ended so."""
        self.is_silent = False
        """Whether nothing is passed on any more, while connections stay."""

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()

    def cut(self) -> None:
        """End every connection at once."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:  # the server is away
            writer.transport.abort()
            return
        pair = (writer, server_writer)
        self._writers.update(pair)
        ending = asyncio.Event()
        for work in (
            self._pass(reader, server_writer, pair, ending, is_request=True),
            self._pass(server_reader, writer, pair, ending, is_request=False),
        ):
            task = asyncio.get_running_loop().create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        ending: asyncio.Event,
        *,
        is_request: bool,
    ) -> None:
        try:
            while data := await reader.read(65_536):
                if is_request and self.breaks_on is not None and self.breaks_on in data:
                    ending.set()
                    self.broken += 1
                    if self.breaks_once:
                        self.breaks_on = None
                    if self.passes_on:
                        writer.write(data)
                        await asyncio.sleep(0.1)  # for the server to do it
                    break
                if not self.is_silent and not ending.is_set():
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        finally:
            if is_request or not ending.is_set():
                for end in pair:
                    end.transport.abort()
                    self._writers.discard(end)


def run_python(code: str, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """Run code in an interpreter of its own, warnings being errors; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(SOURCE), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
