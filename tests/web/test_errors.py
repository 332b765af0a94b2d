"""Errors: each has a status and a shape, and the server's own are logged."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from statemount import errors
from statemount.auth import DefaultAuthorizer, JWTAuth
from statemount.errors import (
    ConfigurationError,
    ConflictError,
    InvalidInputError,
    InvalidTokenError,
    NotFoundError,
    OverloadedError,
    Problem,
    SchemaError,
    ScopeFullError,
    StateMountError,
    TooLargeError,
    UnavailableError,
    UpdateFailedError,
    WriteOutcomeUnknownError,
)
from statemount.model import Entry, Scope
from statemount.mount import StateMount
from statemount.store.memory import MemoryStore
from statemount.web import errors as web_errors
from statemount.web.errors import MAX_PROBLEMS, PUBLIC_WORDING, ErrorResponses, Wording, prefers_problem
from statemount.web.problems import PROBLEM_TYPES
from statemount.web.requests import Request
from tests.contract.transports import Answer, ask, scope_of
from tests.contract.world import SECRET, Place, StillClock

pytestmark = pytest.mark.anyio

_SECRET = "postgresql://user:password@db/x"


class FailingStore(MemoryStore):
    """A host's store whose reads fail while it is told so."""

    error: Exception | None = None

    async def read(self, scope: Scope, key: str) -> Entry | None:
        if self.error is not None:
            raise self.error
        return await super().read(scope, key)


async def _ask(error: Exception | None, clock: StillClock, **sent: str) -> Answer:
    """Read a key, of a store that fails, through the whole app."""
    store = FailingStore(clock=clock)
    state = StateMount(
        "memory://",
        auth=JWTAuth(secret=SECRET, clock=clock),
        authorizer=DefaultAuthorizer(),
        store=store,
        clock=clock,
    )
    async with state.lifespan():
        place = await Place.make(state, clock)
        await place.seed(place.scope, {"k": 1})
        target = place.fill("/execution/store/ti/<ti>/k")
        headers = {"authorization": place.fill("Bearer <own>"), **sent}
        store.error = error
        answer = await ask(state, "GET", target, headers, None)
        store.error = None
        assert (await ask(state, "GET", target, headers, None)).status == 200
    return answer


_UNKNOWN = "The connection to the database was lost while the write was being committed: it may have been written"

_CASES: list[tuple[Exception, int, Any, str, dict[str, str]]] = [
    (UnavailableError(_SECRET, retry_after=7), 503, "Service unavailable", "unavailable", {"retry-after": "7"}),
    (OverloadedError("x"), 503, "Too many requests are waiting already", "overloaded", {"retry-after": "1"}),
    (
        WriteOutcomeUnknownError("x"),
        503,
        {"reason": "write_outcome_unknown", "message": _UNKNOWN},
        "write-outcome-unknown",
        {"retry-after": "1"},
    ),
    (ConfigurationError(_SECRET), 503, "Service unavailable", "unavailable", {"retry-after": "10"}),
    (SchemaError(_SECRET), 503, "Service unavailable", "unavailable", {"retry-after": "10"}),
    (ConflictError("it is there"), 409, "it is there", "conflict", {}),
    (ScopeFullError("full"), 409, {"reason": "scope_full", "message": "full"}, "scope-full", {}),
    (TooLargeError(5), 413, "Content larger than 5 bytes", "too-large", {}),
    (NotFoundError("gone"), 404, {"reason": "not_found", "message": "gone"}, "not-found", {}),
    (StateMountError(_SECRET), 500, "Internal Server Error", "internal-error", {}),
    (ZeroDivisionError(_SECRET), 500, "Internal Server Error", "internal-error", {}),
]


@pytest.mark.parametrize(("error", "status", "detail", "name", "headers"), _CASES)
async def test_errors_behind_the_routes(
    clock: StillClock, error: Exception, status: int, detail: Any, name: str, headers: dict[str, str]
) -> None:
    """Every error has its status in both shapes, keeps the usual headers, and tells nothing of the inside."""
    answer = await _ask(error, clock, **{"correlation-id": "c"})
    assert (answer.status, json.loads(answer.body)) == (status, {"detail": detail})
    usual = {"content-type": "application/json", "airflow-api-version": "2026-06-30", "correlation-id": "c"}
    assert {**answer.headers, **usual, **headers} == answer.headers
    answer = await _ask(error, clock, accept="application/problem+json")
    problem = json.loads(answer.body)
    assert (answer.status, problem["status"]) == (status, status)
    assert problem["type"] == f"urn:statemount:problem:{name}"
    assert problem["detail"] == (detail if isinstance(detail, str) else detail["message"])
    assert answer.headers["content-type"] == "application/problem+json"
    assert _SECRET not in str(answer)


async def test_unexpected_error_is_logged_with_its_traceback(
    clock: StillClock, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected exception is logged with its traceback and the route, not with the key."""
    await _ask(ZeroDivisionError("boom"), clock)
    (record,) = [record for record in caplog.records if record.name == "statemount.web"]
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)
    assert record.getMessage() == "GET /store/ti/{task_instance_id}/{key:path} failed"


async def test_unavailable_is_logged_with_its_reason(clock: StillClock, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be done now is logged in one line with its reason."""
    await _ask(UnavailableError("no answer from the database"), clock)
    (record,) = [record for record in caplog.records if record.name == "statemount.web"]
    assert record.levelno == logging.WARNING
    assert record.exc_info is None
    assert "UnavailableError: no answer from the database" in record.getMessage()


async def test_no_renewal_on_an_unexpected_error(clock: StillClock) -> None:
    """A token about to expire is renewed on a 503, and not on a 500."""
    for error, is_renewed in ((UnavailableError("x"), True), (ZeroDivisionError(), False)):
        moment = StillClock(clock.now)
        store = FailingStore(clock=moment)
        auth = JWTAuth(secret=SECRET, clock=moment)
        state = StateMount("memory://", auth=auth, store=store, clock=moment)
        async with state.lifespan():
            place = await Place.make(state, moment)
            moment.advance(590)
            store.error = error
            headers = {"authorization": place.fill("Bearer <own>")}
            answer = await ask(state, "GET", place.fill("/execution/store/ti/<ti>/k"), headers, None)
            assert ("refreshed-api-token" in answer.headers) is is_renewed


def _error_classes(base: type[Exception]) -> list[type[Exception]]:
    return [base, *(one for child in base.__subclasses__() for one in _error_classes(child))]


def _example(kind: type[Exception]) -> Exception:
    if issubclass(kind, TooLargeError):
        return kind(1)
    if issubclass(kind, InvalidInputError):
        return kind([])
    if issubclass(kind, web_errors.LateBodyError):
        return kind(1, "1.1")
    if issubclass(kind, web_errors.MethodNotAllowedError):
        return kind(b"GET")
    if issubclass(kind, web_errors.MissingKeyError):
        return kind("key", "k")
    if issubclass(kind, UpdateFailedError):
        return kind("x", None)
    return kind("x")


def _is_the_servers(kind: type[Exception]) -> bool:
    """Tell whether a server can meet an error: not the base of all, and not what clients and workers raise."""
    worker_side = ("statemount.client", "statemount.worker", "statemount.testing")
    return kind is not StateMountError and not kind.__module__.startswith(worker_side)


@pytest.mark.parametrize("kind", [*filter(_is_the_servers, _error_classes(StateMountError))])
def test_every_error_has_a_status(kind: type[Exception]) -> None:
    """No error that is raised on purpose is answered as an unexpected one."""
    request = Request(scope_of("GET", "/", {}), _never)
    response = ErrorResponses(Wording("a", "b", has_reasons=False)).response(_example(kind), request)
    assert response.status != 500
    assert kind.__module__ in (errors.__name__, web_errors.__name__)


async def _never() -> Any:
    raise AssertionError("the body is not read")


def test_problem_types_are_unique() -> None:
    """Every kind of error is in the registry once, with a type of its own."""
    names = [kind.name for kind in PROBLEM_TYPES]
    assert len(set(names)) == len(names) == 30
    assert {kind.uri for kind in PROBLEM_TYPES} == {f"urn:statemount:problem:{name}" for name in names}
    assert all(400 <= kind.status < 600 for kind in PROBLEM_TYPES)


def _respond(error: Exception, wording: Wording) -> tuple[int, Any, dict[bytes, bytes]]:
    response = ErrorResponses(wording).response(error, Request(scope_of("GET", "/", {}), _never))
    return response.status, json.loads(response.body), dict(response.headers)


def test_other_wording() -> None:
    """A route set words its refusals in its own way: plain messages, and an expired token told apart."""
    wording = PUBLIC_WORDING
    assert _respond(NotFoundError("Asset with id 9 not found"), wording)[:2] == (
        404,
        {"detail": "Asset with id 9 not found"},
    )
    assert _respond(InvalidTokenError("x"), wording)[:2] == (403, {"detail": "Invalid JWT token"})
    status, body, headers = _respond(InvalidTokenError("x", expired=True), wording)
    assert (status, body) == (401, {"detail": "Token Expired"})
    assert headers[b"www-authenticate"] == b'Bearer error="invalid_token"'


_PLAIN = Wording("a", "b", has_reasons=True)


def test_many_problems_are_cut_off() -> None:
    """A 422 lists a bounded number of problems."""
    found = [Problem("extra_forbidden", ("body", str(number)), "no", number) for number in range(MAX_PROBLEMS + 1)]
    _, body, _ = _respond(InvalidInputError(found), _PLAIN)
    assert [problem["input"] for problem in body["detail"]] == list(range(MAX_PROBLEMS))


def test_problems_are_always_json() -> None:
    """Whatever stands in a problem, the answer is JSON that every client can read."""
    given: list[Any] = [float("nan"), [float("inf")], "\ud800", {"\ud800": 1}, object(), b"x", {1: {2}}, "x" * 1023]
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    ctx = {"error": ValueError("x"), "a": "\ud800"}
    found = [Problem("t", ("body", "\ud800ä", 1), "about \ud800", one, ctx) for one in [*given, deep]]
    _, body, _ = _respond(InvalidInputError(found), _PLAIN)
    expected = {"type": "t", "loc": ["body", "?ä", 1], "msg": "about ?", "ctx": {"error": {}, "a": "?"}}
    assert body["detail"] == [expected] * len(found)
    while deep:
        deep = deep[0]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (b"application/problem+json", True),
        (b"text/html, Application/Problem+JSON;q=0.5", True),
        (b"application/problem+json;q=x", True),
        (b"application/problem+json;Q=0", False),
        (b"application/problem+json; q = 0.0", False),
        (b"application/problem+json;q=", False),
        (b"application/problem+json;q=0, application/problem+json", True),
        (b"*/*", False),
        (b"", False),
        (b"xapplication/problem+json", False),
    ],
)
def test_accept(accept: bytes, expected: bool) -> None:
    """RFC 9457 is for those who name it and do not refuse it."""
    assert prefers_problem(accept) is expected
