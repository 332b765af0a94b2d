"""Watches through the client: against the real app, and against servers that go away."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from statemount.auth.jwt import JWTAuth
from statemount.client import ContractVersion, StateEvent, UnexpectedAnswerError, Watch
from statemount.errors import (
    ForbiddenError,
    InvalidTokenError,
    KeyNotFoundError,
    TooManyWatchesError,
    UnavailableError,
)
from statemount.model import Writer
from statemount.mount import StateMount
from statemount.settings import Settings
from tests.client.support import (
    AUTH,
    SECRET,
    FaultyServer,
    Reaction,
    Rest,
    Way,
    World,
    answer,
    client_of,
    closing,
    done,
    running,
)
from tests.client.test_conditions import CONTRACTS, STATES, state_of

pytestmark = pytest.mark.anyio

PATIENCE = 30.0
TI_ID = UUID(int=1)


@asynccontextmanager
async def watching(watch: Any) -> AsyncIterator[Any]:
    """Hold a watch within the block."""
    if isinstance(watch, Watch):
        with watch as events:
            yield events
    else:
        async with watch as events:
            yield events


async def next_of(events: Any) -> StateEvent:
    """Return the next event."""
    if isinstance(events, Watch):
        found = await asyncio.wait_for(asyncio.to_thread(next, events), PATIENCE)
    else:
        found = await asyncio.wait_for(events.__anext__(), PATIENCE)
    assert isinstance(found, StateEvent)
    return found


@CONTRACTS
@pytest.mark.parametrize("kind", STATES)
async def test_changes_as_they_happen(kind: str, socket_world: World, contract: ContractVersion) -> None:
    """A watch tells from where on it tells, and then each change once, with what was done, when, and by whom."""
    client, state = state_of(kind, socket_world, contract=contract)
    is_task, is_public = kind.endswith("task"), kind.startswith("public")
    writer = Writer("api") if is_public else Writer.of_task(socket_world.scope)
    async with closing(client):
        before = await done(state.set("old", 1))
        async with watching(state.watch()) as events:
            assert events.revision is None
            assert await next_of(events) == StateEvent("ready", before)
            revision = await done(state.set("key", {"a": 1}))
            await done(state.delete("key"))
            await done(state.clear())
            change, deletion, clearance = [await next_of(events) for _ in range(3)]
            assert (change.kind, change.key, change.revision, change.size) == ("set", "key", revision, 8)
            assert (change.has_value, change.value) == ((False, None) if is_task else (True, {"a": 1}))
            assert (change.writer, change.expires_at is not None) == (writer, kind == "public task")
            assert change.at is not None
            assert abs(change.at - datetime.now(timezone.utc)) < timedelta(minutes=1)
            assert (deletion.kind, deletion.key, deletion.revision) == ("delete", "key", revision + 1)
            assert (clearance.kind, clearance.key, clearance.size) == ("clear", None, None)
            assert events.revision == clearance.revision == revision + 2


async def test_the_changes_of_one_key(socket_world: World) -> None:
    """A watch of a key tells its changes, and clears."""
    client, state = state_of("worker's asset", socket_world)
    async with closing(client), watching(state.watch("a/b")) as events:
        assert (await next_of(events)).kind == "ready"
        await done(state.batch().set("other", 1).set("a/b", 2).delete("other").send())
        await done(state.clear())
        assert [(one.kind, one.key) for one in (await next_of(events), await next_of(events))] == [
            ("set", "a/b"),
            ("clear", None),
        ]


async def test_a_watch_after_a_revision(socket_world: World) -> None:
    """A watch that begins after a revision tells what came since; one that cannot be told says: list again."""
    client, state = state_of("public asset", socket_world)
    async with closing(client):
        first = await done(state.set("a", 1))
        await done(state.set("b", 2))
        page = await done(state.list())
        async with watching(state.watch(after=first)) as events:
            assert (await next_of(events)).key == "b"
            await done(state.set("c", 3))
            assert (await next_of(events)).key == "c"
        async with watching(state.watch(after=page.revision)) as events:
            assert (await next_of(events)).key == "c"
        async with watching(state.watch(after=page.revision + 100)) as events:
            reset = await next_of(events)
            assert (reset.kind, reset.revision) == ("reset", page.revision + 1)


async def test_an_expired_entry(socket_way: Way) -> None:
    """An entry that expires is told, by nobody."""
    settings = Settings(sweep_interval_seconds=0.05)
    async with running(StateMount("memory://", auth=AUTH, settings=settings), socket_way) as world:
        client, state = state_of("worker's task", world)
        async with closing(client), watching(state.watch()) as events:
            await next_of(events)
            await done(state.set("key", 1, expires_at=datetime.now(timezone.utc) + timedelta(seconds=0.2)))
            change, end = await next_of(events), await next_of(events)
            assert (change.kind, end.kind, end.key, end.writer) == ("set", "expire", "key", None)


async def test_a_watch_that_is_closed(socket_world: World) -> None:
    """Whoever waits for an event when the watch is closed is told that there is none, at once."""
    client, state = state_of("worker's task", socket_world)
    async with closing(client):
        watch = state.watch()
        assert (await next_of(watch)).kind == "ready"
        if isinstance(watch, Watch):
            waiting = threading.Thread(target=list, args=[watch])
            waiting.start()
            await asyncio.sleep(0.05)
            began = time.monotonic()
            watch.close()
            await asyncio.to_thread(waiting.join, PATIENCE)
            assert not waiting.is_alive()
        else:

            async def wait() -> list[StateEvent]:
                return [event async for event in watch]

            task = asyncio.ensure_future(wait())
            await asyncio.sleep(0.05)
            began = time.monotonic()
            await watch.close()
            assert await asyncio.wait_for(task, PATIENCE) == []
        assert time.monotonic() - began < 5
        await done(watch.close())
        with pytest.raises((StopIteration, StopAsyncIteration)):
            next(watch) if isinstance(watch, Watch) else await watch.__anext__()


async def test_watches_that_may_not_be(socket_way: Way) -> None:
    """What a read is refused for, a watch is refused for; too many watches are an error of their own in the end."""
    settings = Settings(max_watches_per_identity=1)
    async with running(StateMount("memory://", auth=AUTH, settings=settings), socket_way) as world:
        async with closing(world.user(["state:write"])) as client:
            with pytest.raises(ForbiddenError):
                await next_of(STATES["public task"](client, world).watch())
        async with closing(world.client("nonsense")) as client:
            with pytest.raises(InvalidTokenError):
                await next_of(client.task_instance(world.ti_id).watch())
        rest = Rest()
        async with (
            closing(world.user()) as client,
            closing(world.user(**rest.options(socket_way))) as other,
            watching(STATES["public task"](client, world).watch()) as events,
        ):
            await next_of(events)
            with pytest.raises(TooManyWatchesError) as caught:
                await next_of(STATES["public task"](other, world).watch(patience=40))
            assert caught.value.is_own
        assert sum(rest.slept) <= 40


def stream(*events: tuple[int, str, dict[str, Any]], retry: int = 10) -> bytes:
    """Return an answer with events, which ends after them."""
    texts = [f"retry: {retry}\n\n:\n\n"]
    texts += [f"id: {number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n" for number, kind, data in events]
    return answer(200, "".join(texts), Content_Type="text/event-stream; charset=utf-8")


def change(revision: int) -> tuple[int, str, dict[str, Any]]:
    """Return the event of a change."""
    return revision, "set", {"revision": revision, "key": "k", "at": "2026-01-01T00:00:00Z", "size": 1, "writer": None}


READY = (7, "ready", {"revision": 7})
AWAY = answer(503, '{"detail": "Service unavailable"}')


async def told(server: FaultyServer, way: Way, number: int, rest: Rest, **options: Any) -> list[StateEvent]:
    """Return so many events that a server tells."""
    async with (
        closing(client_of(way, server.url, token="t", **rest.options(way))) as client,
        watching(client.task_instance(TI_ID).watch(**options)) as events,
    ):
        return [await next_of(events) for _ in range(number)]


async def test_a_server_that_goes_away(socket_way: Way) -> None:
    """A watch goes on after the last event, however its connection ends, and tries less and less often."""
    rest = Rest()
    reactions: list[Reaction] = [
        stream(READY, change(8)),
        AWAY,
        "reset",
        "cut",
        stream(change(9), change(10), retry=200),
        stream((12, "", {}), retry=200),
        answer(502, "<html>"),
        stream((20, "reset", {"revision": 20})),
    ]
    with FaultyServer(*reactions) as server:
        events = await told(server, socket_way, 5, rest)
    assert [(one.kind, one.revision) for one in events] == [
        ("ready", 7),
        ("set", 8),
        ("set", 9),
        ("set", 10),
        ("reset", 20),
    ]
    asked = [one.headers.get("last-event-id") for one in server.asked]
    assert asked == [None, "8", "8", "8", "8", "10", "12", "12"]
    assert {one.headers["accept"] for one in server.asked} == {"text/event-stream"}
    assert rest.slept == pytest.approx([0.01, 0.02, 0.04, 0.08, 0.2, 0.2, 0.4])


async def test_what_later_servers_may_tell(socket_way: Way) -> None:
    """Events and members that are not known are passed over; their places are kept."""
    rest = Rest()
    news = (9, "renamed", {"revision": 9})
    later = (10, "set", {**change(10)[2], "colour": "blue", "value": None})
    with FaultyServer(stream(READY, change(8), news), stream(later)) as server:
        events = await told(server, socket_way, 3, rest)
    assert [one.revision for one in events] == [7, 8, 10]
    assert events[-1].has_value
    assert server.asked[1].headers["last-event-id"] == "9"


@pytest.mark.parametrize(
    "events",
    [
        [(7, "set", {"key": "k"})],
        [(7, "set", {"revision": 7, "at": "yesterday"})],
        [(7, "set", {"revision": 7, "writer": "me"})],
        [(7, "ready", {"revision": None})],
    ],
    ids=str,
)
async def test_events_that_are_none(events: list[Any], socket_way: Way) -> None:
    """What cannot be an event of this server ends the watch with an error."""
    with FaultyServer(stream(*events)) as server, pytest.raises(UnexpectedAnswerError, match="is not understood"):
        await told(server, socket_way, 1, Rest())


@pytest.mark.parametrize(
    ("reaction", "kind", "words"),
    [
        (answer(200, "{}", Content_Type="application/json"), UnexpectedAnswerError, "no events"),
        (answer(405, '{"detail": "Method Not Allowed"}'), UnexpectedAnswerError, "405"),
        (answer(404, '{"detail": "Task state store key x not found"}'), KeyNotFoundError, "not found"),
        (answer(500), UnexpectedAnswerError, "500"),
    ],
    ids=["json", "405", "404", "500"],
)
async def test_answers_that_are_no_watch(reaction: bytes, kind: type[Exception], words: str, socket_way: Way) -> None:
    """A server that knows no watches, or refuses this one, is an error at once."""
    rest = Rest()
    with FaultyServer(reaction) as server, pytest.raises(kind, match=words):
        await told(server, socket_way, 1, rest, key="x")
    assert rest.slept == []


@pytest.mark.parametrize("reaction", [AWAY, "cut", answer(200, "", Content_Type="text/event-stream")])
async def test_a_server_that_stays_away(reaction: Reaction, socket_way: Way) -> None:
    """A server that is out of reach for longer than the watch has patience is an error."""
    rest = Rest()
    with FaultyServer(stream(READY), reaction) as server, pytest.raises(UnavailableError):
        await told(server, socket_way, 2, rest, patience=20)
    assert 15 < sum(rest.slept) <= 20


async def test_a_watch_without_an_end_of_patience(socket_way: Way) -> None:
    """Without a limit a watch tries for ever."""
    rest = Rest()
    with FaultyServer(stream(READY), *[AWAY] * 50, stream(change(8))) as server:
        events = await told(server, socket_way, 2, rest, patience=None)
    assert [one.revision for one in events] == [7, 8]
    assert sum(rest.slept) > 200
    assert max(rest.slept) == 5


async def test_a_token_that_is_renewed(socket_way: Way) -> None:
    """A watch connects again in time for the server to renew its token, once for each token."""
    now = 1_780_000_000.0
    auth = JWTAuth(secret=SECRET, clock=lambda: int(now * 1_000_000))
    old, new = (auth.tokens.worker(TI_ID, lifetime=lifetime) for lifetime in (600, 1200))
    rest = Rest(now=now + 590)
    head = answer(200, "", Content_Type="text/event-stream", Refreshed_API_Token=new)
    body = stream(READY).partition(b"\r\n\r\n")[2]
    first = head.replace(b"Content-Length: 0", b"Content-Length: %d" % len(body)) + body
    with FaultyServer(first, stream(change(8)), stream(change(9))) as server:
        async with (
            closing(client_of(socket_way, server.url, token=old, **rest.options(socket_way))) as client,
            watching(client.task_instance(TI_ID).watch()) as events,
        ):
            assert [(await next_of(events)).revision for _ in range(3)] == [7, 8, 9]
    assert [one.headers["authorization"] for one in server.asked] == [f"Bearer {one}" for one in (old, new, new)]
    assert len(rest.slept) == 1  # before the third, which the second has ended
