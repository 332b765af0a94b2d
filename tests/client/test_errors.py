"""Refusals are the same errors as in process, whatever the server: ours, Airflow's words, a proxy in between."""

from __future__ import annotations

import json
import math
from typing import Any
from uuid import uuid4

import pytest

from statemount.auth.jwt import JWTAuth
from statemount.client import Retries, UnexpectedAnswerError
from statemount.errors import (
    AssetNotFoundError,
    AuthenticationError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    InvalidTokenError,
    KeyNotFoundError,
    NotFoundError,
    OverloadedError,
    ScopeFullError,
    StateMountError,
    TaskInstanceNotFoundError,
    TooLargeError,
    UnavailableError,
    WriteOutcomeUnknownError,
)
from statemount.mount import StateMount
from statemount.settings import Settings
from tests.client.support import (
    AUTH,
    SECRET,
    FaultyServer,
    Way,
    World,
    answer,
    client_of,
    closing,
    done,
    running,
)

pytestmark = pytest.mark.anyio

ONCE = Retries(attempts=1)

FORMER = JWTAuth(secret=SECRET, clock=lambda: 1_600_000_000_000_000)
"""Signs tokens that have expired long ago."""


async def test_tokens(world: World) -> None:
    """No token, one that is not accepted, an expired one and a lack of permission are told apart on both route sets."""
    ti_id, scope = world.ti_id, world.scope
    cases: list[tuple[Any, type[StateMountError], str]] = [
        (None, AuthenticationError, "Missing auth token|Not authenticated"),
        ("nonsense", InvalidTokenError, "Invalid auth token|Invalid JWT token"),
        (FORMER.tokens.worker(ti_id), InvalidTokenError, "Invalid auth token|Invalid JWT token"),
        (AUTH.tokens.worker(uuid4()), StateMountError, "Token subject does not match|Invalid JWT token"),
    ]
    for token, kind, words in cases:
        async with closing(world.client(token)) as client:
            task = client.public.task(dag_id=scope.dag_id, run_id=scope.run_id, task_id=scope.task_id)
            for state in (client.task_instance(ti_id), task):
                with pytest.raises(kind, match=words) as caught:
                    await done(state.get("key"))
                assert isinstance(caught.value, AuthenticationError | ForbiddenError)
    async with closing(world.client(FORMER.tokens.public("somebody", ["state:read"]))) as client:
        task = client.public.task(dag_id=scope.dag_id, run_id=scope.run_id, task_id=scope.task_id)
        with pytest.raises(InvalidTokenError, match="^Token Expired$") as caught:
            await done(task.get("key"))
        assert caught.value.expired
    async with closing(world.user(["state:read"])) as client:
        task = client.public.task(dag_id=scope.dag_id, run_id=scope.run_id, task_id=scope.task_id)
        with pytest.raises(ForbiddenError, match="^Forbidden$"):
            await done(task.set("key", 1))


@pytest.mark.parametrize("value", [None, math.nan, [math.inf], {"a": {1, 2}}, "\ud800", 1 + 2j], ids=repr)
async def test_a_value_that_is_none(value: Any, world: World) -> None:
    """What is no JSON is refused as invalid input, here or by the server, and nothing is written."""
    async with closing(world.worker()) as client:
        state = client.task_instance(world.ti_id)
        with pytest.raises(InvalidInputError) as caught:
            await done(state.set("key", value))
        assert [problem.loc for problem in caught.value.problems] == [("body", "value")]
        with pytest.raises(KeyNotFoundError):
            await done(state.get("key"))


@pytest.mark.parametrize("key", ["", "\0", "x" * 513, "\ud800", "x" * 70_000], ids=["", "NUL", "long", "lone", "huge"])
async def test_a_key_that_is_none(key: str, world: World) -> None:
    """A key that cannot be is refused as invalid input on every method, and nothing else is addressed by it."""
    async with closing(world.worker()) as client, closing(world.user()) as user:
        state, asset = client.task_instance(world.ti_id), user.public.asset(world.asset_id)
        await done(state.set("key", 1))
        await done(asset.set("key", 1))
        for each in (state, asset):
            for name, arguments in (("get", [key]), ("set", [key, 1]), ("delete", [key])):
                with pytest.raises(InvalidInputError):
                    await done(getattr(each, name)(*arguments))
        assert await done(state.get("key")) == 1
        assert (await done(asset.list())).total == 1


async def test_limits(way: Way) -> None:
    """A body, a value and a scope that are too large have errors of their own, with every problem that is known."""
    settings = Settings(max_body_bytes=1000, max_value_storage_bytes=100, max_entries_per_scope=2)
    async with (
        running(StateMount("memory://", auth=AUTH, settings=settings), way) as world,
        closing(world.worker()) as client,
        closing(world.user()) as user,
    ):
        state, asset = client.task_instance(world.ti_id), user.public.asset(world.asset_id)
        with pytest.raises(TooLargeError) as caught:
            await done(state.set("key", "x" * 1000))
        assert caught.value.limit == 1000
        with pytest.raises(InvalidInputError, match="max_value_storage_bytes"):
            await done(asset.set("key", "x" * 100))
        await done(state.set("a", 1))
        await done(state.set("b", 1))
        with pytest.raises(ScopeFullError):
            await done(state.set("c", 1))


def json_answer(status: int, detail: Any, **headers: str) -> bytes:
    """Return an answer with a detail."""
    return answer(status, json.dumps({"detail": detail}), Content_Type="application/json", **headers)


REFUSALS: list[tuple[bytes, type[StateMountError], str]] = [
    (answer(401, "<html>"), AuthenticationError, "the server answers 401"),
    (answer(403), ForbiddenError, "the server answers 403"),
    (json_answer(403, "Invalid auth token"), InvalidTokenError, "Invalid auth token"),
    (json_answer(401, "Token Expired"), InvalidTokenError, "Token Expired"),
    (json_answer(404, {"reason": "not_found", "message": "Task state key 'x' not found"}), KeyNotFoundError, "'key'"),
    (json_answer(404, "Asset state store key 'x' not found"), KeyNotFoundError, "key 'key' not found"),
    (json_answer(404, "Task instance x not found"), TaskInstanceNotFoundError, "Task instance x not found"),
    (json_answer(404, "Asset with id 1 not found"), AssetNotFoundError, "Asset with id 1 not found"),
    (json_answer(404, "The DagRun was not found"), NotFoundError, "The DagRun was not found"),
    (json_answer(404, "Not Found"), UnexpectedAnswerError, "404: is the URL that of the app"),
    (answer(404, "<html>"), UnexpectedAnswerError, "404: is the URL that of the app"),
    (json_answer(405, "Method Not Allowed"), UnexpectedAnswerError, "405"),
    (json_answer(400, "There was an error parsing the body"), InvalidInputError, "parsing the body"),
    (json_answer(408, "The body has not arrived within 30 seconds"), UnavailableError, "has not arrived"),
    (answer(408, "<html>"), UnavailableError, "the server answers 408"),
    (json_answer(409, "name is taken"), ConflictError, "name is taken"),
    (answer(413, "<html>"), TooLargeError, "the server answers 413"),
    (answer(418, "<html>"), UnexpectedAnswerError, "418"),
    (answer(500, "oh"), UnexpectedAnswerError, "500 .'oh'."),
    (answer(307, "", Location="http://127.0.0.1:1/"), UnexpectedAnswerError, "307"),
    (answer(429), OverloadedError, "429"),
    (json_answer(503, "Too many requests are waiting already"), OverloadedError, "waiting already"),
    (json_answer(503, "Service unavailable", Retry_After="7"), UnavailableError, "Service unavailable"),
    (answer(502, "<html>"), UnavailableError, "502"),
    (json_answer(503, {"reason": "write_outcome_unknown", "message": "lost"}), WriteOutcomeUnknownError, "lost"),
]


@pytest.mark.parametrize(("sent", "kind", "words"), REFUSALS, ids=lambda value: str(value)[:40])
async def test_refusals(sent: bytes, kind: type[StateMountError], words: str, socket_way: Way) -> None:
    """Every status is one error, whether its body is ours or a proxy's."""
    with FaultyServer(sent) as server:
        async with closing(client_of(socket_way, server.url, token="t", retries=ONCE)) as client:
            with pytest.raises(kind, match=words) as caught:
                await done(client.task_instance(uuid4()).get("key"))
            assert type(caught.value) is kind
    assert len(server.asked) == 1


@pytest.mark.parametrize("body", ["", "<html>", "[]", "{}", "null", '{"value": 1', "1", '"value"'])
async def test_a_success_that_is_none(body: str, socket_way: Way) -> None:
    """A 200 with another body than ours, such as that of a log-in page, is no value, and no success of a write."""
    with FaultyServer(answer(200, body)) as server:
        async with closing(client_of(socket_way, server.url, token="t")) as client:
            state = client.task_instance(uuid4())
            task = client.public.task(dag_id="d", run_id="r", task_id="t")
            calls = [lambda: state.get("key"), lambda: task.get("key"), task.list]
            if body not in ("", "null"):
                calls.append(lambda: state.set("key", 1))
            for call in calls:
                with pytest.raises(UnexpectedAnswerError, match="answered with 200 and a body") as caught:
                    await done(call())
                assert caught.value.status == 200


async def test_times_that_are_none(socket_way: Way) -> None:
    """An entry whose time is none, or has no zone, is not understood."""
    for text in ("yesterday", "2026-01-01T00:00:00", 5):
        entry = {"key": "key", "value": 1, "updated_at": text, "expires_at": None}
        with FaultyServer(answer(200, json.dumps(entry))) as server:
            async with closing(client_of(socket_way, server.url, token="t")) as client:
                with pytest.raises(UnexpectedAnswerError):
                    await done(client.public.asset(1).get("key"))


async def test_problems_of_an_input(world: World) -> None:
    """A 422 tells every problem with its place, type and input."""
    async with closing(world.user()) as client:
        task = client.public.task(dag_id="d", run_id="r", task_id="t", map_index=-2)
        with pytest.raises(InvalidInputError) as caught:
            await done(task.list(limit=-1))
        first, second = caught.value.problems
        assert {(first.loc, first.type), (second.loc, second.type)} == {
            (("query", "map_index"), "greater_than_equal"),
            (("query", "limit"), "greater_than_equal"),
        }
        assert {first.input, second.input} == {"-2", "-1"}
