"""A transaction is written or it is not, whatever happens to its connection and to the one who asked for it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import sqlite3
import threading
from typing import Any

import pytest

from statemount.database.connections import Connections
from statemount.database.drivers.sqlite import _transact
from statemount.database.query import Query, Script
from statemount.database.schema import TableNames
from statemount.database.url import DatabaseUrl
from statemount.errors import OverloadedError, UnavailableError, WriteOutcomeUnknownError
from statemount.model import AssetScope
from statemount.operations import Set
from statemount.store.database import DatabaseStore
from tests.clock import FakeClock
from tests.database.support import Proxy, ask, at, connected, outsider, scripts, until
from tests.database.test_faults import SESSION, SLEEP
from tests.databases import requested_urls

pytestmark = pytest.mark.anyio

COUNT = "SELECT count(*) FROM t"


@pytest.mark.parametrize("is_written", [True, False])
async def test_a_connection_that_breaks_during_commit(
    server_kind: str, server_scratch_url: str, is_written: bool
) -> None:
    """Once COMMIT was sent the outcome is unknown: it is said so, and the transaction is not run again."""
    runs = 0

    def script() -> Script[None]:
        nonlocal runs
        runs += 1
        yield Query("INSERT INTO t VALUES (1)")

    async with Proxy(server_scratch_url) as proxy, connected(at(server_scratch_url, proxy.port)) as connections:
        await connections.write(ask("CREATE TABLE t (x INTEGER)"))
        proxy.breaks_on, proxy.passes_on = b"COMMIT", is_written
        with pytest.raises(WriteOutcomeUnknownError, match="^the connection broke during COMMIT: "):
            await connections.write(script)
        proxy.breaks_on = None
        assert runs == 1
        assert (await connections.read(ask(COUNT)))[0][0] == int(is_written)


async def test_a_store_whose_connection_breaks_during_commit(server_kind: str, server_url: str) -> None:
    """Every write of the group is told that its outcome is unknown, and the next ones work."""
    async with Proxy(server_url) as proxy, connected(at(server_url, proxy.port)) as connections:
        store = DatabaseStore(connections, tables=TableNames(), clock=FakeClock())
        await store.open()
        await store.apply(AssetScope(1), [Set("k", "1")], writer=None)
        proxy.breaks_on = b"COMMIT"
        answers = await asyncio.gather(
            *(store.apply(AssetScope(1), [Set(key, "2")], writer=None) for key in "abc"), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [WriteOutcomeUnknownError] * 3
        proxy.breaks_on = None
        await store.apply(AssetScope(1), [Set("k", "3")], writer=None)
        page = await store.list(AssetScope(1), limit=10)
        assert [entry.key for entry in page.entries] == ["k"]
        await store.close()


async def test_a_connection_that_breaks_while_a_scope_is_made(server_kind: str, server_url: str) -> None:
    """Where it is not known whether an empty scope was made, it is known that nothing was written to it."""
    async with Proxy(server_url) as proxy, connected(at(server_url, proxy.port)) as connections:
        store = DatabaseStore(connections, tables=TableNames(), clock=FakeClock())
        await store.open()
        proxy.breaks_on, proxy.breaks_once, proxy.passes_on = b"COMMIT", True, True
        with pytest.raises(UnavailableError) as caught:
            await store.apply(AssetScope(1), [Set("k", "1")], writer=None)
        assert not isinstance(caught.value, WriteOutcomeUnknownError)
        assert (await store.list(AssetScope(1), limit=10)).total == 0
        await store.apply(AssetScope(1), [Set("k", "2")], writer=None)
        await store.close()


class _FullDisk(sqlite3.Connection):
    """A connection to a disk that is full as soon as something is to be committed."""

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(sql, *args)


def test_a_disk_that_is_full_at_commit() -> None:
    """Of a transaction for which there was no room it is known that it was not done."""
    connection = sqlite3.connect(":memory:", isolation_level=None, factory=_FullDisk)
    connection.execute("CREATE TABLE t (x INTEGER)")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        _transact(connection, scripts("INSERT INTO t VALUES (1)"))
    assert not connection.in_transaction
    assert connection.execute(COUNT).fetchall() == [(0,)]
    connection.close()


@pytest.mark.parametrize("url", [url for kind, url in requested_urls().items() if kind == "mysql"])
async def test_a_commit_that_is_refused(url: str) -> None:
    """MariaDB answers COMMIT with an error where it became read-only: it has rolled back, and nothing is unknown."""
    from asyncmy.errors import OperationalError

    async with connected(url) as connections:
        await connections.write(ask("CREATE TEMPORARY TABLE statemount_refused (x INTEGER)"))
        driver: Any = connections.driver
        asked = 0

        async def refuse(raw: Any) -> None:
            nonlocal asked
            asked += 1
            raise OperationalError(1290, "The MariaDB server is running with the --read-only option")

        driver.commit = refuse
        with pytest.raises(UnavailableError, match="read-only") as caught:
            await connections.write(ask("INSERT INTO statemount_refused VALUES (1)"))
        assert not isinstance(caught.value, WriteOutcomeUnknownError)
        assert asked == 1


@pytest.mark.parametrize("breaks_on", [b"BEGIN", b"INSERT"])
async def test_a_connection_that_breaks_before_commit(
    server_kind: str, server_scratch_url: str, breaks_on: bytes
) -> None:
    """A break before COMMIT is an outage that wrote nothing; at the beginning it is tried once more, in silence."""
    if server_kind == "mysql" and breaks_on == b"BEGIN":
        breaks_on = b"START TRANSACTION"
    async with Proxy(server_scratch_url) as proxy, connected(at(server_scratch_url, proxy.port)) as connections:
        await connections.write(ask("CREATE TABLE t (x INTEGER)"))
        proxy.breaks_on = breaks_on
        with pytest.raises(UnavailableError) as caught:
            await connections.write(ask("INSERT INTO t VALUES (1)"))
        assert not isinstance(caught.value, WriteOutcomeUnknownError)
        proxy.breaks_on = None
        assert (await connections.read(ask(COUNT)))[0][0] == 0


async def test_a_break_while_idle_is_not_seen(server_kind: str, server_scratch_url: str) -> None:
    """A connection that broke between two calls is replaced without anybody being told."""
    async with Proxy(server_scratch_url) as proxy, connected(at(server_scratch_url, proxy.port)) as connections:
        await connections.write(ask("CREATE TABLE t (x INTEGER)"))
        for run in (connections.write, connections.read):
            proxy.cut()
            await run(ask("SELECT 1"))
            await run(ask("SELECT 1"))


async def has_open_transaction(kind: str, url: str) -> bool:
    """Tell whether somebody but the one who asks is in a transaction."""
    asks = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL",
        "mysql": "SELECT count(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
        " ON p.id = t.trx_mysql_thread_id WHERE p.db = DATABASE()",
    }
    async with outsider(url) as other:
        if kind == "sqlite":
            try:
                await other.run("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                return "locked" in str(error)
            return False
        return bool((await other.run(asks[kind]))[0][0])


async def test_a_request_that_is_cancelled_leaves_its_work_alone(database_kind: str, scratch_url: str) -> None:
    """Detached work goes on when the one who waits is cancelled, and ends its transaction."""
    started = threading.Event()

    def script() -> Script[None]:
        started.set()
        yield Query("INSERT INTO t VALUES (1)")
        yield Query(SLEEP[database_kind].format(0.5))

    async with connected(scratch_url) as connections:
        await connections.write(ask("CREATE TABLE t (x INTEGER)"))
        asking = asyncio.ensure_future(connections.detached(connections.write(script)))
        await asyncio.to_thread(started.wait)

        async def is_open() -> bool:
            return await has_open_transaction(database_kind, scratch_url)

        await until(is_open)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

        async def is_written() -> bool:
            return bool((await connections.read(ask(COUNT)))[0][0])

        async def is_over() -> bool:
            return not await is_open()

        # MariaDB's list of transactions may be a tenth of a second old.
        await until(is_written)
        await until(is_over)


async def test_work_that_nobody_waits_for_may_fail(scratch_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """The error of detached work whose request is gone is taken and logged, without the statement."""
    caplog.set_level(logging.INFO, "statemount")
    async with connected(scratch_url) as connections:
        asking = asyncio.ensure_future(connections.detached(connections.read(ask("SELECT 'marker' FROM missing"))))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    gc.collect()
    said = [record.getMessage() for record in caplog.records if record.name == "statemount.database"]
    assert len(said) == 1
    assert said[0].startswith("work that nobody waited for failed: UnavailableError: ")
    assert "marker" not in said[0]


async def test_detached_work_knows_nothing_of_the_request(scratch_url: str) -> None:
    """Detached work runs with an empty context, and its answer or error reaches the request."""
    variable = contextvars.ContextVar("variable", default="empty")
    variable.set("the request's")

    async def work() -> str:
        return variable.get()

    async def failing() -> None:
        raise LookupError(variable.get())

    async with connected(scratch_url) as connections:
        assert await connections.detached(work()) == "empty"
        with pytest.raises(LookupError, match="empty"):
            await connections.detached(failing())


async def test_a_transaction_that_is_cancelled_is_rolled_back(database_kind: str, scratch_url: str) -> None:
    """Cancelling the task that owns a transaction ends it: nothing is written, nothing stays locked."""
    started = threading.Event()
    long = SLEEP[database_kind].format(20 if database_kind == "sqlite" else 0.5)

    def script() -> Script[None]:
        yield Query("INSERT INTO t VALUES (1)")
        started.set()
        yield Query(long)

    async with connected(scratch_url) as connections:
        await connections.write(ask("CREATE TABLE t (x INTEGER)"))
        for work in (connections.write(script), connections.read(ask(long))):
            task = asyncio.ensure_future(work)
            await asyncio.to_thread(started.wait)
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await connections.read(ask(COUNT)))[0][0] == 0
        await connections.write(ask("INSERT INTO t VALUES (2)"))

        async def is_free() -> bool:  # a server notices at the end of the statement
            return not await has_open_transaction(database_kind, scratch_url)

        await until(is_free)


async def test_a_full_pool_refuses_in_time(database_kind: str, scratch_url: str) -> None:
    """Who finds every connection in use is told so after the configured wait; later ones are served."""
    async with connected(scratch_url, size=1, wait_seconds=0.1) as connections:
        long = asyncio.ensure_future(connections.read(ask(SLEEP[database_kind].format(1))))
        await asyncio.sleep(0.05)
        started = asyncio.get_running_loop().time()
        with pytest.raises(OverloadedError, match="every database connection is in use"):
            await connections.read(ask("SELECT 1"))
        assert asyncio.get_running_loop().time() - started < 0.5
        waiting = asyncio.ensure_future(connections.read(ask("SELECT 1")))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await long
        for _ in range(3):
            assert (await connections.read(ask("SELECT 1")))[0][0] == 1


async def test_at_most_so_many_connections(database_kind: str, scratch_url: str) -> None:
    """However many ask at once, no more connections are opened than configured."""
    counts = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid()",
        "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()",
    }
    threads = threading.active_count()
    async with connected(scratch_url, size=3) as connections, outsider(scratch_url) as other:
        slow = ask(SLEEP[database_kind].format(0.1))
        await asyncio.gather(*(connections.read(slow) for _ in range(9)))
        if database_kind == "sqlite":
            assert 1 < threading.active_count() - threads <= 3 + 1  # the readers and the writer
        else:
            assert (await other.run(counts[database_kind]))[0][0] == 3


async def test_nothing_is_left_after_close(database_kind: str, scratch_url: str) -> None:
    """After close there is no thread, no task and no session; close waits for work that is under way."""
    before, tasks = set(threading.enumerate()), asyncio.all_tasks()
    connections = Connections(DatabaseUrl(scratch_url), size=3)
    await connections.open()
    await connections.write(ask("CREATE TABLE t (x INTEGER)"))
    await asyncio.gather(*(connections.read(ask(COUNT)) for _ in range(5)))
    work = asyncio.ensure_future(
        connections.detached(connections.write(scripts("INSERT INTO t VALUES (1)", "SELECT 1")))
    )
    await asyncio.sleep(0)
    await connections.close()
    assert work.done()
    await connections.close()
    gc.collect()
    assert set(threading.enumerate()) <= before
    assert asyncio.all_tasks() == tasks
    async with outsider(scratch_url) as other:
        assert (await other.run(COUNT))[0][0] == 1
        if database_kind != "sqlite":
            own = (await other.run(SESSION[database_kind]))[0][0]
            sessions = {
                "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = current_database()",
                "mysql": "SELECT id FROM information_schema.processlist WHERE db = DATABASE()",
            }

            async def is_alone() -> bool:
                return {row[0] for row in await other.run(sessions[database_kind])} == {own}

            await until(is_alone)


async def test_a_database_in_memory_lives_as_long_as_its_connections() -> None:
    """In memory there is one connection, for reads and writes, and what it holds is gone with it."""
    for _ in range(2):
        async with connected("sqlite://") as connections:
            await connections.write(ask("CREATE TABLE t (x INTEGER)"))
            await asyncio.gather(*(connections.write(ask("INSERT INTO t VALUES (1)")) for _ in range(20)))
            counts = await asyncio.gather(*(connections.read(ask(COUNT)) for _ in range(20)))
            assert {rows[0][0] for rows in counts} == {20}


async def test_writers_of_sqlite_take_turns(scratch_url: str) -> None:
    """Transactions that read and then write at the same time all happen, on every database."""
    async with connected(scratch_url) as connections:
        await connections.write(scripts("CREATE TABLE t (x INTEGER)"))
        await connections.write(scripts("INSERT INTO t VALUES (0)"))
        increment = scripts("SELECT x FROM t", "UPDATE t SET x = x + 1")
        async with connected(scratch_url) as others:
            await asyncio.gather(
                *(each.write(increment) for _ in range(20) for each in (connections, others)),
            )
        assert (await connections.read(ask("SELECT x FROM t")))[0][0] == 40


async def test_a_group_of_which_a_later_part_fails(server_kind: str, server_url: str) -> None:
    """A set whose line of the log cannot be written leaves no entry behind, and the connection is good afterwards."""
    async with connected(server_url) as connections, outsider(server_url) as other:
        store = DatabaseStore(connections, tables=TableNames(), clock=FakeClock())
        await store.open()
        scope = AssetScope(1)
        await store.apply(scope, [Set("k", "1")], writer=None)
        columns = "scope_id, revision, kind, changed_at, size"
        line = f"SELECT id, revision + 1, 'set', 0, 0 FROM {TableNames().scope}"
        await other.run(f"INSERT INTO {TableNames().change} ({columns}) {line}")
        with pytest.raises(UnavailableError):
            await store.apply(scope, [Set("k", "2")], writer=None)
        found = await store.read(scope, "k")
        assert found is not None
        assert found.value == "1"
        await other.run(f"DELETE FROM {TableNames().change} WHERE changed_at = 0")
        await store.apply(scope, [Set("k", "3")], writer=None)
        found = await store.read(scope, "k")
        assert found is not None
        assert found.value == "3"
        await store.close()
