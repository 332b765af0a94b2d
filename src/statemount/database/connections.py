"""Held connections, and the transactions that run on them. The one module that imports ``databases``.

A connection is opened once and kept: ``databases`` would open and close one per acquire on SQLite, and asyncpg would
reset one per acquire. Scripts run on the raw connection, so that no value reaches the DEBUG log of ``databases``.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NoReturn, TypeVar

import aiosqlite
import databases
from databases.backends.sqlite import SQLiteBackend, SQLitePool
from databases.core import Connection as HeldConnection
from sqlalchemy.exc import SQLAlchemyError

from statemount.database.drivers.base import BeginError, CommitError, Driver, Fault
from statemount.database.immediate import ImmediateReads
from statemount.database.query import Query, Row, ScriptFactory, only
from statemount.database.schema import TableNames
from statemount.database.url import DatabaseUrl
from statemount.database.wal import CHECKPOINT, FEW_ROWS, LogLength
from statemount.errors import (
    ConfigurationError,
    LockedError,
    OverloadedError,
    UnavailableError,
    WriteOutcomeUnknownError,
)
from statemount.interfaces import Resource
from statemount.observer import SILENT, Observer, WorkKind

T = TypeVar("T")

_logger = logging.getLogger("statemount.database")

_RETRIES = 5
_BACKOFF_SECONDS = 0.01
_CLOSE_SECONDS = 5.0
_CHECKPOINTS = 3  # each copies what was added during the one before it


class _DaemonThreadPool(SQLitePool):
    """Opens exactly the file that is named, on a thread that does not keep the interpreter alive."""

    async def acquire(self) -> aiosqlite.Connection:
        connection = aiosqlite.connect(self._database, isolation_level=None, **self._options)
        thread: Any = getattr(connection, "_thread", connection)  # before aiosqlite 0.22 the connection is the thread
        thread.daemon = True
        try:
            return await connection
        except Exception:
            while thread.is_alive():  # noqa: ASYNC110 - it ends soon, and must not find the event loop closed
                await asyncio.sleep(0.001)
            raise


class HeldSQLiteBackend(SQLiteBackend):
    """The backend of ``databases`` for SQLite, over our own pool."""

    def __init__(self, database_url: Any, **options: Any) -> None:
        super().__init__(database_url, **options)
        self._pool = _DaemonThreadPool(self._database_url, **self._options)


class _Database(databases.Database):
    SUPPORTED_BACKENDS = {  # noqa: RUF012 - declared so by the base class
        **databases.Database.SUPPORTED_BACKENDS,
        "sqlite": f"{__name__}:HeldSQLiteBackend",
    }


class _Pool:
    """Connections of one kind, opened when they are first needed and then kept.

    Args:
        size: At most so many.
        wait_seconds: Longest wait for a free one.
        connect_seconds: Longest time to open one.
        lost: Is told when one was lost, before another one is used in its place.
    """

    def __init__(
        self,
        database: databases.Database,
        driver: Driver,
        *,
        size: int,
        wait_seconds: float,
        connect_seconds: float,
        is_reader: bool,
        observer: Observer,
        lost: Callable[[], None],
    ) -> None:
        self._database = database
        self._observer = observer
        self._lost = lost
        self._driver = driver
        self._wait_seconds = wait_seconds
        self._connect_seconds = connect_seconds
        self._is_reader = is_reader
        self._idle: list[HeldConnection] = []
        self._open_ones: set[HeldConnection] = set()
        self._free = asyncio.Semaphore(size)

    async def acquire(self, kind: WorkKind) -> HeldConnection:
        if not self._free.locked():
            await self._free.acquire()
        else:
            began = time.monotonic()
            try:
                await asyncio.wait_for(self._free.acquire(), self._wait_seconds)
            except asyncio.TimeoutError:
                raise OverloadedError("every database connection is in use") from None
            finally:
                self._observer.waited(kind, time.monotonic() - began)
        try:
            while self._idle:
                held = self._idle.pop()
                if not self._driver.is_closed(held.raw_connection):
                    return held
                self._lost()
                self._driver.abort(held.raw_connection)
                await self._discard(held)
            return await self._open()
        except BaseException:
            self._free.release()
            raise

    async def _open(self) -> HeldConnection:
        connecting = asyncio.ensure_future(self._connect())
        # A loop that is closed with its tasks pending is no fault of this one.
        connecting._log_destroy_pending = False  # type: ignore[attr-defined]
        try:
            return await asyncio.wait_for(connecting, self._connect_seconds)
        except asyncio.TimeoutError as error:
            raise UnavailableError("no connection to the database: it does not answer") from error

    async def _connect(self) -> HeldConnection:
        held = HeldConnection(self._database, self._database._backend)
        try:
            await held.__aenter__()
        except Exception as error:
            if self._driver.is_misconfiguration(error):
                raise ConfigurationError(f"the database URL's options cannot be used: {_said(error)}") from error
            raise UnavailableError(f"no connection to the database: {_said(error)}") from error
        try:
            await self._driver.prepare(held.raw_connection, is_reader=self._is_reader)
        except BaseException as error:
            await self._discard(held)
            if isinstance(error, Exception):
                raise UnavailableError(f"no session on the database: {_said(error)}") from error
            raise
        self._open_ones.add(held)
        return held

    def release(self, held: HeldConnection) -> None:
        self._idle.append(held)
        self._free.release()

    async def replace(self, held: HeldConnection, *, others: bool) -> None:
        """Give back a connection that is of no more use.

        Args:
            others: The idle ones are doubtful too: the server went away or is another one by now.
        """
        self._free.release()
        doubtful = [held]
        if others:
            self._lost()
            doubtful += self._idle
            self._idle = []
        await self._give_up(doubtful)

    async def renew(self) -> None:
        """Give up the idle connections."""
        idle, self._idle = self._idle, []
        await self._give_up(idle)

    async def _give_up(self, doubtful: Sequence[HeldConnection]) -> None:
        for connection in doubtful:
            self._driver.abort(connection.raw_connection)
            await self._discard(connection)

    async def _discard(self, held: HeldConnection) -> None:
        self._open_ones.discard(held)
        try:
            await held.__aexit__(None, None, None)
        except Exception as error:
            _logger.debug("a broken connection could not be closed: %s", _said(error))

    def abandon(self) -> None:
        for held in self._open_ones:
            self._driver.abandon(held.raw_connection)
        self._open_ones.clear()

    async def close(self) -> None:
        while self._idle:
            await self._discard(self._idle.pop())


class Connections(Resource):
    """The connections of one runtime to one database.

    Args:
        url: Which database.
        size: Most connections; on SQLite most readers, besides the one that writes.
        wait_seconds: Longest wait for a free one.
        connect_seconds: Longest time to open one; the driver's own time-out comes first, where it has one.
        statement_seconds: Longest time of a statement.
        lock_seconds: Longest wait for a lock.
        reads_only: Whether the database is somebody else's: its sessions cannot write, and nothing of it is set up.
        observer: Is told of transactions, and of waits for a connection.

    Attributes:
        losses: How often a connection was lost. The next one may lead to another server, which has taken over.
    """

    def __init__(
        self,
        url: DatabaseUrl,
        *,
        size: int = 8,
        wait_seconds: float = 5.0,
        connect_seconds: float = 10.0,
        statement_seconds: float = 10.0,
        lock_seconds: float = 2.0,
        reads_only: bool = False,
        observer: Observer = SILENT,
    ) -> None:
        self.url = url
        self.losses: int = 0
        self._reads_only = reads_only
        self._observer = observer
        self.driver: Driver = url.make_driver(statement_seconds=statement_seconds, lock_seconds=lock_seconds)
        self._size = 1 if url.is_in_memory else size
        self._wait_seconds = wait_seconds
        self._connect_seconds = connect_seconds
        self._lock_seconds = lock_seconds
        self._options = self.driver.options(url, size=size)
        self._database: databases.Database | None = None
        self._tasks: set[asyncio.Future[Any]] = set()
        has_file = url.is_embedded and not url.is_in_memory
        self._immediate = ImmediateReads(url.file) if has_file else None
        self._log = LogLength() if has_file and not reads_only else None
        self._copying: asyncio.Task[None] | None = None

    async def open(self) -> None:
        database = _Database(self.url.plain, **self._options)
        await database.connect()  # which makes a pool with nothing in it
        self._database = database
        if self._reads_only or self.driver.writers is None or self.url.is_in_memory:
            self._writers = self._readers = self._pool(database, self._size, is_reader=self._reads_only)
        else:
            self._writers = self._pool(database, self.driver.writers, is_reader=False)
            self._readers = self._pool(database, self._size, is_reader=True)
        self._writers.release(await self._first(self._writers))

    async def _first(self, pool: _Pool) -> HeldConnection:
        try:
            return await pool.acquire("read" if self._reads_only else "write")
        except BaseException:
            await self.close()
            raise

    def _pool(self, database: databases.Database, size: int, *, is_reader: bool) -> _Pool:
        return _Pool(
            database,
            self.driver,
            size=size,
            wait_seconds=self._wait_seconds,
            connect_seconds=self._connect_seconds,
            is_reader=is_reader,
            observer=self._observer,
            lost=self._note_loss,
        )

    def _note_loss(self) -> None:
        self.losses += 1

    async def close(self) -> None:
        database, self._database = self._database, None
        if database is None:
            return
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._immediate is not None:
            self._immediate.close()
        for pool in {self._readers, self._writers}:
            await pool.close()
        try:
            await asyncio.wait_for(database.disconnect(), _CLOSE_SECONDS)
        except Exception as error:
            _logger.warning("the connections to the database were not closed in order: %s", _said(error))

    def abandon(self) -> None:
        """Give up the threads of the connections: their event loop was closed before they were."""
        if self._immediate is not None:
            self._immediate.close()
        if self._database is not None:
            for pool in {self._readers, self._writers}:
                pool.abandon()

    def _copy(self, log: LogLength) -> None:
        """Begin to copy SQLite's write-ahead log to the database."""

        def end(task: asyncio.Task[None]) -> None:
            self._copying = None
            _look_at(task)

        self._copying = self._start(self._checkpoint(log))
        self._copying.add_done_callback(end)
        # A loop that is closed with its tasks pending is no fault of this one.
        self._copying._log_destroy_pending = False  # type: ignore[attr-defined]

    async def _checkpoint(self, log: LogLength) -> None:
        frames = 0
        try:
            for _ in range(_CHECKPOINTS):
                before = self.driver.rows_written
                await self.read(lambda: only(CHECKPOINT))
                if self.driver.rows_written - before <= FEW_ROWS:
                    break
            held = await self._writers.acquire("write")
            try:
                ((_, frames, _),) = await self.driver.read(held.raw_connection, lambda: only(CHECKPOINT))
            except BaseException as error:
                await self._give_back(self._writers, held, error)
                raise
            self._writers.release(held)
        finally:
            log.note(self.driver.rows_written, frames)

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run work in a task with an empty context, which is waited for at the end."""
        task: asyncio.Task[T] = contextvars.Context().run(asyncio.ensure_future, work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def detached(self, work: Coroutine[Any, Any, T]) -> T:
        """Run work in a task of its own, with an empty context, and wait for it.

        A request that is cancelled while it waits leaves the work alone, and so no transaction open.
        """
        task = self._start(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_look_at)
            raise

    async def upgrade(self, tables: TableNames) -> None:
        """Bring the schema to the newest version. Alembic is imported here, and only here.

        Raises:
            UnavailableError: The database does not answer, or another process holds the migrations' lock for long.
        """
        from statemount.database.migrations.runner import upgrade_server, upgrade_sqlite

        try:
            if not self.url.is_embedded:
                await upgrade_server(self.url, tables, self.driver.connect_args(self.url))
                return
            held = await self._writers.acquire("write")
            try:
                raw: Any = held.raw_connection
                await raw._execute(upgrade_sqlite, raw._conn, tables)
            finally:
                self._writers.release(held)
        except (OSError, SQLAlchemyError) as error:
            raise UnavailableError(f"the schema could not be upgraded: {_said(error)}") from error

    def read_at_once(self, query: Query, count: int = 1) -> Sequence[Row] | None:
        """Return the rows of look-ups by key if they are to be had in no time, else None: see :meth:`read`.

        Args:
            count: How many look-ups the query is.
        """
        if self._immediate is None or self._database is None:
            return None
        return self._immediate.rows(query, count)

    @property
    def reads_at_once(self) -> bool:
        """Whether :meth:`read_at_once` ever returns something."""
        return self._immediate is not None

    def pulse(self) -> object | None:
        """Return what stays equal as long as nothing is written to the database; None = that is not to be had."""
        if self._immediate is None or self._database is None:
            return None
        return self._immediate.pulse()

    async def read(self, factory: ScriptFactory[T]) -> T:
        """Run a script of reads; each of its statements sees one moment.

        Raises:
            UnavailableError: The database does not answer.
        """
        for attempt in range(2):
            held = await self._readers.acquire("read")
            began = time.monotonic()
            try:
                result = await self.driver.read(held.raw_connection, factory)
            except BaseException as error:
                fault = await self._give_back(self._readers, held, error)
                is_soon = time.monotonic() - began < self._lock_seconds
                if fault is Fault.LOST and attempt == 0 and is_soon:
                    self._observer.retried("read")
                    continue  # it broke while it was idle; a read may be repeated
                self._raise(error, fault)
            self._readers.release(held)
            return result
        raise AssertionError("unreachable")

    async def write(self, factory: ScriptFactory[T]) -> T:
        """Run a script as one transaction; it is committed when this returns.

        A transaction that the database rolled back is run again, up to five times, and not once the first try is as
        old as the longest wait for a lock.

        Raises:
            LockedError: Somebody else holds a lock.
            UnavailableError: The database does not answer; nothing was written.
            WriteOutcomeUnknownError: The connection broke during COMMIT.
        """
        began: float | None = None
        for attempt in range(_RETRIES + 1):
            held = await self._writers.acquire("write")
            begins = time.monotonic()
            began = began or begins
            try:
                result = await self.driver.write(held.raw_connection, factory)
            except BaseException as error:
                fault = await self._give_back(self._writers, held, error)
                is_last = attempt == _RETRIES or time.monotonic() - began >= self._lock_seconds
                if is_last or not self._may_retry(error, fault, attempt):
                    self._raise(error, fault)
                _logger.info("a transaction is run again: %s", _said(error.__cause__ or error))
                self._observer.retried("write")
            else:
                self._writers.release(held)
                self._observer.committed(time.monotonic() - begins)
                if self._log is not None and self._copying is None and self._log.is_due(self.driver.rows_written):
                    self._copy(self._log)
                return result
            await asyncio.sleep(_BACKOFF_SECONDS * 2**attempt * random.random())  # noqa: S311 - a jitter
        raise AssertionError("unreachable")

    @staticmethod
    def _may_retry(error: BaseException, fault: Fault | None, attempt: int) -> bool:
        if fault is Fault.ROLLED_BACK:
            return True
        return fault is Fault.LOST and isinstance(error, BeginError) and attempt == 0  # it broke while it was idle

    async def _give_back(self, pool: _Pool, held: HeldConnection, error: BaseException) -> Fault | None:
        """Return the connection as the error requires, and what the error means; None = it is no driver's."""
        if not isinstance(error, Exception):
            await pool.replace(held, others=False)
            return None
        cause = error.__cause__ if isinstance(error, (BeginError, CommitError)) else error
        fault = self.driver.fault(cause or error)
        if self.driver.is_closed(held.raw_connection):
            fault = Fault.LOST
        if fault is Fault.LOST:
            await pool.replace(held, others=True)
            if self._immediate is not None:  # SQLite opens a file as its other connections in the process have it open
                self._immediate.close()
                for each in {self._readers, self._writers}:
                    await each.renew()
        else:
            pool.release(held)
        return fault

    @staticmethod
    def _raise(error: BaseException, fault: Fault | None) -> NoReturn:
        """Raise the error of ours that a driver's error means, or the error itself."""
        if fault is None:
            raise error
        cause = error.__cause__ or error
        if isinstance(error, CommitError) and fault in (Fault.LOST, Fault.BUSY):
            raise WriteOutcomeUnknownError(f"the connection broke during COMMIT: {_said(cause)}") from cause
        if fault is Fault.LOCKED:
            raise LockedError(f"somebody else holds a lock: {_said(cause)}") from cause
        if fault is not Fault.REFUSED:
            raise UnavailableError(f"the database does not answer: {_said(cause)}") from cause
        raise cause


def _look_at(task: asyncio.Future[Any]) -> None:
    """Take the error of work that nobody waits for any more."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _logger.info("work that nobody waited for failed: %s", _said(error))


def _said(error: BaseException) -> str:
    """Return what an error says, on one line and without the statement."""
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
