"""A session is set up as the store needs it, whatever the server's or the database's own settings are."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from statemount.database.connections import Connections
from statemount.database.url import DatabaseUrl
from statemount.errors import UnavailableError
from tests.database.support import ask, connected, outsider

pytestmark = pytest.mark.anyio

_SETTINGS: dict[str, list[tuple[str, Any]]] = {
    "sqlite": [
        ("PRAGMA journal_mode", "wal"),
        ("PRAGMA synchronous", 2),
        ("PRAGMA busy_timeout", 2000),
        ("PRAGMA query_only", 0),
    ],
    "postgresql": [
        ("SHOW transaction_isolation", "read committed"),
        ("SHOW TimeZone", "UTC"),
        ("SHOW lock_timeout", "2s"),
        ("SHOW statement_timeout", "10s"),
        ("SHOW idle_in_transaction_session_timeout", "15s"),
        ("SHOW enable_seqscan", "off"),
        ("SHOW client_encoding", "UTF8"),
        ("SHOW transaction_read_only", "off"),
    ],
    "mysql": [
        ("SELECT @@tx_isolation", "READ-COMMITTED"),
        ("SELECT @@time_zone", "+00:00"),
        ("SELECT @@innodb_lock_wait_timeout", 2),
        ("SELECT @@max_statement_time", 10.0),
        ("SELECT @@autocommit", 1),
        ("SELECT @@character_set_client", "utf8mb4"),
        ("SELECT @@character_set_connection", "utf8mb4"),
        ("SELECT @@character_set_results", "utf8mb4"),
        ("SELECT FIND_IN_SET('STRICT_ALL_TABLES', @@sql_mode) > 0", 1),
        ("SELECT FIND_IN_SET('NO_ENGINE_SUBSTITUTION', @@sql_mode) > 0", 1),
        ("SELECT FIND_IN_SET('ANSI_QUOTES', @@sql_mode)", 0),
        ("SELECT FIND_IN_SET('NO_BACKSLASH_ESCAPES', @@sql_mode)", 0),
    ],
}

_OTHER_DEFAULTS = {
    "sqlite": ["PRAGMA journal_mode = DELETE"],
    "postgresql": [
        "ALTER DATABASE {} SET default_transaction_isolation = 'serializable'",
        "ALTER DATABASE {} SET timezone = 'Asia/Tokyo'",
        "ALTER DATABASE {} SET statement_timeout = '1h'",
        "ALTER DATABASE {} SET lock_timeout = '1h'",
    ],
    "mysql": ["ALTER DATABASE {} CHARACTER SET latin1"],
}


async def test_a_session_is_set_up(database_kind: str, empty_database_url: str) -> None:
    """Isolation, time zone, time-outs, strictness and character set are ours, asked of the server itself."""
    name = empty_database_url.rpartition("/")[2]
    async with outsider(empty_database_url) as other:
        for sql in _OTHER_DEFAULTS[database_kind]:
            await other.run(sql.format(name))
    async with connected(empty_database_url) as connections:
        for sql, expected in _SETTINGS[database_kind]:
            rows = await connections.write(ask(sql))
            assert rows[0][0] == expected, sql


async def test_the_time_outs_are_as_configured(database_kind: str, empty_database_url: str) -> None:
    """The longest wait for a lock and the longest statement are what the connections were told."""
    expected: dict[str, list[tuple[str, Any]]] = {
        "sqlite": [("PRAGMA busy_timeout", 1500)],
        "postgresql": [("SHOW lock_timeout", "1500ms"), ("SHOW statement_timeout", "2500ms")],
        "mysql": [("SELECT @@innodb_lock_wait_timeout", 1), ("SELECT @@max_statement_time", 2.5)],
    }
    async with connected(empty_database_url, lock_seconds=1.5, statement_seconds=2.5) as connections:
        for sql, value in expected[database_kind]:
            assert (await connections.read(ask(sql)))[0][0] == value


async def test_readers_and_the_writer_of_sqlite(database_kind: str, empty_database_url: str) -> None:
    """A file has readers that cannot write, next to one writer; a server's connections, and one in memory, do both."""
    makes = "CREATE TABLE t (x INTEGER)"
    async with connected(empty_database_url) as connections:
        await connections.write(ask(makes))
        if database_kind == "sqlite":
            assert (await connections.read(ask("PRAGMA query_only")))[0][0] == 1
            assert (await connections.read(ask("PRAGMA busy_timeout")))[0][0] == 2000
        else:
            await connections.read(ask("INSERT INTO t VALUES (1)"))
            assert len(await connections.read(ask("SELECT * FROM t"))) == 1
    async with connected("sqlite://") as connections:
        await connections.write(ask(makes))
        await connections.read(ask("INSERT INTO t VALUES (1)"))
        assert len(await connections.write(ask("SELECT * FROM t"))) == 1


async def test_a_file_that_is_not_in_wal_mode_yet(tmp_path: Path) -> None:
    """A file that somebody works on is waited for before its mode is changed, and for no longer than for a lock."""
    url = f"sqlite:///{tmp_path}/state.db"
    async with outsider(url) as other:
        await other.run("CREATE TABLE t (x INTEGER)")
        await other.run("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="^no session on the database: .* locked"):
            await Connections(DatabaseUrl(url), lock_seconds=0.1).open()
        connections = Connections(DatabaseUrl(url))
        opening = asyncio.ensure_future(connections.open())
        await asyncio.sleep(0.2)
        assert not opening.done()
        await other.run("COMMIT")
        await opening
        assert (await connections.write(ask("PRAGMA journal_mode")))[0][0] == "wal"
        await connections.close()


def test_connections_that_are_abandoned(tmp_path: Path) -> None:
    """When the event loop is gone, the threads of SQLite can still be ended."""
    before = set(threading.enumerate())
    loop = asyncio.new_event_loop()
    connections = Connections(DatabaseUrl(f"sqlite:///{tmp_path}/state.db"))
    connections.abandon()
    loop.run_until_complete(connections.open())
    loop.run_until_complete(connections.read(ask("SELECT 1")))
    loop.close()
    threads = set(threading.enumerate()) - before
    assert len(threads) == 2
    connections.abandon()
    for thread in threads:
        thread.join(5)
    assert {thread for thread in threading.enumerate() if thread.is_alive()} <= before
