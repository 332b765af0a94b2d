"""Processes that hear each other, and what is lost if they do not: nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import pytest

from statemount import StateMount
from statemount.database.notifications import Notifications
from statemount.database.url import DatabaseUrl
from statemount.errors import ConfigurationError, UnavailableError
from statemount.model import Scope, TaskScope
from statemount.operations import Clear, Set
from statemount.parts import listen_url
from statemount.settings import SecretUrl, Settings
from statemount.watching.bell import Bell, tag_of
from statemount.watching.watch import Watch
from tests.clock import FakeClock
from tests.database.support import Proxy, at, connected, outsider
from tests.watching.support import ASSET, TASK, WRITER, open_hub, open_store, put, told, until

pytestmark = pytest.mark.anyio

PG = "postgresql://db/x"


class Wire:
    """A line between bells in one process, which can be broken."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.is_broken = False
        self._listeners: list[Callable[[str], None]] = []

    async def call(self, text: str) -> None:
        """Call to everybody."""
        if self.is_broken:
            raise UnavailableError("it is broken")
        self.calls.append(text)
        for heard in self._listeners:
            heard(text)

    async def listen(self, heard: Callable[[str], None], is_up: Callable[[bool], None]) -> None:
        """Listen until this is cancelled."""
        self._listeners.append(heard)
        is_up(True)
        try:
            await asyncio.Event().wait()
        finally:
            self._listeners.remove(heard)


async def test_what_moves_at_once_is_one_call() -> None:
    """Scopes that move within a moment are called out together; a bell does not hear itself."""
    wire = Wire()
    bell, other = Bell(wire, interval=0.01), Bell(wire, interval=0.01)
    found: dict[str, list[Collection[str] | None]] = {"bell": [], "other": []}
    listening = [
        asyncio.create_task(each.listen(found[name].append, lambda is_up: None))
        for name, each in (("bell", bell), ("other", other))
    ]
    await asyncio.sleep(0)
    for scope in (TASK, ASSET, TASK):
        bell.ring(scope)
    await bell.close()
    assert len(wire.calls) == 1
    (tags,) = found["other"]
    assert tags is not None
    assert sorted(tags) == sorted([tag_of(TASK), tag_of(ASSET)])
    other.ring(None)
    await other.close()
    assert found["bell"] == [None]
    assert len(found["other"]) == 1
    for task in listening:
        task.cancel()
    await asyncio.wait(listening)


async def test_calls_are_apart() -> None:
    """There is a pause from one call to the next, and nothing that moves in between is left out."""
    wire = Wire()
    bell = Bell(wire, interval=0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    scopes = [TaskScope("etl", "run-1", "load", index) for index in range(50)]
    for scope in scopes:
        bell.ring(scope)
        await asyncio.sleep(0.003)
    await bell.close()
    assert len(wire.calls) <= (loop.time() - began) / 0.05 + 1
    called = {tag for call in wire.calls for tag in call.split(" ")[1:]}
    assert called == {tag_of(scope) for scope in scopes}


async def test_too_many_to_name() -> None:
    """A call stays short enough for PostgreSQL: when too many scopes move it says that any may have."""
    wire = Wire()
    bell = Bell(wire, interval=0)
    for index in range(400):
        bell.ring(TaskScope("etl", "run-1", "load", index))
    await bell.close()
    for index in range(2000):
        bell.ring(TaskScope("etl", "run-1", "load", index))
    await bell.close()
    assert [call.split(" ")[1:] == ["*"] for call in wire.calls] == [False, True]
    assert all(len(call) < 8000 for call in wire.calls)


async def test_a_line_that_is_broken(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once that nobody can be told, and again after it could."""
    wire = Wire()
    bell = Bell(wire, interval=0)
    for is_broken in (True, True, False, True):
        wire.is_broken = is_broken
        bell.ring(TASK)
        await bell.close()
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.message for record in warnings] == [
        "other processes are not told of changes at once: UnavailableError: it is broken"
    ] * 2
    assert len(wire.calls) == 1


async def test_hubs_that_hear_each_other(backend_url: str | None) -> None:
    """What one process writes, clears or sweeps is told by another at once, though it asks the database rarely."""
    wire, clock = Wire(), FakeClock()
    async with open_store(backend_url, clock) as store, open_store(backend_url, clock) as second:
        elsewhere = store if backend_url is None else second
        async with (
            open_hub(store, bell=Bell(wire, interval=0.001)) as hub,
            open_hub(elsewhere, bell=Bell(wire, interval=0.001)) as other,
        ):
            assert other.is_told
            watches: dict[Scope, Watch] = {TASK: await hub.watch(TASK), ASSET: await hub.watch(ASSET)}
            await until(lambda: wire._listeners)
            for scope, watch in watches.items():
                assert await told(watch) == [("ready", 0, None)]
                last = await put(elsewhere, other, scope, "a")
                assert await told(watch) == [("set", last, "a")]
            last = (await elsewhere.apply(TASK, [Set("x", "1", clock.now + 1)], writer=WRITER)).revision
            other.moved(ASSET)  # of which there is nothing new
            clock.advance(1)
            assert await elsewhere.sweep() == 1
            other.swept()
            assert await told(watches[TASK], 2) == [("set", last, "x"), ("expire", last + 1, "x")]
            calls = len(wire.calls)
            outcome = await elsewhere.apply(TASK, [Clear(), Clear()], writer=WRITER)
            other.written(TASK, outcome)
            assert await told(watches[TASK]) == [("clear", outcome.revision, None)]
            assert len(wire.calls) == calls + 1
            other.written(TASK, await elsewhere.apply(TASK, [Clear()], writer=WRITER))
            await asyncio.sleep(0.01)
            assert len(wire.calls) == calls + 1  # nothing was changed
            for watch in watches.values():
                watch.close()
            again = await hub.watch(ASSET)
            (ready,) = await told(again)
            last = await put(elsewhere, other, ASSET, "b")
            assert await told(again) == [("set", last, "b")]
            assert last == ready[1] + 1


async def test_nobody_listens_for_long_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is given up a while after the last watch, and taken up again with the next one."""
    monkeypatch.setattr("statemount.watching.hub._LINGER_SECONDS", 0.01)
    wire = Wire()
    async with open_store(None, FakeClock()) as store, open_hub(store, bell=Bell(wire)) as hub:
        for _ in range(2):
            watch = await hub.watch(TASK)
            await until(lambda: wire._listeners)
            watch.close()
            again = await hub.watch(TASK)
            again.close()
            await until(lambda: not wire._listeners)


@asynccontextmanager
async def listening(line: Notifications) -> AsyncIterator[tuple[list[str], list[bool]]]:
    """Listen for the length of a block; give what is heard, and whether the line is up."""
    heard: list[str] = []
    ups: list[bool] = []
    task = asyncio.create_task(line.listen(heard.append, ups.append))
    try:
        yield heard, ups
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_notifications(heard_url: str) -> None:
    """A text reaches whoever listens on the channel, and nobody on another."""
    url = DatabaseUrl(heard_url)
    async with connected(heard_url) as connections:
        lines = [Notifications(connections, channel=channel, url=url) for channel in ("a_moved", "b_moved")]
        async with listening(lines[0]) as (first, ups), listening(lines[1]) as (second, other_ups):
            await until(lambda: ups and other_ups)
            await lines[0].call("x y")
            await lines[1].call("z")
            await until(lambda: first and second)
            assert (first, second) == (["x y"], ["z"])
        assert ups == [True, False]


async def test_a_line_is_taken_up_again(
    heard_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection that breaks, or a server that is gone for a while, is replaced; that it cannot be is logged once."""
    monkeypatch.setattr("statemount.database.notifications._SHORTEST_PAUSE_SECONDS", 0.005)
    monkeypatch.setattr("statemount.database.notifications._LONGEST_PAUSE_SECONDS", 0.02)
    async with connected(heard_url) as connections, Proxy(heard_url) as proxy:
        line = Notifications(connections, channel="moved", url=DatabaseUrl(at(heard_url, proxy.port)))
        async with listening(line) as (heard, ups):
            await until(lambda: ups)
            async with outsider(heard_url) as other:
                await other.run(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'statemount (watching)' AND datname = current_database()"
                )
            await until(lambda: len(ups) >= 3)
            await line.call("back")
            await until(lambda: heard)
            await proxy.__aexit__()
            await until(lambda: sum("cannot be heard" in record.message for record in caplog.records) >= 1)
            await until(lambda: len(ups) == 4)
            async with Proxy(heard_url, port=proxy.port):
                await until(lambda: len(ups) == 5)
                await line.call("again")
                await until(lambda: len(heard) == 2)
                assert (heard, ups) == (["back", "again"], [True, False, True, False, True])
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].startswith("notifications cannot be heard, which is tried again: ")


async def test_a_server_that_says_nothing_any_more(heard_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is dead, and does not say so, is found out and replaced."""
    for name, seconds in (("_CHECK_SECONDS", 0.05), ("_ANSWER_SECONDS", 0.1), ("_SHORTEST_PAUSE_SECONDS", 0.005)):
        monkeypatch.setattr(f"statemount.database.notifications.{name}", seconds)
    async with connected(heard_url) as connections, Proxy(heard_url) as proxy:
        line = Notifications(connections, channel="moved", url=DatabaseUrl(at(heard_url, proxy.port)))
        async with listening(line) as (heard, ups):
            await until(lambda: ups)
            await asyncio.sleep(0.12)  # a check that is answered
            assert ups == [True]
            proxy.is_silent = True
            await until(lambda: len(ups) == 2)
            proxy.is_silent = False
            await until(lambda: len(ups) == 3)
            await line.call("back")
            await until(lambda: heard)


async def test_processes_on_a_database(database_kind: str, database_url: str) -> None:
    """Two apps over one database tell each other's changes: at once on PostgreSQL, soon on the others."""
    is_heard = database_kind == "postgresql"
    interval = 60 if is_heard else 0.02
    apps = [StateMount(database_url, watch_poll_interval_seconds=interval, jwt_secret="x" * 64) for _ in range(2)]
    async with apps[0].lifespan(), apps[1].lifespan():
        watch = await apps[0].service.watches.watch(TASK)
        assert await told(watch) == [("ready", 0, None)]
        if is_heard:
            hub = apps[0]._runtimes.running().hub  # type: ignore[union-attr]
            await until(lambda: hub._follower._poll_seconds == 600)  # it is heard, and so asks a tenth as often
        for number in range(3):
            result = await apps[1].service.tasks.set(TASK, "k", number)
            assert await told(watch) == [("set", result.revision, "k")]
        if is_heard:
            async with outsider(database_url) as other:
                await other.run(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'statemount (watching)' AND datname = current_database()"
                )
            # What is written while nobody listens is found when somebody does again.
            result = await apps[1].service.tasks.set(TASK, "k", "lost")
            assert await told(watch) == [("set", result.revision, "k")]
        watch.close()


@pytest.mark.parametrize(
    ("url", "chosen", "heard"),
    [
        (PG, None, PG),
        (f"{PG}?statement_cache_size=0", None, None),
        (f"{PG}?statement_cache_size=0", PG, PG),
        (f"{PG}?statement_cache_size=10", None, f"{PG}?statement_cache_size=10"),
        (PG, "off", None),
        (PG, "postgres://other:5433/x", "postgres://other:5433/x"),
        ("mysql://db/x", None, None),
        ("mysql://db/x", "off", None),
        ("sqlite:///x.db", None, None),
    ],
)
def test_where_others_are_heard(url: str, chosen: str | None, heard: str | None) -> None:
    """On PostgreSQL at the database's URL, unless a pooler is in between or the setting says otherwise."""
    settings = Settings(database_url=SecretUrl(url), watch_listen_url=None if chosen is None else SecretUrl(chosen))
    found = listen_url(settings)
    assert (None if found is None else found.text) == heard


@pytest.mark.parametrize(("url", "chosen"), [("sqlite:///x.db", PG), ("mysql://db/x", PG), (PG, "mysql://db/x")])
def test_where_nobody_can_be_heard(url: str, chosen: str) -> None:
    """A URL at which no process of this database can be heard is refused when the app is made."""
    with pytest.raises(ConfigurationError, match="watch_listen_url is for PostgreSQL alone"):
        StateMount(url, watch_listen_url=chosen, jwt_secret="x" * 64)
