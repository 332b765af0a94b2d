"""SQLite through aiosqlite: a transaction is one function on the connection's thread."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from statemount.database.drivers.base import BeginError, CommitError, Driver, Fault
from statemount.database.query import Query, Row, ScriptFactory
from statemount.database.wal import LONG_FRAMES
from statemount.errors import ConfigurationError

if TYPE_CHECKING:
    from statemount.database.url import DatabaseUrl

T = TypeVar("T")

_OLDEST = (3, 35)
_CHECKPOINT_PAGES = 8 * LONG_FRAMES  # where nobody has copied the log before, COMMIT does
_WRITER_CACHE_KIBIBYTES = 16_384  # what it has written stays there, for nobody else writes most of the time
MAPPED_BYTES = 256 * 1024 * 1024
"""So much of the file is read without a call: what another connection writes empties a cache, not a mapping."""

_CACHED_STATEMENTS = 256  # all of ours, in every size
_FULL = "database or disk is full"
_UNUSABLE = (
    "disk I/O error",
    _FULL,
    "unable to open database",
    "interrupted",
    "malformed",
    "not a database",
    "no such table",
)
_READ_ONLY = "readonly database"  # which a connection stays that was opened while the file could not be written to
_CLOSED = re.compile("closed|no active connection")


class SQLiteDriver(Driver):
    """One connection writes, a few read. The file must be on a local disk."""

    name = "sqlite"
    writers: int = 1

    def options(self, url: DatabaseUrl, *, size: int) -> dict[str, Any]:
        if sqlite3.sqlite_version_info < _OLDEST:
            raise ConfigurationError(
                f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or newer is needed for the embedded database"
            )
        if url.options:
            raise ConfigurationError(f"a sqlite URL takes no options, but has {', '.join(sorted(url.options))}")
        return {"timeout": self.lock_seconds, "cached_statements": _CACHED_STATEMENTS}

    async def prepare(self, raw: Any, *, is_reader: bool) -> None:
        await raw._execute(_prepare, raw._conn, int(self.lock_seconds * 1000), is_reader)

    async def read(self, raw: Any, factory: ScriptFactory[T]) -> T:
        return await raw._execute(_run, raw._conn, factory)  # type: ignore[no-any-return]

    async def write(self, raw: Any, factory: ScriptFactory[T]) -> T:
        return await raw._execute(self._transact, raw._conn, factory)  # type: ignore[no-any-return]

    def _transact(self, connection: sqlite3.Connection, factory: ScriptFactory[T]) -> T:
        result = _transact(connection, factory)
        self.rows_written: int = connection.total_changes
        return result

    def abort(self, raw: Any) -> None:
        if raw._connection is not None:
            raw._connection.interrupt()

    def abandon(self, raw: Any) -> None:
        stop = getattr(raw, "stop", None) or raw._stop_running  # the latter before aiosqlite 0.22
        stop()

    def is_closed(self, raw: Any) -> bool:
        return raw._connection is None

    def fault(self, error: BaseException) -> Fault:
        message = str(error)
        if isinstance(error, sqlite3.OperationalError) and ("locked" in message or "busy" in message):
            return Fault.ROLLED_BACK
        if isinstance(error, (sqlite3.ProgrammingError, ValueError)) and _CLOSED.search(message):
            return Fault.LOST
        if isinstance(error, sqlite3.OperationalError) and _READ_ONLY in message:
            return Fault.LOST
        if isinstance(error, sqlite3.DatabaseError) and any(text in message for text in _UNUSABLE):
            return Fault.BUSY
        return Fault.REFUSED


def _prepare(connection: sqlite3.Connection, busy_milliseconds: int, is_reader: bool) -> None:
    connection.execute(f"PRAGMA busy_timeout = {busy_milliseconds}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA mmap_size = {MAPPED_BYTES}")
    if is_reader:
        connection.execute("PRAGMA query_only = ON")
        return
    _use_wal(connection, busy_milliseconds / 1000)
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIBIBYTES}")
    connection.execute("PRAGMA temp_store = MEMORY")


def _use_wal(connection: sqlite3.Connection, seconds: float) -> None:
    """Switch to the write-ahead log, which fails at once while somebody works on a file that has none yet."""
    end = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _run(connection: sqlite3.Connection, factory: ScriptFactory[T]) -> T:
    script = factory()
    try:
        query = next(script)
        while True:
            query = script.send(_rows(connection, query))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    finally:
        script.close()


def _rows(connection: sqlite3.Connection, query: Query) -> Sequence[Row]:
    if query.mode == "one":
        return connection.execute(query.sql, query.args).fetchall()
    if query.mode == "many":
        connection.executemany(query.sql, query.args)
        return ()
    if query.mode == "packed":
        return _unpacked(connection, query)
    rows: list[Row] = []
    for args in query.args:
        rows += connection.execute(query.sql, args)
    return rows


def _unpacked(connection: sqlite3.Connection, query: Query) -> Sequence[Row]:
    """Return rows that come as one text: each step of a statement hands the interpreter's lock to and fro."""
    if query.unpack is None or query.fallback is None:
        raise TypeError("a packed query has an unpack and a fallback")
    try:
        row = connection.execute(query.sql, query.args).fetchone()
        return () if row is None or row[0] is None else query.unpack(row[0])
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
    except (ValueError, TypeError):
        pass
    return _rows(connection, query.fallback)


def _transact(connection: sqlite3.Connection, factory: ScriptFactory[T]) -> T:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        raise BeginError from error
    try:
        result = _run(connection, factory)
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if _FULL in str(error):  # of a transaction that does not fit nothing counts
                raise
            raise CommitError from error
        return result
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
