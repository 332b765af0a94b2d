"""Behind a pooler that gives each transaction another session, as PgBouncer does in transaction mode."""

from __future__ import annotations

import asyncio
import struct

import pytest

from statemount.database.connections import Connections
from statemount.database.url import DatabaseUrl
from statemount.errors import ConfigurationError
from tests.database.support import ask, connected, outsider

pytestmark = pytest.mark.anyio

_POOLED = {"postgresql": "?statement_cache_size=0"}
_SETTINGS = {
    "postgresql": [
        ("SHOW transaction_isolation", "read committed"),
        ("SHOW transaction_read_only", "off"),
        ("SHOW lock_timeout", "2s"),
        ("SHOW statement_timeout", "10s"),
        ("SHOW idle_in_transaction_session_timeout", "15s"),
        ("SHOW enable_seqscan", "off"),
        ("SHOW TimeZone", "UTC"),
        ("SELECT setting FROM pg_settings WHERE name = 'lock_timeout' AND reset_val = '0'", "2000"),  # of no session
        ("SELECT now() < statement_timestamp()", True),  # a transaction had begun before
    ]
}
_OTHER_DEFAULTS = {
    "postgresql": [
        "ALTER DATABASE {} SET default_transaction_isolation = 'serializable'",
        "ALTER DATABASE {} SET default_transaction_read_only = 'on'",
    ]
}
_IDLE = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
}


async def test_each_transaction_is_set_up(database_kind: str, empty_database_url: str) -> None:
    """Reads and writes each run in a transaction that has our settings, without a session that has them."""
    async with outsider(empty_database_url) as other:
        for sql in _OTHER_DEFAULTS.get(database_kind, []):
            await other.run(sql.format(empty_database_url.rpartition("/")[2]))
    async with connected(empty_database_url + _POOLED.get(database_kind, "")) as connections:
        for sql, expected in _SETTINGS.get(database_kind, [("SELECT 1", 1)]):
            for run in (connections.read, connections.write):
                assert [tuple(row) for row in await run(ask(sql))] == [(expected,)], sql


async def test_a_transaction_that_cannot_be_set_up(database_kind: str, empty_database_url: str) -> None:
    """A transaction that has begun and is not set up is ended at once: its connection is as good as before."""
    url = empty_database_url + _POOLED.get(database_kind, "")
    async with outsider(empty_database_url) as other, connected(url, size=1) as connections:
        if database_kind == "postgresql":
            good, connections.driver._begin = connections.driver._begin, "BEGIN; SET LOCAL lock_timeout = -7"  # type: ignore[attr-defined]
            for run in (connections.read, connections.write):
                with pytest.raises(Exception, match="-7"):
                    await run(ask("SELECT 1"))
            connections.driver._begin = good  # type: ignore[attr-defined]
        assert await other.run(_IDLE.get(database_kind, "SELECT 0")) == [(0,)]
        assert (await connections.write(ask("SELECT 1")))[0][0] == 1


async def test_a_pooler_that_refuses_start_parameters() -> None:
    """Without the option in the URL, a pooler's refusal is a mistake of the configuration, not an outage."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!i", await reader.readexactly(4))
        if length == 8:  # it asks for TLS
            await reader.readexactly(4)
            writer.write(b"N")
            (length,) = struct.unpack("!i", await reader.readexactly(4))
        start = await reader.readexactly(length - 4)
        assert b"lock_timeout" in start
        error = b"SFATAL\0C08P01\0Munsupported startup parameter: lock_timeout\0\0"
        writer.write(b"E" + struct.pack("!i", len(error) + 4) + error)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConfigurationError, match="unsupported startup parameter"):
            await Connections(DatabaseUrl(f"postgresql://someone@127.0.0.1:{port}/test")).open()
