"""What stands more than once in a request: a header, or a parameter of the query, on every kind of route."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.transports import Answer, ask
from tests.contract.world import Place

pytestmark = pytest.mark.anyio

_TASK = "/execution/store/ti/<ti>"
_ASSET = "/execution/store/asset/by-name"
_STATE = "/api/v2/dags/dag/dagRuns/<run>/taskInstances/task"
_DIRECTORY = "/api/v2/directory"
_JSON = "application/json"
_MERGE = "application/merge-patch+json"
_VALUE = {"value": 2}
_BATCH = {"operations": [{"op": "set", "key": "k", "value": 2}]}
_INSTANCE = {"dag_id": "d", "run_id": "r", "task_id": "t"}

WRITES: list[tuple[str, str, str, Any]] = [
    ("PUT", f"{_TASK}/k", _JSON, _VALUE),
    ("PUT", "/execution/state/ti/<ti>/k", _JSON, _VALUE),
    ("PUT", f"{_ASSET}/value?name=<name%>&key=k", _JSON, _VALUE),
    ("PUT", "/execution/state/asset/<name%>/k", _JSON, _VALUE),
    ("PATCH", f"{_TASK}/k", _MERGE, {"a": 2}),
    ("POST", _TASK, _JSON, _BATCH),
    ("POST", f"{_ASSET}?name=<name%>", _JSON, _BATCH),
    ("PUT", f"{_STATE}/state-store/k", _JSON, _VALUE),
    ("PATCH", f"{_STATE}/states/k", _JSON, _VALUE),
    ("PATCH", "/api/v2/assets/<name-id>/states/k", _MERGE, {"a": 2}),
    ("POST", "/api/v2/assets/<name-id>/state-store", _JSON, _BATCH),
    ("POST", f"{_STATE}/state-history/k", _JSON, {"revision": 1}),
    ("PUT", f"{_DIRECTORY}/assets", _JSON, {"name": "new"}),
    ("PUT", f"{_DIRECTORY}/task-instances/<missing>", _JSON, _INSTANCE),
    ("POST", f"{_DIRECTORY}/task-instances", _JSON, {"task_instances": [{**_INSTANCE, "id": "<missing>"}]}),
    ("POST", f"{_DIRECTORY}/revocations", _JSON, {"task_instance_id": "<ti>"}),
]
REST: list[tuple[str, str, str, Any]] = [
    ("GET", f"{_TASK}/k", "", None),
    ("GET", f"{_TASK}?list=true", "", None),
    ("DELETE", f"{_TASK}/k", "", None),
    ("DELETE", _TASK, "", None),
    ("GET", f"{_STATE}/states", "", None),
    ("GET", f"{_STATE}/state-history", "", None),
    ("DELETE", "/api/v2/assets/<name-id>/states", "", None),
    ("GET", f"{_DIRECTORY}/assets", "", None),
    ("DELETE", f"{_DIRECTORY}/runs/dag/<run>", "", None),
]


def _token(place: Place, target: str) -> tuple[str, str]:
    return "authorization", place.fill("Bearer <user>" if target.startswith("/api") else "Bearer <own>")


async def _ask(
    place: Place, method: str, target: str, *headers: tuple[str, str], body: Any = None, has_token: bool = True
) -> Answer:
    given = [_token(place, target), *headers] if has_token else [*headers]
    content = None if body is None else place.fill(json.dumps(body)).encode()
    return await ask(place.state, method, place.fill(target), given, content)


async def _known(place: Place) -> Any:
    """Return all that a request could have changed."""
    directory = place.state.directory
    entries = [await place.entries(scope) for scope in (place.scope, place.asset)]
    return entries, await directory.assets(limit=1000), (await _ask(place, "GET", f"{_TASK}/k")).status


@pytest.fixture
async def filled(place: Place) -> Place:
    """Return a place with an entry in both of its scopes."""
    for scope in (place.scope, place.asset):
        await place.seed(scope, {"k": {"a": 1}})
    return place


@pytest.mark.parametrize(("method", "target", "content_type", "body"), [*WRITES, *REST])
async def test_authorization(filled: Place, method: str, target: str, content_type: str, body: Any) -> None:
    """Nobody chooses between two sets of credentials, alike or not: they are refused, and nothing is changed."""
    known = await _known(filled)
    own = _token(filled, target)
    for pair in ((own, own), (own, ("authorization", "Basic x")), (("authorization", ""), own)):
        answer = await _ask(filled, method, target, *pair, ("content-type", content_type), body=body, has_token=False)
        assert answer.status == 403
        assert json.loads(answer.body)["detail"] in ("Invalid auth token", "Invalid JWT token")
    assert await _known(filled) == known


@pytest.mark.parametrize(("method", "target", "content_type", "body"), WRITES)
@pytest.mark.parametrize("name", ["content-type", "content-length"])
async def test_what_the_body_is(
    filled: Place, method: str, target: str, content_type: str, body: Any, name: str
) -> None:
    """A body of which two things are said is refused on every route that reads one, and nothing is changed."""
    known = await _known(filled)
    good = {"content-type": content_type, "content-length": str(len(filled.fill(json.dumps(body))))}
    others = {"content-type": ["text/plain", _JSON, _MERGE, ""], "content-length": ["0", "1", "99999999999", "x"]}
    for other in others[name]:
        if other == good[name]:
            continue
        for pair in ((good[name], other), (other, good[name]), (good[name], other, good[name])):
            rest = [(each, value) for each, value in good.items() if each != name]
            answer = await _ask(filled, method, target, *((name, value) for value in pair), *rest, body=body)
            if (name, method, pair[0] == _MERGE) == ("content-type", "PATCH", False) and "/ti/" in target:
                assert answer.status == 415  # the first one alone is reason enough
                continue
            assert answer.status == 400
            assert "is given more than once" in json.loads(answer.body)["detail"]
    assert await _known(filled) == known


@pytest.mark.parametrize(("method", "target", "content_type", "body"), REST)
async def test_what_a_body_would_be_that_is_not_read(
    filled: Place, method: str, target: str, content_type: str, body: Any
) -> None:
    """Where no body is read, nothing is made of what is said about it."""
    twice = [("content-type", _JSON), ("content-type", "x"), ("content-length", "0"), ("content-length", "1")]
    assert (await _ask(filled, method, target, *twice)).status in (200, 204)


@pytest.mark.parametrize("target", [f"{_TASK}/k", f"{_STATE}/states/k", "/api/v2/assets/<name-id>/state-store/k"])
async def test_conditions(filled: Place, target: str) -> None:
    """Conditions of one name are one list, in which ``*`` cannot stand beside a tag."""
    tag = (await _ask(filled, "GET", target)).headers["etag"]
    for lines, read, written in (
        ([tag, '"1"'], 200, 204),
        (['"1"', '"2"'], 412, 412),
        (["", '"1",'], 412, 412),
        (["*", tag], 400, 400),
        ([tag, "*"], 400, 400),
        ([tag, "x"], 400, 400),
    ):
        headers = [("if-match", line) for line in lines]
        assert (await _ask(filled, "GET", target, *headers)).status == read
        answer = await _ask(filled, "PUT", target, *headers, ("content-type", _JSON), body=_VALUE)
        assert answer.status == written
        tag = answer.headers["etag"] if written == 204 else tag
    known = [("if-none-match", '"1"'), ("if-none-match", tag)]
    assert (await _ask(filled, "GET", target, *known)).status == 304
    assert (await _ask(filled, "DELETE", target, *known)).status == 412


@pytest.mark.parametrize("target", [_TASK, f"{_TASK}/k", f"{_STATE}/states", "/api/v2/assets/<name-id>/states/k"])
async def test_last_event_id(filled: Place, target: str) -> None:
    """Of the places from which a watch is to go on, the last counts, a header before a parameter."""
    accept = ("accept", "text/event-stream")
    for lines, status in ((["x", "1"], 200), (["1", "x"], 422), (["1", "1"], 200), (["1", "1, 1"], 422)):
        headers = [("last-event-id", line) for line in lines]
        assert (await _ask(filled, "HEAD", target, accept, *headers)).status == status
        query = "&".join(f"last_event_id={line}" for line in lines)
        assert (await _ask(filled, "HEAD", f"{target}?{query}", accept)).status == status
        assert (await _ask(filled, "HEAD", f"{target}?{query}", accept, ("last-event-id", "1"))).status == 200


async def test_other_headers(filled: Place) -> None:
    """Of what is echoed the last counts; what is accepted is one list."""
    answer = await _ask(filled, "GET", f"{_TASK}/none", ("correlation-id", "a"), ("correlation-id", "b"))
    assert answer.headers["correlation-id"] == "b"
    accept = [("accept", "text/html"), ("accept", "application/problem+json")]
    answer = await _ask(filled, "GET", f"{_TASK}/none", *accept)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (f"{_ASSET}/value?name=<foreign%>&name=<name%>&key=k", 200),
        (f"{_ASSET}/value?name=<name%>&name=<foreign%>&key=k", 403),
        (f"{_ASSET}/value?name=<name%>&n%61me=<foreign%>&key=k", 403),
        (f"{_ASSET}/value?name=<name%>&name=&key=k", 422),
        (f"{_ASSET}/value?name=<name%>&name&key=k", 422),
        (f"{_ASSET}/value?name=<name%>&key=none&key=k", 200),
        (f"{_ASSET}/value?name=<name%>&key=k&key=none", 404),
        ("/execution/store/asset/by-uri/value?uri=<foreign-uri%>&uri=<name-uri%>&key=k", 200),
        ("/execution/store/asset/by-uri/value?uri=<name-uri%>&uri=<foreign-uri%>&key=k", 403),
        (f"{_TASK}?list=false&list=true", 200),
        (f"{_TASK}?list=true&list=false", 405),
        (f"{_TASK}?list=true&cursor=x&cursor=", 200),
        (f"{_TASK}?list=true&cursor=&cursor=x", 422),
        (f"{_TASK}?list=true&prefix=%00&prefix=k", 200),
        (f"{_TASK}?list=true&prefix=k&prefix=%00", 422),
        (f"{_STATE}/states/k?map_index=0&map_index=-1", 200),
        (f"{_STATE}/states/k?map_index=-1&map_index=0", 404),
        (f"{_STATE}/states/k?map_index=-1&map_index=x", 422),
        (f"{_STATE}/states?offset=x&offset=1", 200),
        (f"{_STATE}/states?keys_only=x&keys_only=1&include=x&include=revision", 200),
        (f"{_STATE}/state-history?before=1&before=x", 422),
        (f"{_STATE}/state-history/k?revision=x&revision=9223372036854775807&at=x&at=2026-01-01", 422),
        (f"{_DIRECTORY}/assets?limit=x&limit=1", 200),
        (f"{_DIRECTORY}/assets?limit=1&limit=-1", 422),
    ],
)
async def test_parameters(filled: Place, target: str, status: int) -> None:
    """The last of a repeated parameter counts, for what is read as for who may read it, however its name is spelt."""
    assert (await _ask(filled, "GET", target)).status == status


async def test_parameters_of_a_removal(filled: Place) -> None:
    """A removal goes by the last of a repeated parameter as well."""
    mapped = f"{_STATE.removesuffix('task')}mapped/states"
    for index in (0, 1):
        await filled.seed(filled.mapped(index), {"k": 1})
    assert (await _ask(filled, "DELETE", f"{mapped}?map_index=0&map_index=1")).status == 204
    assert [await filled.values(filled.mapped(index)) for index in (0, 1)] == [{"k": 1}, {}]
    every = f"{mapped}?map_index=1&all_map_indices=true&all_map_indices=false"
    assert (await _ask(filled, "DELETE", every)).status == 204
    assert await filled.values(filled.mapped(0)) == {"k": 1}
    assert (await _ask(filled, "DELETE", f"{every}&all_map_indices=true")).status == 204
    assert await filled.values(filled.mapped(0)) == {}
