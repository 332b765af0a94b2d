"""Revoked tokens over HTTP, on every store: refused at once here, and in every other process within five seconds."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest

from statemount.auth import HostAuth, JWTAuth
from statemount.interfaces import Identity
from statemount.mount import StateMount
from statemount.settings import Settings
from tests.contract.rows import USER, Token
from tests.contract.transports import Answer, ask_with_httpx, scope_of
from tests.contract.world import NOON, SECRET, Place, StillClock
from tests.databases import Databases

pytestmark = pytest.mark.anyio

_REVOCATIONS = "/api/v2/directory/revocations"


@pytest.fixture
async def place(state: StateMount, clock: StillClock) -> Place:
    """Return a place of the test's own."""
    return await Place.make(state, clock)


async def _ask(place: Place, token: str, request: str = "GET /execution/store/ti/<ti>/k", body: Any = None) -> Answer:
    method, _, target = place.fill(request).partition(" ")
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    content = None if body is None else json.dumps(body).encode()
    return await ask_with_httpx(place.state, method, target, headers, content)


async def _revoke(place: Place, body: Any, token: Token = USER) -> Answer:
    return await _ask(place, place.token(token), f"POST {_REVOCATIONS}", body)


def _jti(token: str) -> str:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    jti: str = claims["jti"]
    return jti


def _is_refused(answer: Answer) -> bool:
    if answer.status != 403:
        return False
    assert json.loads(answer.body) == {"detail": "Invalid auth token"}
    assert "refreshed-api-token" not in answer.headers
    return True


async def test_ended_task_instance(place: Place) -> None:
    """Every token of a task instance that has ended is refused, remembered or new, on every route; the state stays."""
    await place.seed(place.scope, {"k": 1})
    token = place.token(Token())
    assert (await _ask(place, token)).status == 200
    assert (await _revoke(place, {"task_instance_id": place.fill("<ti>")})).status == 204
    for one in (token, place.token(Token({"exp": 20})), place.token(Token({"sub": "<ti-hex>"}))):
        for request in ("GET /execution/store/ti/<ti>/k", "GET /execution/nope", "DELETE /execution/state/ti/<ti>"):
            answer = await _ask(place, one, request)
            assert _is_refused(answer) or (answer.status, "nope" in request) == (404, True)
            assert "refreshed-api-token" not in answer.headers
    assert await place.values(place.scope) == {"k": 1}
    assert (
        await _ask(place, place.token(Token({"sub": "<other>"})), "GET /execution/store/ti/<other>/k")
    ).status == 404


async def test_one_token(place: Place) -> None:
    """A token is revoked by its ``jti`` with those that it was renewed to; others of its task instance go on."""
    first, other = place.token(Token({"exp": 20})), place.token(Token())
    renewed = (await _ask(place, first)).headers["refreshed-api-token"]
    place.clock.advance(590)
    again = (await _ask(place, renewed)).headers["refreshed-api-token"]
    assert _jti(again) != _jti(renewed) != _jti(first)
    assert (await _revoke(place, {"jti": _jti(first)})).status == 204
    assert all([_is_refused(await _ask(place, token)) for token in (renewed, again)])
    assert (await _ask(place, other)).status == 404


async def test_public_token(place: Place) -> None:
    """A token for the public API is revoked by its ``jti`` alike, and told so as any that is not accepted."""
    token = place.token(USER)
    assert (await _revoke(place, {"jti": _jti(token)})).status == 204
    answer = await _ask(place, token, "GET /api/v2/directory/assets")
    assert (answer.status, json.loads(answer.body)) == (403, {"detail": "Invalid JWT token"})


async def test_time(place: Place) -> None:
    """A revocation ends when it is told to, and after 30 days if it is not."""
    place.clock.now = NOON
    day = 24 * 60 * 60
    long = Token({"exp": 40 * day})
    tokens = [place.token(long), place.token(Token({"sub": "<other>", "exp": 40 * day}))]
    paths = ["GET /execution/store/ti/<ti>/k", "GET /execution/store/ti/<other>/k"]
    moment = "2026-11-20T12:01:00Z"
    assert (await _revoke(place, {"task_instance_id": place.fill("<ti>"), "expires_at": moment})).status == 204
    assert (await _revoke(place, {"task_instance_id": place.fill("<other>"), "expires_at": None})).status == 204
    for seconds, refused in ((59, [True, True]), (30 * day - 60, [False, True]), (1, [False, False])):
        place.clock.advance(seconds)
        await _revoke(
            place, {"jti": f"{uuid4()}"}
        )  # what is remembered is forgotten: this process's clock stands still
        assert [
            _is_refused(await _ask(place, token, path)) for token, path in zip(tokens, paths, strict=True)
        ] == refused


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"jti": ""},
        {"jti": None},
        {"jti": "a" * 251},
        {"jti": "a\0"},
        {"jti": "\ud800"},
        {"jti": 7},
        {"task_instance_id": "me"},
        {"task_instance_id": str(UUID(int=1)), "jti": "a"},
        {"jti": "a", "expires_at": "2026-11-20T12:00:00"},
        {"jti": "a", "expires_at": "9999-12-31T23:59:59-12:00"},
        {"jti": "a", "more": 1},
    ],
    ids=repr,
)
async def test_malformed(place: Place, body: Any) -> None:
    """What names nothing, too much or something impossible is 422."""
    assert (await _revoke(place, body)).status == 422


async def test_odd_token(place: Place) -> None:
    """A ``jti`` that cannot be revoked harms nobody."""
    await _revoke(place, {"jti": "something"})
    for jti in (7, None, "", "a" * 1000, ["something"], "a\0", {"something": 1}):
        for name in ("jti", "origin_jti"):
            assert (await _ask(place, place.token(Token({name: jti})))).status == 404


@pytest.mark.parametrize(
    ("claims", "known", "unknown", "jti"),
    [
        ({"scope": "state:write directory:read"}, 403, 403, 403),
        ({"dags": ["dag"]}, 204, 403, 403),
        ({"dags": ["other"]}, 403, 403, 403),
        ({"dags": ["*"]}, 204, 204, 204),
        ({"assets": []}, 204, 204, 204),
    ],
)
async def test_permission(place: Place, claims: dict[str, Any], known: int, unknown: int, jti: int) -> None:
    """It takes ``directory:write``, on the dag of what is revoked: of what belongs to nobody known, on every dag."""
    token = Token({**USER.changes, **claims})
    assert (await _revoke(place, {"task_instance_id": place.fill("<other>")}, token)).status == known
    assert (await _revoke(place, {"task_instance_id": place.fill("<missing>")}, token)).status == unknown
    assert (await _revoke(place, {"jti": "a"}, token)).status == jti


async def test_elsewhere(backend_kind: str, databases: Databases, clock: StillClock) -> None:
    """What one process revokes, another refuses that shares the database."""
    if backend_kind == "memory":
        here = there = StateMount("memory://", auth=JWTAuth(secret=SECRET, clock=clock), clock=clock)
    else:
        url = databases.clean(backend_kind)
        here, there = (
            StateMount(url, auth=JWTAuth(secret=SECRET, clock=clock), clock=clock, directory_cache_seconds=0)
            for _ in range(2)
        )
    async with here.lifespan(), there.lifespan():
        place = await Place.make(here, clock)
        token = place.token(Token())
        place.state = there
        assert (await _ask(place, token)).status == 404
        await here.revoke_task_instance(UUID(place.words["<ti>"]))
        assert _is_refused(await _ask(place, token))


async def test_in_process(place: Place) -> None:
    """A host revokes without HTTP, and a host's own identities are revoked by their task instance too."""
    await place.seed(place.scope, {"k": 1})
    token = place.token(Token())
    await place.state.revoke_task_instance(UUID(place.words["<ti>"]))
    assert _is_refused(await _ask(place, token))
    await place.state.revoke_token(_jti(place.fill("<user>")))
    assert (await _ask(place, place.fill("<user>"), "GET /api/v2/directory/assets")).status == 403


async def test_open_watch() -> None:
    """A watch ends, without a renewed token, once the credentials are revoked that it was begun with."""
    clock = StillClock()
    auth = JWTAuth(secret=SECRET, clock=clock)
    state = StateMount("memory://", auth=auth, clock=clock, watch_heartbeat_seconds=0.1)
    async with state.lifespan():
        place = await Place.make(state, clock)
        scope = scope_of("GET", place.fill("/execution/store/ti/<ti>"), {"accept": "text/event-stream"})
        scope["headers"].append((b"authorization", f"Bearer {place.token(Token())}".encode()))
        sent: list[Any] = []
        has_begun = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()  # the reader stays
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)
            if message.get("body"):
                has_begun.set()

        watch = asyncio.create_task(state(scope, receive, send))
        await has_begun.wait()
        await state.revoke_task_instance(UUID(place.words["<ti>"]))
        await asyncio.wait_for(watch, 60)
        assert sent[0]["status"] == 200
        assert (sent[-1]["body"], sent[-1]["more_body"]) == (b"", False)


async def test_identities_of_a_host() -> None:
    """An identity that the host app vouches for is refused by its task instance."""
    task = uuid4()
    state = StateMount(
        "memory://", settings=Settings(directory="open"), auth=HostAuth(lambda _: Identity("w", task_instance_id=task))
    )
    async with state.lifespan():
        target = f"/execution/store/ti/{task}/k"
        assert (await ask_with_httpx(state, "GET", target, {}, None)).status == 404
        await state.revoke_task_instance(task)
        assert _is_refused(await ask_with_httpx(state, "GET", target, {}, None))
