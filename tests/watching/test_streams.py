"""Watching over HTTP: what is sent, to whom, and for how long."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import pytest
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount
from typing_extensions import override

from statemount import HostAuth, Identity, StateMount
from statemount.auth import DefaultAuthorizer, JWTAuth
from statemount.directory.memory import MemoryDirectory
from statemount.errors import UnavailableError
from statemount.model import Scope, TaskScope, Writer
from statemount.operations import Clear, Delete, Set
from statemount.service.values import stored_text
from statemount.web.middleware import StateMiddleware
from tests.clock import SECOND
from tests.contract.rows import USER, Token
from tests.contract.transports import ask, ask_with_httpx, scope_of
from tests.contract.world import SECRET, Place, StillClock
from tests.watching.streams import EVENTS, Sent, Stream, streaming
from tests.watching.support import until

pytestmark = pytest.mark.anyio

TASK_PATHS = [
    ("/execution/store/ti/<ti>", None),
    ("/execution/store/ti/<ti-hex-upper>", None),
    ("/execution/store/ti/<ti>/a/k", "a/k"),
    ("/execution/state/ti/<ti>", None),
    ("/execution/state/ti/<ti>/a/k", "a/k"),
    ("/api/v2/dags/dag/dagRuns/<run>/taskInstances/task/state-store", None),
    ("/api/v2/dags/dag/dagRuns/<run>/taskInstances/task/state-store/a/k?map_index=-1", "a/k"),
    ("/api/v2/dags/dag/dagRuns/<run>/taskInstances/task/states", None),
    ("/api/v2/dags/dag/dagRuns/<run>/taskInstances/task/states/a/k", "a/k"),
]
ASSET_PATHS = [
    ("/execution/store/asset/by-name?name=<name%>", None),
    ("/execution/store/asset/by-name/value?name=<name%>&key=a/k", "a/k"),
    ("/execution/store/asset/by-uri?uri=<name-uri%>", None),
    ("/execution/store/asset/by-uri/value?uri=<name-uri%>&key=a/k", "a/k"),
    ("/execution/state/asset/<name%>", None),
    ("/execution/state/asset/<name%>/a/k", "a/k"),
    ("/api/v2/assets/<name-id>/state-store", None),
    ("/api/v2/assets/<name-id>/state-store/a/k", "a/k"),
    ("/api/v2/assets/<name-id>/states", None),
    ("/api/v2/assets/<name-id>/states/a/k", "a/k"),
]


@pytest.fixture
def clock() -> StillClock:
    """Return the clock of every part."""
    return StillClock()


@pytest.fixture
async def state(clock: StillClock) -> AsyncIterator[StateMount]:
    """Return a running app in memory: what a database does is another test's concern."""
    async with make_state(None, clock) as app:
        yield app


@pytest.fixture
async def place(state: StateMount, clock: StillClock) -> Place:
    """Return a task instance and assets of that app."""
    return await Place.make(state, clock)


class Served(StateMount):
    """An app that is started and stopped with a block."""

    async def __aenter__(self) -> StateMount:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def make_state(url: str | None, clock: StillClock, **options: Any) -> Served:
    """Return an app, whose watches have signs of life only when they are asked for."""
    options.setdefault("watch_heartbeat_seconds", 600)
    options.setdefault("auth", JWTAuth(secret=SECRET, watchers=True, clock=clock))
    return Served(url or "memory://", authorizer=DefaultAuthorizer(), clock=clock, **options)


def headers_of(place: Place, target: str, **more: str) -> dict[str, str]:
    """Return the headers of whoever may ask for a target."""
    token = place.words["<own>"] if target.startswith("/execution") else place.token(USER)
    return {"authorization": f"Bearer {token}", **more}


def watching(place: Place, target: str, **more: str) -> Any:
    """Watch, for the length of a block."""
    target = place.fill(target)
    return streaming(place.state, target, headers_of(place, target, **more))


async def put(place: Place, scope: Scope, *keys: str, value: Any = 1, expires_at: int | None = None) -> int:
    """Set keys, in one write; return the scope's revision."""
    operations = [Set(key, stored_text(value), expires_at) for key in keys]
    outcome = await place.state.service.store.apply(scope, operations, writer=Writer("api", subject="alice"))
    return outcome.revision


@pytest.mark.parametrize(("target", "key"), [*TASK_PATHS, *ASSET_PATHS])
async def test_every_collection_and_key_is_watched(place: Place, target: str, key: str | None) -> None:
    """Each route that has state can be watched: first it says where that is, then it tells each change."""
    scope: Scope = place.asset if "asset" in target else place.scope
    before = await put(place, scope, "old")
    async with watching(place, target) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == EVENTS
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"
        assert ("airflow-api-version" in stream.headers) is target.startswith("/execution")
        retry = await stream.block()
        assert 1000 <= int(retry.removeprefix("retry: ")) <= 3000
        assert await stream.event() == Sent("ready", before, {"revision": before})
        await put(place, scope, "other", "a/k")
        expected = [before + 2] if key else [before + 1, before + 2]
        assert [(each.kind, each.id) for each in await stream.events(len(expected))] == [
            ("set", revision) for revision in expected
        ]
        await place.state.service.store.apply(scope, [Clear()], writer=None)
        assert (await stream.event()).kind == "clear"
    async with watching(place, target, **{"last-event-id": str(before)}) as stream:
        assert [each.id for each in await stream.events(len(expected) + 1)] == [*expected, before + 3]


async def test_what_a_change_says(backend_url: str | None, clock: StillClock) -> None:
    """Each kind of change says what there is to say of it; of a task there is no value unless the log keeps it."""
    async with make_state(backend_url, clock) as state:
        place = await Place.make(state, clock)
        async with (
            watching(place, "/execution/store/ti/<ti>") as task,
            watching(place, "/api/v2/assets/<name-id>/states") as asset,
        ):
            assert [(await stream.event()).id for stream in (task, asset)] == [0, 0]
            value = {"a": ["\u00e9\n\r\u2028", 1.50]}
            last = await put(place, place.scope, "k\u00e9\n", value=value, expires_at=clock.now + 5 * SECOND)
            noon, size = "2026-11-20T12:00:00Z", len(stored_text(value))
            by_api = {"kind": "api", "dag_id": None, "run_id": None, "task_id": None, "map_index": None}
            said = {"revision": last, "key": "k\u00e9\n", "at": noon, "size": size, "writer": by_api}
            assert await task.event() == Sent("set", last, {**said, "expires_at": "2026-11-20T12:00:05Z"})

            last = await put(place, place.asset, "k", value=value)
            said = {"revision": last, "key": "k", "at": noon, "size": size, "writer": by_api}
            assert await asset.event() == Sent("set", last, {**said, "value": value})

            headers = {**headers_of(place, "/execution"), "content-type": "application/json"}
            answer = await ask(state, "PUT", place.fill("/execution/store/ti/<ti>/k"), headers, b'{"value": 1}')
            assert answer.status == 204
            told = await task.event()
            assert (told.data["expires_at"], told.data["size"]) == (None, 1)
            ids = {"dag_id": "dag", "run_id": place.scope.run_id, "task_id": "task", "map_index": -1}
            assert told.data["writer"] == {"kind": "task", **ids}

            clock.advance(0.5)
            outcome = await state.service.store.apply(place.scope, [Delete("k"), Clear()], writer=None)
            last, later = outcome.revision, "2026-11-20T12:00:00.500000Z"
            assert await task.events(2) == [
                Sent("delete", last - 1, {"revision": last - 1, "key": "k", "at": later, "writer": None}),
                Sent("clear", last, {"revision": last, "at": later, "writer": None}),
            ]

            last = await put(place, place.scope, "x", expires_at=clock.now + SECOND)
            assert (await task.event()).kind == "set"
            clock.advance(2)
            assert await state.service.store.sweep() == 1
            later = "2026-11-20T12:00:02.500000Z"
            assert await task.event() == Sent(
                "expire", last + 1, {"revision": last + 1, "key": "x", "at": later, "writer": None}
            )


async def test_a_value_that_is_stored_otherwise(place: Place) -> None:
    """A stored text with line breaks is still one line; one that is no JSON is null."""
    async with watching(place, "/api/v2/assets/<name-id>/states") as stream:
        await stream.event()
        for text, value in (('{"a":\r\n[1,\n2]}', {"a": [1, 2]}), ("{no json\n", None)):
            await place.state.service.store.apply(place.asset, [Set("k", text)], writer=None)
            told = await stream.event()
            assert (told.data["value"], told.data["writer"]) == (value, None)


@pytest.mark.parametrize("named_in", ["header", "query"])
async def test_where_a_watch_begins(named_in: str, backend_url: str | None, clock: StillClock) -> None:
    """Whoever says what it knows is told what came after, and nothing else; a revision that is none is told so."""
    async with make_state(backend_url, clock) as state:
        place = await Place.make(state, clock)
        first = await put(place, place.scope, "a")
        last = await put(place, place.scope, "a", "b")
        expected: dict[int, list[tuple[str, int]]] = {
            0: [("set", first), ("set", last - 1), ("set", last)],
            1: [("reset", last)],
            first: [("set", last - 1), ("set", last)],
            last - 1: [("set", last)],
            last: [],
            last + 5: [("reset", last)],
            2**63 - 1: [("reset", last)],
        }
        async with AsyncExitStack() as stack:
            streams: list[Stream] = []
            for known, events in expected.items():
                if named_in == "header":  # which comes first
                    opened = watching(
                        place, "/execution/store/ti/<ti>?last_event_id=1", **{"last-event-id": str(known)}
                    )
                else:
                    opened = watching(place, f"/execution/store/ti/<ti>?last_event_id={known}", **{"last-event-id": ""})
                streams.append(await stack.enter_async_context(opened))
                assert [(each.kind, each.id) for each in await streams[-1].events(len(events))] == events
            later = await put(place, place.scope, "c")
            for stream in streams:
                assert [(each.kind, each.id) for each in await stream.events(1)] == [("set", later)]


@pytest.mark.parametrize("known", ["x", "-1", "1.5", str(2**63), "9" * 5000, "1\u00e9"])
async def test_a_revision_that_is_none(place: Place, known: str) -> None:
    """What cannot be a revision is refused, and the answer says where it stood."""
    target = place.fill("/execution/store/ti/<ti>")
    headers = headers_of(place, target, accept=EVENTS)
    answer = await ask(place.state, "GET", target, {**headers, "last-event-id": known}, None)
    assert answer.status == 422
    assert [problem["loc"] for problem in json.loads(answer.body)["detail"]] == [["header", "last-event-id"]]
    if known.isascii():
        answer = await ask(place.state, "GET", f"{target}?last_event_id={known}", headers, None)
        assert answer.status == 422
        assert [problem["loc"] for problem in json.loads(answer.body)["detail"]] == [["query", "last_event_id"]]


@pytest.mark.parametrize(
    ("accept", "is_watch"),
    [
        (EVENTS, True),
        ("application/json, Text/Event-Stream;q=0.5", True),
        ("text/event-stream; charset=utf-8", True),
        ("*/*", False),
        ("text/*", False),
        ("application/json", False),
        ("text/event-stream;q=0", False),
        ("text/event-streams", False),
        ("", False),
    ],
)
async def test_only_who_asks_for_events_is_sent_them(place: Place, accept: str, is_watch: bool) -> None:
    """``Accept`` must name them; for everybody else nothing has changed, and ``Allow`` is as it was."""
    await put(place, place.scope, "k")
    for target, status, allow in (
        ("/execution/store/ti/<ti>/k", 200, None),
        ("/execution/store/ti/<ti>", 405, "DELETE, POST"),
        ("/execution/state/asset/<name%>", 405, "DELETE, POST"),
        ("/execution/store/asset/by-name?name=<name%>", 405, "POST"),
    ):
        async with watching(place, target, accept=accept) as stream:
            assert stream.status == (200 if is_watch else status)
            assert (stream.headers["content-type"] == EVENTS) is is_watch
            assert stream.headers.get("allow") == (None if is_watch else allow)


async def test_head(place: Place) -> None:
    """HEAD is answered at once, with what a watch would begin with."""
    for path in ("/execution/store/ti/<ti>", "/execution/store/ti/<ti>/k", "/api/v2/assets/<name-id>/states"):
        target = place.fill(path)
        headers = headers_of(place, target, accept=EVENTS)
        for answer in (
            await ask(place.state, "HEAD", target, headers, None),
            await ask_with_httpx(place.state, "HEAD", target, headers, None),
        ):
            assert (answer.status, answer.headers["content-type"], answer.body) == (200, EVENTS, b"")
        answer = await ask(place.state, "HEAD", target, {**headers, "last-event-id": "x"}, None)
        assert answer.status == 422


@pytest.mark.parametrize(
    ("target", "token", "status"),
    [
        ("/execution/store/ti/<ti>", None, 401),
        ("/execution/store/ti/<ti>", "broken", 403),
        ("/execution/store/ti/<other>/k", "<own>", 403),
        ("/execution/store/ti/<missing>", "<missing>", 404),
        ("/execution/store/ti/<ti>/", "<own>", 422),
        ("/execution/store/asset/by-name?name=<foreign%>", "<own>", 403),
        ("/execution/store/asset/by-name?name=<unknown%>", "<own>", 404),
        ("/execution/store/asset/by-name", "<own>", 422),
        ("/execution/store/asset/by-name/value?name=<name%>", "<own>", 422),
        ("/api/v2/assets/<name-id>/states", "<own>", 403),
        ("/api/v2/assets/<unknown-id>/states", "<user>", 404),
        ("/api/v2/assets/x/states", "<user>", 422),
        ("/api/v2/dags/dag/dagRuns/run/taskInstances/task/states?map_index=-2", "<user>", 422),
    ],
)
async def test_refusals_are_those_of_a_get(place: Place, target: str, token: str | None, status: int) -> None:
    """Who may not get, or gets nothing, does not watch either."""
    if token == "<missing>":
        token = place.token(Token({"sub": "<missing>"}))
    headers = {"accept": EVENTS}
    if token is not None:
        headers["authorization"] = f"Bearer {place.fill(token)}"
    answer = await ask(place.state, "GET", place.fill(target), headers, None)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"


async def test_nobody_asks_whether_the_task_instance_exists(place: Place) -> None:
    """As for a get over the public API: what does not exist yet is watched until it does."""
    target = "/api/v2/dags/new/dagRuns/run/taskInstances/task/states"
    async with watching(place, target) as stream:
        assert await stream.event() == Sent("ready", 0, {"revision": 0})
        last = await put(place, TaskScope("new", "run", "task"), "k")
        assert (await stream.event()).id == last


async def test_a_reader_that_leaves(place: Place) -> None:
    """When the reader goes away its watch is over at once, and nothing of it is left."""
    async with watching(place, "/execution/store/ti/<ti>") as stream:
        await stream.event()
        hub = place.state._runtimes.running().hub  # type: ignore[union-attr]
        assert len(hub) == 1
        stream.leave()
        await stream.ended()
        assert (len(hub), hub.is_told) == (
            0,
            place.state.settings.database_url.get_secret_value().startswith("postgresql"),
        )
        assert not stream.is_complete


async def test_a_server_that_cannot_send(place: Place) -> None:
    """When sending fails the watch is over, without a word: nobody is there to hear it."""
    broken = Stream()

    async def refuse(message: Any) -> None:
        if message["type"] == "http.response.body":
            raise RuntimeError("the connection is closed")

    target = place.fill("/execution/store/ti/<ti>")
    await place.state(scope_of("GET", target, headers_of(place, target, accept=EVENTS)), broken.receive, refuse)
    assert len(place.state._runtimes.running().hub) == 0  # type: ignore[union-attr]


async def test_a_request_that_is_cancelled(place: Place) -> None:
    """A server that cancels a request ends its watch, and is told so."""
    async with watching(place, "/execution/store/ti/<ti>") as stream:
        await stream.event()
        stream.task.cancel()
        await stream.ended()
        assert stream.task.cancelled()
    assert len(place.state._runtimes.running().hub) == 0  # type: ignore[union-attr]


async def test_the_stop(backend_url: str | None, clock: StillClock) -> None:
    """When the app stops, every stream ends in order, idle or not."""
    state = make_state(backend_url, clock)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(state)
        place = await Place.make(state, clock)
        streams = [
            await stack.enter_async_context(watching(place, target))
            for target in ("/execution/store/ti/<ti>", "/execution/store/ti/<ti>/k", "/api/v2/assets/<name-id>/states")
        ]
        for stream in streams:
            await stream.event()
        await state.stop()
        for stream in streams:
            assert await stream.ended() == ""
            assert stream.is_complete


async def test_a_host_that_says_that_its_server_stops(place: Place) -> None:
    """Then every stream ends in order, and a new one is refused for a while."""
    async with watching(place, "/execution/store/ti/<ti>") as stream:
        await stream.event()
        place.state.end_watches()
        assert await stream.ended() == ""
        assert stream.is_complete
        target = place.fill("/execution/store/ti/<ti>")
        answer = await ask(place.state, "GET", target, headers_of(place, target, accept=EVENTS), None)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        answer = await ask(place.state, "PUT", f"{target}/k", {
            **headers_of(place, target), "content-type": "application/json",
        }, b'{"value": 1}')  # fmt: skip
        assert answer.status == 204


async def test_it_is_no_matter_to_who_has_not_begun() -> None:
    """An app that was never used has no watches to end."""
    StateMount("memory://", jwt_secret=SECRET).end_watches()


async def test_limits(clock: StillClock) -> None:
    """Too many watches of one caller are 429, too many in all 503; both say when to try again, and what it is."""
    async with make_state(None, clock, max_watches=3, max_watches_per_identity=2) as state:
        place = await Place.make(state, clock)
        target = place.fill("/execution/store/ti/<ti>")
        other = place.fill("/api/v2/assets/<name-id>/states")
        headers = headers_of(place, target, accept=EVENTS)
        async with watching(place, target), watching(place, target):
            answer = await ask(state, "GET", target, headers, None)
            assert (answer.status, answer.headers["retry-after"]) == (429, "10")
            assert json.loads(answer.body) == {"detail": "Too many watches of this caller are open"}
            async with watching(place, other) as third:
                assert third.status == 200
                user = headers_of(place, other, accept=f"{EVENTS}, application/problem+json")
                answer = await ask(state, "GET", other, user, None)
                assert (answer.status, answer.headers["retry-after"]) == (503, "10")
                assert json.loads(answer.body)["type"] == "urn:statemount:problem:too-many-watches"
        async with watching(place, target) as again:
            assert again.status == 200


async def test_signs_of_life(backend_url: str | None, clock: StillClock) -> None:
    """Whoever is told nothing gets a comment; who watches a key gets with it how far the scope has moved on."""
    async with make_state(backend_url, clock, watch_heartbeat_seconds=0.2) as state:
        place = await Place.make(state, clock)
        async with (
            watching(place, "/execution/store/ti/<ti>") as whole,
            watching(place, "/execution/store/ti/<ti>/k") as key,
        ):
            for stream in (whole, key):
                await stream.event()
                assert [await stream.block() for _ in range(2)] == [":", ":"]
            last = await put(place, place.scope, "other")
            assert (await whole.event()).id == last
            blocks = [await key.block() for _ in range(4)]
            assert f":\nid: {last}" in blocks
            assert set(blocks) <= {":", f":\nid: {last}"}


async def test_a_token_that_expires(clock: StillClock) -> None:
    """The stream ends when the token does."""
    async with make_state(None, clock) as state:
        place = await Place.make(state, clock)
        target = place.fill("/execution/store/ti/<ti>")
        token = place.token(Token({"exp": 0.3}))
        async with streaming(state, target, {"authorization": f"Bearer {token}"}) as stream:
            await stream.event()
            assert await stream.ended() == ""
            assert stream.is_complete


async def test_a_token_that_has_expired_by_the_time_of_the_next_look(clock: StillClock) -> None:
    """A token that was accepted because clocks may differ counts until it is looked at again, and no longer."""
    async with make_state(None, clock, watch_heartbeat_seconds=0.2) as state:
        place = await Place.make(state, clock)
        target = place.fill("/execution/store/ti/<ti>")
        token = place.token(Token({"exp": -5}))
        async with streaming(state, target, {"authorization": f"Bearer {token}"}) as stream:
            await stream.event()
            assert await stream.block() == ":"
            clock.advance(10)
            await stream.ended()
            assert stream.is_complete


@pytest.mark.parametrize("target", ["/execution/store/ti/<ti>/k", "/execution/store/asset/by-name?name=<name%>"])
async def test_what_is_withdrawn(target: str, clock: StillClock) -> None:
    """A task instance that is removed, or an asset that is deactivated, is watched no longer."""
    async with make_state(None, clock, watch_heartbeat_seconds=0.2, directory_cache_seconds=0) as state:
        place = await Place.make(state, clock)
        async with watching(place, target) as stream:
            await stream.event()
            assert await stream.block() == ":"
            if "asset" in target:
                await state.directory.deactivate_asset(place.asset.asset_id or 0)
            else:
                await state.directory.remove_task_instance(UUID(place.words["<ti>"]))
            await stream.ended()
            assert stream.is_complete


async def test_another_asset_of_the_same_name(clock: StillClock) -> None:
    """A name that has become another asset's does not lead a watch there: it ends."""
    async with make_state(None, clock, watch_heartbeat_seconds=0.2, watchers="all") as state:
        place = await Place.make(state, clock)
        token = place.token(Token({"sub": "00000000-0000-0000-0000-000000000000", "assets": ["moved"]}))
        first = await state.directory.register_asset(name="moved", uri="s3://a/1")
        target = "/execution/store/asset/by-name?name=moved"
        async with streaming(state, target, {"authorization": f"Bearer {token}"}) as stream:
            await stream.event()
            await state.directory.deactivate_asset(first.asset_id)
            second = await state.directory.register_asset(name="moved", uri="s3://a/2")
            assert second.asset_id != first.asset_id
            await stream.ended()
            assert stream.is_complete


class Doubtful(MemoryDirectory):
    """A directory that fails when it is told to."""

    error: Exception | None = None

    @override
    async def task_scope(self, *arguments: Any) -> TaskScope | None:
        if self.error is not None:
            raise self.error
        return await super().task_scope(*arguments)


async def test_a_directory_that_cannot_be_asked(clock: StillClock, caplog: pytest.LogCaptureFixture) -> None:
    """A watch goes on for a while though nobody knows whether it may, and not for ever; a bug ends it at once."""
    directory = Doubtful(clock=clock)
    async with make_state(None, clock, watch_heartbeat_seconds=0.2, directory=directory) as state:
        place = await Place.make(state, clock)
        async with watching(place, "/execution/store/ti/<ti>") as stream:
            await stream.event()
            directory.error = UnavailableError("it is down")
            assert [await stream.block() for _ in range(2)] == [":", ":"]
            directory.error = None
            assert [await stream.block() for _ in range(2)] == [":", ":"]
            directory.error = UnavailableError("it is down again")
            await stream.ended()
            assert stream.is_complete
        directory.error = None
        async with watching(place, "/execution/store/ti/<ti>") as stream:
            await stream.event()
            directory.error = ZeroDivisionError("a bug")
            await stream.ended()
            assert stream.is_complete
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.message for record in errors] == ["a watch is over, for it is not known whether it may go on"]
    assert errors[0].exc_info is not None


async def test_a_host_that_knows_its_callers(clock: StillClock) -> None:
    """The host's own authentication is asked again, too, with the head of the request."""
    known = {"alice"}

    def identify(connection: Any) -> Identity | None:
        name = connection.headers.get("x-user")
        return Identity(name, permissions=frozenset({"state:read"})) if name in known else None

    async with make_state(None, clock, watch_heartbeat_seconds=0.2, auth=HostAuth(identify)) as state:
        target = "/api/v2/dags/dag/dagRuns/run/taskInstances/task/states"
        async with streaming(state, target, {"x-user": "alice"}) as stream:
            assert (await stream.event()).kind == "ready"
            assert await stream.block() == ":"
            known.clear()
            await stream.ended()
            assert stream.is_complete


async def test_a_slow_reader(clock: StillClock) -> None:
    """Who takes nothing is cut off, while others are told everything; nothing was kept for it."""
    async with make_state(None, clock, watch_heartbeat_seconds=1.2) as state:
        place = await Place.make(state, clock)
        async with (
            watching(place, "/execution/store/ti/<ti>") as slow,
            watching(place, "/execution/store/ti/<ti>") as quick,
        ):
            for stream in (slow, quick):
                await stream.event()
            slow.takes.clear()
            last = await put(place, place.scope, "a", "b")
            assert [each.id for each in await quick.events(2)] == [last - 1, last]
            await slow.ended()
            assert not slow.is_complete
            assert not slow.task.cancelled()
            last = await put(place, place.scope, "c")
            assert (await quick.event()).id == last


async def test_a_slow_reader_at_the_stop(clock: StillClock) -> None:
    """The app's stop does not wait for it."""
    state = make_state(None, clock)
    await state.start()
    place = await Place.make(state, clock)
    async with watching(place, "/execution/store/ti/<ti>") as slow:
        await slow.event()
        slow.takes.clear()
        await put(place, place.scope, "a")
        state.end_watches()
        await slow.ended()
        assert not slow.is_complete
        await state.stop()


@pytest.mark.parametrize("wrapped", ["mount", "middleware", "base middleware"])
async def test_inside_a_host(wrapped: str, clock: StillClock) -> None:
    """Behind mounts and middlewares a watch begins, goes on and ends as anywhere else."""
    async with make_state(None, clock) as state:
        place = await Place.make(state, clock)

        async def pass_on(request: Any, call_next: Any) -> Any:
            return await call_next(request)

        hosts: dict[str, Any] = {
            "mount": Starlette(routes=[Mount("/state", app=state)]),
            "middleware": StateMiddleware(Starlette(), state=state, prefix="/state"),
            "base middleware": BaseHTTPMiddleware(Starlette(routes=[Mount("/state", app=state)]), dispatch=pass_on),
        }
        target = place.fill("/state/execution/store/ti/<ti>")
        async with streaming(hosts[wrapped], target, headers_of(place, "/execution")) as stream:
            assert stream.headers["content-type"] == EVENTS
            await stream.event()
            last = await put(place, place.scope, "k")
            assert (await stream.event()).id == last
            hub = state._runtimes.running().hub  # type: ignore[union-attr]
            assert len(hub) == 1
            stream.leave()
            await until(lambda: len(hub) == 0)
        async with streaming(hosts[wrapped], target, headers_of(place, "/execution")) as stream:
            await stream.event()
            state.end_watches()
            assert await stream.ended() == ""
            assert stream.is_complete


async def test_the_route_sets_alone(place: Place) -> None:
    """Each route set can be watched where it is mounted by itself."""
    target = place.fill("/store/ti/<ti>")
    async with streaming(place.state.execution, target, headers_of(place, "/execution")) as stream:
        assert (await stream.event()).kind == "ready"
    target = place.fill("/assets/<name-id>/states")
    async with streaming(place.state.public, target, headers_of(place, "/api")) as stream:
        assert (await stream.event()).kind == "ready"


async def test_a_renewed_token(clock: StillClock) -> None:
    """A token that is about to expire is renewed in the head of the stream, as in any answer."""
    async with make_state(None, clock) as state:
        place = await Place.make(state, clock)
        token = place.token(Token({"exp": 20}))
        target = place.fill("/execution/store/ti/<ti>")
        headers = {"authorization": f"Bearer {token}", "correlation-id": "c-1"}
        async with streaming(state, target, headers) as stream:
            assert stream.headers["refreshed-api-token"]
            assert stream.headers["correlation-id"] == "c-1"


async def test_in_process(place: Place) -> None:
    """A scheduler in the same process watches without HTTP."""
    watch = await place.state.service.watches.watch(place.asset, key="k")
    try:
        events = await watch.next()
        assert events is not None
        assert [event.kind for event in events] == ["ready"]
        last = await put(place, place.asset, "k")
        events = await asyncio.wait_for(watch.next(), 30)
        assert events is not None
        (event,) = events
        assert event.change is not None
        assert (event.revision, event.change.key, event.change.value) == (last, "k", "1")
    finally:
        watch.close()
