"""An error of a driver means something: try again, give up for now, replace the connection, or it is the caller's."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import asyncmy
import asyncmy.errors
import asyncpg
import pytest

from statemount.database.connections import Connections
from statemount.database.drivers.base import Fault
from statemount.database.query import Query, Row, Script
from statemount.database.url import DatabaseUrl
from statemount.errors import UnavailableError
from tests.database.support import Proxy, ask, at, connected, outsider, scripts
from tests.databases import requested_urls

pytestmark = pytest.mark.anyio

SLEEP = {
    "sqlite": "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < {}*5e6) SELECT max(x) FROM c",
    "postgresql": "SELECT pg_sleep({})",
    "mysql": "SELECT SLEEP({})",
}
SESSION = {"postgresql": "SELECT pg_backend_pid()", "mysql": "SELECT CONNECTION_ID()"}
LOCK = {
    "sqlite": ["BEGIN IMMEDIATE"],
    "postgresql": ["BEGIN", "INSERT INTO statemount_dropped_run VALUES ('\\x00', 2)"],
    "mysql": ["START TRANSACTION", "INSERT INTO statemount_dropped_run VALUES (x'00', 2)"],
}
BLOCKED = {
    "sqlite": "INSERT INTO statemount_dropped_run VALUES (x'00', 1)",
    "postgresql": "INSERT INTO statemount_dropped_run VALUES ('\\x00', 1)",
    "mysql": "INSERT INTO statemount_dropped_run VALUES (x'00', 1)",
}
KILL = {"postgresql": "SELECT pg_terminate_backend({})", "mysql": "KILL {}"}

# What the server raises on demand, and what becomes of the transaction: again (run again up to 5 times),
# busy (given up, the session stays), lost (given up, the session is replaced), refused (the error itself).
_POSTGRESQL_ERRORS = {
    "40001": "again",
    "40P01": "again",
    "23505": "again",
    "55P03": "busy",
    "57014": "busy",
    "42P01": "busy",
    "53100": "busy",
    "58030": "busy",
    "XX000": "busy",
    "25006": "lost",
    "57P03": "lost",
    "08006": "lost",
    "23502": "refused",
    "22003": "refused",
    "42601": "refused",
}
_MYSQL_ERRORS = {
    "1213": "again",
    "1020": "again",
    "1205": "busy",
    "1062": "again",
    "1047": "lost",
    "1114": "busy",
    "1146": "busy",
    "1180": "busy",
    "1969": "busy",
    "1290": "lost",
    "1836": "lost",
    "1927": "lost",
    "2013": "lost",
    "1064": "refused",
    "1406": "refused",
    "1048": "refused",
}


_MEANINGS = {"postgresql": _POSTGRESQL_ERRORS, "mysql": _MYSQL_ERRORS}


def raises(kind: str, code: str) -> str:
    """Return the statement that makes the server raise an error."""
    if kind == "postgresql":
        return f"DO $$ BEGIN RAISE EXCEPTION 'on demand' USING ERRCODE = '{code}'; END $$"
    return f"SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'on demand'"


async def test_what_a_server_says(server_kind: str, server_url: str) -> None:
    """Each error of a server has its consequence for the transaction and for the session."""
    async with connected(server_url, size=1) as connections:
        for code, meaning in _MEANINGS[server_kind].items():
            runs: list[str] = []

            def script(code: str = code, runs: list[str] = runs) -> Script[None]:
                runs.append(code)
                yield Query(raises(server_kind, code))

            session = (await connections.read(ask(SESSION[server_kind])))[0][0]
            with pytest.raises(Exception, match="on demand") as caught:
                await connections.write(script)
            assert isinstance(caught.value, UnavailableError) is (meaning != "refused"), code
            assert len(runs) == (6 if meaning == "again" else 1), code
            is_same = (await connections.read(ask(SESSION[server_kind])))[0][0] == session
            assert is_same is (meaning != "lost"), code


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (sqlite3.OperationalError("database is locked"), Fault.ROLLED_BACK),
        (sqlite3.OperationalError("database table is locked"), Fault.ROLLED_BACK),
        (sqlite3.OperationalError("disk I/O error"), Fault.BUSY),
        (sqlite3.OperationalError("database or disk is full"), Fault.BUSY),
        (sqlite3.OperationalError("attempt to write a readonly database"), Fault.LOST),
        (sqlite3.OperationalError("no such table: t"), Fault.BUSY),
        (sqlite3.OperationalError("interrupted"), Fault.BUSY),
        (sqlite3.DatabaseError("file is not a database"), Fault.BUSY),
        (sqlite3.DatabaseError("database disk image is malformed"), Fault.BUSY),
        (sqlite3.OperationalError('near "x": syntax error'), Fault.REFUSED),
        (sqlite3.IntegrityError("UNIQUE constraint failed"), Fault.REFUSED),
        (sqlite3.ProgrammingError("Cannot operate on a closed database."), Fault.LOST),
        (ValueError("Connection closed"), Fault.LOST),
        (ValueError("no active connection"), Fault.LOST),
        (ValueError("something else"), Fault.REFUSED),
        (KeyError("x"), Fault.REFUSED),
    ],
)
def test_what_sqlite_says(error: Exception, fault: Fault) -> None:
    """SQLite tells its errors apart by their words alone."""
    assert DatabaseUrl("sqlite://").make_driver().fault(error) is fault


def test_what_no_server_says() -> None:
    """An error that a driver finds by itself, without a word of the server, costs the connection."""
    mysql, postgresql = (DatabaseUrl(f"{name}://h/d").make_driver() for name in ("mysql", "postgresql"))
    assert mysql.fault(asyncmy.errors.InternalError("Packet sequence number wrong")) is Fault.LOST
    assert mysql.fault(asyncmy.errors.InterfaceError(0, "Not connected")) is Fault.LOST
    assert postgresql.fault(asyncpg.InterfaceError("connection is closed")) is Fault.LOST
    assert postgresql.fault(asyncpg.DataError("invalid input for query argument")) is Fault.REFUSED


@pytest.mark.parametrize("url", ["postgresql://h/d", "mysql://h/d"])
@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ConnectionResetError(), Fault.LOST),
        (BrokenPipeError(), Fault.LOST),
        (OSError("no route to host"), Fault.LOST),
        (TypeError("not all arguments converted"), Fault.REFUSED),
        (ValueError("x"), Fault.REFUSED),
    ],
)
def test_what_the_network_says(url: str, error: Exception, fault: Fault) -> None:
    """An error of the network costs the connection; one of Python's is a mistake of ours."""
    assert DatabaseUrl(url).make_driver().fault(error) is fault


async def test_a_statement_takes_too_long(server_kind: str, server_url: str) -> None:
    """A statement is ended by the server at its time-out; the session is good for the next one."""
    async with connected(server_url, statement_seconds=0.1) as connections:
        session = await connections.read(ask(SESSION[server_kind]))
        started = asyncio.get_running_loop().time()
        for run in (connections.read, connections.write):
            with pytest.raises(UnavailableError, match="does not answer"):
                await run(ask(SLEEP[server_kind].format(5)))
        assert asyncio.get_running_loop().time() - started < 2
        assert [*map(tuple, await connections.read(ask(SESSION[server_kind])))] == [*map(tuple, session)]


async def test_a_lock_that_is_held_too_long(database_kind: str, database_url: str) -> None:
    """A write that waits for a lock gives up in time, says so, and leaves nothing behind."""
    seconds = {"sqlite": 0.1, "postgresql": 0.1, "mysql": 1.0}[database_kind]
    async with connected(database_url, lock_seconds=seconds) as connections, outsider(database_url) as other:
        for sql in LOCK[database_kind]:
            await other.run(sql)
        started = asyncio.get_running_loop().time()
        with pytest.raises(UnavailableError, match="lock"):
            await connections.write(ask(BLOCKED[database_kind]))
        assert asyncio.get_running_loop().time() - started < seconds * 1.5 + 0.5
        await other.run("ROLLBACK")
        await connections.write(ask(BLOCKED[database_kind]))


async def test_a_lock_that_is_given_back_is_waited_for(database_kind: str, database_url: str) -> None:
    """A write that finds its rows locked goes ahead when they are free."""
    async with connected(database_url) as connections, outsider(database_url) as other:
        for sql in LOCK[database_kind]:
            await other.run(sql)
        writing = asyncio.ensure_future(connections.write(ask(BLOCKED[database_kind])))
        await asyncio.sleep(0.2)
        assert not writing.done()
        await other.run("ROLLBACK")
        await writing
        assert len(await connections.read(ask("SELECT * FROM statemount_dropped_run"))) == 1


async def test_a_deadlock_is_resolved(server_kind: str, server_scratch_url: str) -> None:
    """Two transactions that wait for each other both happen: the one that the server ends is run again."""
    runs = 0
    turn = SLEEP[server_kind].format(0.2)

    async with connected(server_scratch_url, lock_seconds=5) as connections:
        await connections.write(scripts("CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER)"))
        await connections.write(scripts("INSERT INTO t VALUES (1, 0), (2, 0)"))

        def script(first: int, second: int) -> Script[None]:
            nonlocal runs
            runs += 1
            yield Query(f"UPDATE t SET x = x + 1 WHERE id = {first}")
            yield Query(turn)
            yield Query(f"UPDATE t SET x = x + 1 WHERE id = {second}")

        await asyncio.gather(
            connections.write(lambda: script(1, 2)),
            connections.write(lambda: script(2, 1)),
        )
        assert runs >= 3
        rows = await connections.read(ask("SELECT id, x FROM t ORDER BY id"))
        assert [tuple(row) for row in rows] == [(1, 2), (2, 2)]


async def test_a_transaction_is_run_again_from_its_start(server_kind: str, server_scratch_url: str) -> None:
    """What a run did that was rolled back is gone before the next one; the result is the last run's."""
    failing = raises(server_kind, {"postgresql": "40001", "mysql": "1213"}[server_kind])
    runs = 0

    def script() -> Script[Sequence[Row]]:
        nonlocal runs
        runs += 1
        yield Query("INSERT INTO t VALUES (7)")
        if runs < 4:
            yield Query(failing)
        return (yield Query("SELECT count(*) FROM t"))

    async with connected(server_scratch_url) as connections:
        await connections.write(ask("CREATE TABLE t (x INTEGER)"))
        rows = await connections.write(script)
        assert rows[0][0] == 1
        assert runs == 4


async def test_an_error_of_the_script_rolls_back(scratch_url: str) -> None:
    """What a script raises comes out as it is, once, with nothing written and the connection as good as before."""
    runs = 0

    def script() -> Script[None]:
        nonlocal runs
        runs += 1
        yield Query("INSERT INTO t VALUES (7)")
        raise LookupError("mine")

    async with connected(scratch_url, size=1) as connections:
        await connections.write(ask("CREATE TABLE t (x INTEGER)"))
        with pytest.raises(LookupError, match="^'?mine'?$"):
            await connections.write(script)
        assert runs == 1
        assert len(await connections.write(ask("SELECT * FROM t"))) == 0


async def test_a_mistake_in_a_statement_is_the_drivers_error(database_kind: str, database_url: str) -> None:
    """A statement that no database could run is no outage: the driver's own error comes out."""
    async with connected(database_url, size=1) as connections:
        for run in (connections.read, connections.write):
            with pytest.raises(Exception, match="syntax") as caught:
                await run(ask("SELEKT 1"))
            assert not isinstance(caught.value, UnavailableError)
            assert (await run(ask("SELECT 1")))[0][0] == 1


async def test_a_table_that_is_missing(scratch_url: str) -> None:
    """A schema that is not there (yet) is an outage, which ends by itself."""
    async with connected(scratch_url, size=1) as connections:
        for run in (connections.read, connections.write):
            with pytest.raises(UnavailableError, match="statemount_scope"):
                await run(ask("SELECT * FROM statemount_scope"))


@pytest.mark.parametrize("kind", [kind for kind in requested_urls() if kind in ("sqlite", "postgresql")])
async def test_a_constraint_that_fails_at_commit(scratch: Callable[[str], str], kind: str) -> None:
    """What COMMIT refuses is rolled back, and is an error of the transaction, not an unknown outcome."""
    url = "sqlite://" if kind == "sqlite" else scratch(kind)
    async with connected(url, size=1) as connections:
        if kind == "sqlite":
            await connections.read(ask("PRAGMA foreign_keys = ON"))
        await connections.write(
            scripts(
                "CREATE TABLE t (id INTEGER PRIMARY KEY)",
                "CREATE TABLE u (id INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)",
            )
        )
        with pytest.raises(Exception, match="(?i)foreign key constraint") as caught:
            await connections.write(ask("INSERT INTO u VALUES (1)"))
        assert not isinstance(caught.value, UnavailableError)
        assert len(await connections.write(ask("SELECT * FROM u"))) == 0


async def kill_all(kind: str, url: str, sessions: Sequence[Any]) -> None:
    """End sessions from outside."""
    async with outsider(url) as other:
        for session in sessions:
            await other.run(KILL[kind].format(session))


async def test_sessions_that_were_ended_are_replaced(server_kind: str, server_url: str) -> None:
    """After the server ended every session, the next read and the next write work at once."""

    async def sessions(connections: Connections) -> set[int]:
        script = scripts_for_session(server_kind)
        return {rows[0][0] for rows in await asyncio.gather(*(connections.read(script) for _ in range(3)))}

    async with connected(server_url, size=3) as connections:
        for run in (connections.read, connections.write):
            before = await sessions(connections)
            assert len(before) == 3
            await kill_all(server_kind, server_url, [*before])
            assert (await run(ask("SELECT 1")))[0][0] == 1
            assert not before & await sessions(connections)


def scripts_for_session(kind: str) -> Any:
    """Return a script that gives the session's id, slowly enough for several to be open at once."""

    def script() -> Script[Sequence[Row]]:
        yield Query(SLEEP[kind].format(0.1))
        return (yield Query(SESSION[kind]))

    return script


async def test_a_session_that_is_ended_in_the_middle(server_kind: str, server_scratch_url: str) -> None:
    """A transaction whose session the server ends is given up, with nothing written; the next one works."""
    session: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def script() -> Script[None]:
        yield Query("INSERT INTO t VALUES (7)")
        rows = yield Query(SESSION[server_kind])
        session.set_result(rows[0][0])
        yield Query(SLEEP[server_kind].format(5))

    async with connected(server_scratch_url, size=2) as connections:
        await connections.write(ask("CREATE TABLE t (x INTEGER)"))
        writing = asyncio.ensure_future(connections.write(script))
        await kill_all(server_kind, server_scratch_url, [await session])
        with pytest.raises(UnavailableError, match="does not answer"):
            await writing
        assert len(await connections.write(ask("SELECT * FROM t"))) == 0


async def test_a_server_that_falls_silent(server_kind: str, server_url: str) -> None:
    """A server that does not answer at all is given up on soon after its own time-out, and forgotten."""
    async with (
        Proxy(server_url) as proxy,
        connected(at(server_url, proxy.port), statement_seconds=0.1, connect_seconds=0.5) as connections,
    ):
        assert (await connections.read(ask("SELECT 1")))[0][0] == 1
        await asyncio.gather(connections.write(ask("SELECT 1")), connections.write(ask("SELECT 1")))
        proxy.is_silent = True
        with pytest.raises(UnavailableError, match="the database does not answer"):
            await connections.write(ask("SELECT 1"))
        with pytest.raises(UnavailableError, match="no connection to the database: it does not answer"):
            await connections.write(ask("SELECT 1"))
        proxy.is_silent = False
        assert (await connections.write(ask("SELECT 1")))[0][0] == 1


async def test_a_read_of_a_silent_server_is_not_repeated(server_kind: str, server_url: str) -> None:
    """A read that has waited as long as one waits for a lock gives up, and does not begin once more."""
    async with (
        Proxy(server_url) as proxy,
        connected(at(server_url, proxy.port), statement_seconds=0.1, lock_seconds=1) as connections,
    ):
        assert (await connections.read(ask("SELECT 1")))[0][0] == 1
        proxy.is_silent = True
        with pytest.raises(UnavailableError, match="the database does not answer"):
            await connections.read(ask("SELECT 1"))


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
async def test_a_server_that_is_not_there(kind: str) -> None:
    """A server that refuses connections is unavailable, said in one line."""
    with pytest.raises(UnavailableError, match="^no connection to the database: [^\n]+$"):
        await Connections(DatabaseUrl(f"{kind}://root@127.0.0.1:1/name")).open()


async def test_a_server_that_goes_away_and_comes_back(server_kind: str, server_url: str) -> None:
    """While the server is away every call is unavailable; as soon as it is back the next one works."""
    proxy = Proxy(server_url)
    async with proxy:
        connections = Connections(DatabaseUrl(at(server_url, proxy.port)))
        await connections.open()
        port = proxy.port
    for run in (connections.read, connections.write):
        with pytest.raises(UnavailableError, match="no connection to the database"):
            await run(ask("SELECT 1"))
    again = Proxy(server_url, port=port)
    async with again:
        for run in (connections.read, connections.write):
            assert (await run(ask("SELECT 1")))[0][0] == 1
        await connections.close()
