"""Revisions and conditions over HTTP, on every store; the table of the contract has what needs no revision."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest

from statemount.client import UnexpectedAnswerError
from statemount.client.calls import Call
from statemount.client.refusals import refusal_of
from statemount.errors import PreconditionFailedError
from statemount.model import AssetScope, Columns, Scope
from statemount.mount import StateMount
from statemount.operations import Condition
from statemount.web.conditions import MAX_HEADER_BYTES, condition_of, unchanged
from statemount.web.errors import MalformedConditionError
from statemount.web.pages import page_response
from statemount.web.requests import Message, Request
from tests.contract.rows import OWN, USER
from tests.contract.transports import Answer, ask, scope_of
from tests.contract.world import NOON, Place, StillClock, make_state
from tests.databases import Databases

pytestmark = pytest.mark.anyio

_DAG = "/api/v2/dags/dag/dagRuns/<run>/taskInstances/task"
_BY = "/execution/store/asset/by-"
_WORKER_KEYS = (
    "/execution/store/ti/<ti>/k",
    "/execution/state/ti/<ti>/k",
    f"{_BY}name/value?name=<name%>&key=k",
    f"{_BY}uri/value?uri=<name-uri%>&key=k",
    "/execution/state/asset/<name%>/k",
)
_PUBLIC_KEYS = (
    f"{_DAG}/state-store/k",
    f"{_DAG}/states/k",
    "/api/v2/assets/<name-id>/state-store/k",
    "/api/v2/assets/<name-id>/states/k",
)
_KEYS = _WORKER_KEYS + _PUBLIC_KEYS
_CLEARS = (
    "/execution/store/ti/<ti>",
    "/execution/state/ti/<ti>",
    f"{_BY}name/clear?name=<name%>",
    f"{_BY}uri/clear?uri=<name-uri%>",
    "/execution/state/asset/<name%>",
    f"{_DAG}/state-store",
    f"{_DAG}/states",
    "/api/v2/assets/<name-id>/state-store",
    "/api/v2/assets/<name-id>/states",
)
_LISTS = _CLEARS[5:]


@pytest.fixture(scope="module")
def clock() -> StillClock:
    """Return the clock of every part."""
    return StillClock()


@pytest.fixture(scope="module")
def url(backend_kind: str, databases: Databases) -> str | None:
    """Return the URL of a database, or None for memory, of every kind in turn."""
    return None if backend_kind == "memory" else databases.clean(backend_kind)


@pytest.fixture(scope="module")
async def state(url: str | None, clock: StillClock) -> AsyncIterator[StateMount]:
    """Return a running app."""
    app = make_state(url, clock)
    async with app.lifespan():
        yield app


@pytest.fixture(scope="module")
async def rival(state: StateMount, url: str | None, clock: StillClock) -> AsyncIterator[StateMount]:
    """Return another app on the same database, with connections of its own; in memory there is only one."""
    if url is None:
        yield state
        return
    app = make_state(url, clock)
    async with app.lifespan():
        yield app


async def send(
    place: Place,
    method: str,
    target: str,
    body: Any = None,
    *,
    app: StateMount | None = None,
    if_match: str | None = None,
    if_none_match: str | None = None,
) -> Answer:
    """Ask as who may do so."""
    token = OWN if target.startswith("/execution") else USER
    headers = {"authorization": f"Bearer {place.token(token)}", "content-type": "application/json"}
    conditions = {"if-match": if_match, "if-none-match": if_none_match}
    headers |= {name: text for name, text in conditions.items() if text is not None}
    content = None if body is None else json.dumps(body).encode()
    return await ask(app or place.state, method, place.fill(target), headers, content)


def _scope(place: Place, target: str) -> Scope:
    return place.scope if "/ti/" in target or "/dags/" in target else place.asset


async def _revision(place: Place, target: str) -> int:
    return (await place.entries(_scope(place, target)))["k"].revision


def _tag(revision: int) -> str:
    return f'"{revision}"'


@pytest.mark.parametrize("target", _KEYS)
async def test_a_read_has_the_revision(place: Place, target: str) -> None:
    """A GET and a HEAD tell the entry's revision; who has it already is told so, and sent nothing."""
    await place.seed(_scope(place, target), {"k": 1})
    tag = _tag(await _revision(place, target))
    for method in ("GET", "HEAD"):
        answer = await send(place, method, target)
        assert (answer.status, answer.headers["etag"]) == (200, tag)
        for known in (tag, f"W/{tag}", f'"x", W/"1" ,,{tag}', "*"):
            answer = await send(place, method, target, if_none_match=known)
            assert (answer.status, answer.headers["etag"], answer.body) == (304, tag, b"")
            assert not {"content-length", "content-type"} & set(answer.headers)
        assert (await send(place, method, target, if_none_match=_tag(1))).status == 200
        assert (await send(place, method, target, if_match=tag)).status == 200
        both = await send(place, method, target, if_match=_tag(1), if_none_match=tag)
        assert (both.status, both.headers["etag"]) == (412, tag)


@pytest.mark.parametrize("target", _KEYS)
async def test_a_write_has_the_revision(place: Place, target: str) -> None:
    """A write is answered with the revision that it made, which is that of the next read."""
    for method in ("PUT", "PATCH") if target in _PUBLIC_KEYS else ("PUT", "PUT"):
        answer = await send(place, method, target, {"value": method})
        assert (answer.status, answer.body) == ((200, b"null") if method == "PATCH" else (204, b""))
        assert answer.headers["etag"] == _tag(await _revision(place, target))
        assert (await send(place, "GET", target)).headers["etag"] == answer.headers["etag"]
    assert "etag" not in (await send(place, "DELETE", target)).headers


@pytest.mark.parametrize("target", _KEYS)
async def test_a_write_at_a_revision(place: Place, target: str) -> None:
    """A write goes ahead at the revision that was read; one that comes late changes nothing and is told the new one."""
    await place.seed(_scope(place, target), {"k": 1})
    methods = ["PUT", *(["PATCH"] if target in _PUBLIC_KEYS else []), "DELETE"]
    for method in methods:
        old = _tag(await _revision(place, target))
        body = None if method == "DELETE" else {"value": 2}
        await place.seed(_scope(place, target), {"k": 3})
        now = _tag(await _revision(place, target))
        for wanted, unwanted in ((old, None), (f"W/{now}", None), (None, f"W/{now}")):
            late = await send(place, method, target, body, if_match=wanted, if_none_match=unwanted)
            assert (late.status, late.headers["etag"]) == (412, now)
            assert await place.values(_scope(place, target)) == {"k": 3}
        done = await send(place, method, target, body, if_match=f"{old}, {now}", if_none_match=old)
        assert done.status in (200, 204)
        assert await place.values(_scope(place, target)) == ({} if method == "DELETE" else {"k": 2})


@pytest.mark.parametrize("target", _CLEARS)
async def test_a_clear_at_a_revision(place: Place, target: str) -> None:
    """A clear goes ahead at the scope's revision only, which any change moves on."""
    scope = _scope(place, target)
    never = await send(place, "DELETE", target, if_match='"1"')
    assert (never.status, never.headers["etag"]) == (412, '"0"')
    assert (await send(place, "DELETE", target, if_match='"0"')).status == 204
    await place.seed(scope, {"k": 1, "l": 1})
    read = (await place.state.service.store.list(scope, limit=0)).revision
    await place.seed(scope, {"k": 2})
    late = await send(place, "DELETE", target, if_match=_tag(read))
    assert (late.status, late.headers["etag"]) == (412, _tag(read + 1))
    assert await place.values(scope) == {"k": 2, "l": 1}
    assert (await send(place, "DELETE", target, if_match=_tag(read + 1))).status == 204
    assert await place.values(scope) == {}


@pytest.mark.parametrize("target", _LISTS)
async def test_a_list_with_revisions(place: Place, target: str) -> None:
    """A list has revisions if it is asked for them: each entry's, and as its own that of the scope."""
    scope = _scope(place, target)
    await place.seed(scope, {"a": 1, "k": 2})
    await place.seed(scope, {"a": 3})
    plain = await send(place, "GET", target)
    assert "etag" not in plain.headers
    full = await send(place, "GET", f"{target}?include=revision")
    (listed, _) = json.loads(full.body).values()
    entries = await place.entries(scope)
    assert {one["key"]: one.pop("revision") for one in listed} == {key: one.revision for key, one in entries.items()}
    assert [listed, 2] == list(json.loads(plain.body).values())
    revision = entries["a"].revision
    assert full.headers["etag"] == _tag(revision)
    again = await send(place, "GET", f"{target}?include=revision", if_none_match=_tag(revision))
    # entries of a task instance may end with no new revision, so that its list is sent anew
    assert again.status == (304 if scope == place.asset else 200)
    await send(place, "DELETE", f"{target}/a")
    changed = await send(place, "GET", f"{target}?include=revision", if_none_match=_tag(revision))
    assert (changed.status, changed.headers["etag"]) == (200, _tag(revision + 1))


async def test_a_list_of_what_ends_is_never_taken_as_known(place: Place, clock: StillClock) -> None:
    """An entry that has ended is missing from a list whose revision is still the same."""
    now = clock.now
    target = f"{_DAG}/state-store?include=revision"
    await send(place, "PUT", f"{_DAG}/state-store/k", {"value": 1, "expires_at": _time(clock, 60)})
    tag = (await send(place, "GET", target)).headers["etag"]
    try:
        clock.advance(61)
        answer = await send(place, "GET", target, if_none_match=tag)
        assert (answer.status, json.loads(answer.body)["total_entries"]) == (200, 0)
    finally:
        clock.now = now


def _time(clock: StillClock, seconds: int) -> int:
    """Return a moment in Unix seconds, as pydantic reads it."""
    return clock.now // 1_000_000 + seconds


@pytest.mark.parametrize("target", [_WORKER_KEYS[0], _PUBLIC_KEYS[0]])
async def test_a_lease(place: Place, clock: StillClock, target: str) -> None:
    """Create-only with an expiry is a lease: one holder until it ends, then another with a greater revision."""
    start = clock.now
    try:
        held = await send(place, "PUT", target, {"value": "a", "expires_at": _time(clock, 30)}, if_none_match="*")
        assert held.status == 204
        clock.advance(29)
        taken = await send(place, "PUT", target, {"value": "b", "expires_at": _time(clock, 30)}, if_none_match="*")
        assert (taken.status, taken.headers["etag"]) == (412, held.headers["etag"])
        renewed = await send(
            place, "PUT", target, {"value": "a", "expires_at": _time(clock, 30)}, if_match=held.headers["etag"]
        )
        assert renewed.status == 204
        clock.advance(30)
        for wanted in (renewed.headers["etag"], "*"):
            lost = await send(place, "PUT", target, {"value": "a", "expires_at": _time(clock, 30)}, if_match=wanted)
            assert lost.status == 412
            assert "etag" not in lost.headers
        assert (await send(place, "GET", target)).status == 404
        other = await send(place, "PUT", target, {"value": "b", "expires_at": _time(clock, 30)}, if_none_match="*")
        assert other.status == 204
        tokens = [int(answer.headers["etag"].strip('"')) for answer in (held, renewed, other)]
        assert tokens == sorted(set(tokens))
        late = await send(place, "DELETE", target, if_match=renewed.headers["etag"])
        assert (late.status, late.headers["etag"]) == (412, other.headers["etag"])
    finally:
        clock.now = start


@pytest.mark.parametrize("target", [_WORKER_KEYS[0], _PUBLIC_KEYS[2]])
async def test_of_two_writers_one_wins(place: Place, rival: StateMount, target: str) -> None:
    """Of two writes at the same revision, over connections of their own, exactly one is done, time after time."""
    tag = (await send(place, "PUT", target, {"value": 0})).headers["etag"]
    for turn in range(200):
        answers = await asyncio.gather(
            *(send(place, "PUT", target, {"value": [turn, n]}, app=app, if_match=tag) for n, app in _both(place, rival))
        )
        won, lost = sorted(answers, key=lambda answer: answer.status)
        assert (won.status, lost.status) == (204, 412)
        assert lost.headers["etag"] == won.headers["etag"] != tag
        assert await place.values(_scope(place, target)) == {"k": [turn, answers.index(won)]}
        tag = won.headers["etag"]


async def test_of_two_claims_one_wins(place: Place, rival: StateMount) -> None:
    """Of two create-only writes, over connections of their own, exactly one is done, time after time."""
    target = _WORKER_KEYS[0]
    for turn in range(200):
        claims = (
            send(place, "PUT", f"{target}{turn}", {"value": n}, app=app, if_none_match="*")
            for n, app in _both(place, rival)
        )
        answers = await asyncio.gather(*claims)
        won, lost = sorted(answers, key=lambda answer: answer.status)
        assert (won.status, lost.status) == (204, 412)
        assert lost.headers["etag"] == won.headers["etag"]


async def test_a_clear_and_a_write_at_once(place: Place, rival: StateMount) -> None:
    """Of a clear and a write at revisions that were read before, exactly one is done."""
    target = _WORKER_KEYS[0]
    for _ in range(50):
        tag = (await send(place, "PUT", target, {"value": 0})).headers["etag"]
        cleared, written = await asyncio.gather(
            send(place, "DELETE", _CLEARS[0], if_match=tag),
            send(place, "PUT", target, {"value": 1}, app=rival, if_match=tag),
        )
        assert sorted([cleared.status, written.status]) == [204, 412]
        assert await place.values(place.scope) == ({} if cleared.status == 204 else {"k": 1})


def _both(place: Place, rival: StateMount) -> enumerate[StateMount]:
    return enumerate([place.state, rival])


async def test_the_client_knows_a_failed_condition(place: Place) -> None:
    """The client reads the refusal as the error that it is in process, with the current revision."""
    for target, public in ((_WORKER_KEYS[0], False), (_PUBLIC_KEYS[0], True)):
        call = Call("PUT", target, str)
        missing = await send(place, "PUT", target, {"value": 0}, if_match="*")
        made = await send(place, "PUT", target, {"value": 0})
        failed = await send(place, "PUT", target, {"value": 0}, if_none_match="*")
        for answer, revision in ((missing, None), (failed, int(made.headers["etag"].strip('"')))):
            error = refusal_of(call, answer.status, answer.headers, answer.body, 0)
            assert isinstance(error, PreconditionFailedError)
            assert error.revision == revision
            detail = json.loads(answer.body)["detail"]
            assert str(error) == (detail if public else detail["message"])
        await send(place, "DELETE", target)
    assert isinstance(refusal_of(call, 412, {}, b"Precondition Failed", 0), UnexpectedAnswerError)


async def test_a_revision_that_is_none(place: Place) -> None:
    """A new scope begins after the time of its making, so that a tag of a scope that was dropped matches nothing."""
    target = _WORKER_KEYS[0]
    answer = await send(place, "PUT", target, {"value": 0})
    assert int(answer.headers["etag"].strip('"')) > NOON


async def _no_body() -> Message:
    raise AssertionError("the body is not read")


def _request(*headers: tuple[bytes, bytes]) -> Request:
    return Request({**scope_of("GET", "/", {}), "headers": headers}, _no_body)


def test_a_revision_that_somebody_else_wrote() -> None:
    """A revision that is no number, which SQLite keeps if others write it, is shown as none, and breaks nothing."""
    revision = cast("int", 'x"\r\n')
    page = Columns(1, revision, ["k"], updated_at=[NOON], revisions=[revision])
    answer = page_response("things", AssetScope(1), page, has_values=False, has_revisions=True)
    (entry,) = json.loads(answer.body)["things"]
    assert (entry["key"], entry["revision"]) == ("k", 0)
    assert (b"etag", b'"0"') in answer.headers


def test_repeated_headers_are_one_list() -> None:
    """Lines of the same name are joined, in their order."""
    request = _request(
        (b"if-match", b'"1"'), (b"if-none-match", b'"5",'), (b"if-match", b', "2"'), (b"if-none-match", b"")
    )
    assert condition_of(request) == Condition(None, frozenset({1, 2}), frozenset({5}))
    for name in (b"if-match", b"if-none-match"):
        with pytest.raises(MalformedConditionError):
            condition_of(_request((name, b"*"), (name, b'"1"')))


def test_no_condition() -> None:
    """A request that says nothing has none."""
    assert condition_of(_request((b"if-range", b'"1"'))) is None
    assert unchanged(_request(), 1) is None


@pytest.mark.parametrize(
    ("sent", "holds"),
    [
        ({b"if-match": b'"5"', b"if-none-match": b"*"}, set()),
        ({b"if-match": b"*", b"if-none-match": b"*"}, set()),
        ({b"if-match": b"*", b"if-none-match": b'"5"'}, {6}),
        ({b"if-match": b'"5", "6"', b"if-none-match": b'W/"5"'}, {6}),
        ({b"if-none-match": b'"5"'}, {6, None}),
        ({b"if-none-match": b"*"}, {None}),
        ({b"if-match": b"*"}, {5, 6}),
        ({b"if-match": b'W/"5", "\xff"'}, set()),
        ({b"if-match": b'"0", "18446744073709551616", "-5", "05"'}, set()),
    ],
)
def test_conditions_together(sent: Mapping[bytes, bytes], holds: set[int | None]) -> None:
    """Both headers must hold."""
    condition = condition_of(_request(*sent.items()))
    assert condition is not None
    assert {revision for revision in (None, 5, 6) if condition.holds(revision)} == holds


def test_long_headers_take_no_time() -> None:
    """A header as long as is looked at is read once, whatever stands in it; a longer one is not looked at."""
    tags = b",".join(b'"%d"' % number for number in range(9000))
    condition = condition_of(_request((b"if-match", tags)))
    assert condition is not None
    assert condition.revisions is not None
    assert len(condition.revisions) == 9000
    longest = MAX_HEADER_BYTES - 3
    for text in (b" " * longest + b"x", b'"' * longest, b'""' + b" " * longest + b"x", b'W/"' + b"1" * longest):
        with pytest.raises(MalformedConditionError, match="must be"):
            condition_of(_request((b"if-none-match", text)))
    assert condition_of(_request((b"if-match", b", " * (longest // 2)))) == Condition(None, frozenset())
    for text in (b", " * MAX_HEADER_BYTES, b"*" + b" " * MAX_HEADER_BYTES):
        with pytest.raises(MalformedConditionError, match="at most 65536 bytes"):
            condition_of(_request((b"if-match", text)))
