"""What is accepted comes back equal; everything else is a 4xx that changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote, unquote_to_bytes
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from statemount.model import from_datetime
from tests.contract.transports import Answer, ask
from tests.contract.world import NOON, Place, Places
from tests.store.reference import merged

pytestmark = pytest.mark.anyio

SETTINGS = settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)

TEXTS = st.text(st.characters(codec="utf-8"))
KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=512)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20)
ANY_TEXTS = st.text()
ANY_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXTS
ANYTHING = st.recursive(ANY_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXTS, inner), max_leaves=10)
BODIES = ANYTHING | st.fixed_dictionaries(
    {},
    optional={"value": ANYTHING, "expires_at": ANYTHING | st.datetimes().map(str) | st.integers(), "x": ANYTHING},
)
TASKS = st.sampled_from(["/execution/store/ti/<ti>", "/execution/state/ti/<ti>"])
ASSETS: st.SearchStrategy[Callable[[str], str]] = st.sampled_from(
    [
        lambda key: f"/execution/store/asset/by-name/value?name=<name%>&key={key}",
        lambda key: f"/execution/store/asset/by-uri/value?key={key}&uri=<name-uri%>",
        lambda key: f"/execution/state/asset/<name%>/{key}",
    ]
)


PARTS = st.sampled_from(
    [
        "api/v2/dags/dag/dagRuns/<run>/taskInstances/task/state-store",
        "api/v2/dags/dag/dagRuns/<run>/taskInstances/mapped/states",
        "api/v2/assets/<name-id>/state-store",
        "api/v2/assets",
        "states",
        "api/v2/directory/task-instances/<missing>",
        "api/v2/directory/task-instances",
        "api/v2/directory/assets",
        "api/v2/directory/runs/nope",
        "succeeded",
        "restore",
        "k",
        "%FF",
        "%00",
        "",
        "999999999999999999999999",
    ]
)
NAMES = ["map_index", "limit", "offset", "all_map_indices", "name", "uri", "key", "list"]


async def _ask(place: Place, method: str, target: str, body: bytes | None = None, **sent: str) -> Answer:
    headers = {"authorization": place.fill("Bearer <own>"), "content-type": "application/json", **sent}
    answer = await ask(place.state, method, place.fill(target), headers, body)
    assert answer.status < 500, answer
    if answer.status >= 400:
        assert "detail" in json.loads(answer.body)
    return answer


async def _put(place: Place, target: str, value: Any) -> None:
    answer = await _ask(place, "PUT", target, json.dumps({"value": value}, ensure_ascii=False).encode())
    assert (answer.status, answer.body) == (204, b"")


def _same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same JSON: 1, 1.0 and true are not."""
    return json.dumps(one) == json.dumps(other)


@SETTINGS
@given(value=VALUES.filter(lambda value: value is not None), task=TASKS)
async def test_values_of_tasks_come_back(places: Places, value: Any, task: str) -> None:
    """A value that is accepted is given back equal, and stored as ``json.dumps`` writes it."""
    place = await places.fresh()
    await _put(place, f"{task}/k", value)
    answer = await _ask(place, "GET", f"{task}/k")
    assert _same(json.loads(answer.body), {"value": value})
    assert (await place.entries(place.scope))["k"].value == json.dumps(value)


@SETTINGS
@given(value=VALUES.filter(lambda value: value is not None), key=KEYS, target=ASSETS)
async def test_values_of_assets_come_back(places: Places, value: Any, key: str, target: Callable[[str], str]) -> None:
    """An asset's value is given back equal, under whatever key."""
    place = await places.fresh()
    path = target(quote(key, safe=""))
    await _put(place, path, value)
    assert _same(json.loads((await _ask(place, "GET", path)).body), {"value": value})
    assert list(await place.values(place.asset)) == [key]
    assert (await _ask(place, "DELETE", path)).status == 204
    assert await place.values(place.asset) == {}


@SETTINGS
@given(key=KEYS, safe=st.sampled_from(["", "/", "/+&=:@!$'()*,;~-._"]), task=TASKS)
@example(key=".", safe="", task="/execution/store/ti/<ti>")
@example(key="../..", safe="/", task="/execution/store/ti/<ti>")
@example(key="a\n", safe="", task="/execution/state/ti/<ti>")
async def test_keys_come_back(places: Places, key: str, safe: str, task: str) -> None:
    """A key is the same however much of it is percent-encoded, and no other key is touched."""
    place = await places.fresh()
    await place.seed(place.scope, {"other": 0} if key != "other" else {})
    await _put(place, f"{task}/{quote(key, safe=safe)}", key)
    fully = f"{task}/{quote(key, safe='')}"
    assert json.loads((await _ask(place, "GET", fully)).body) == {"value": key}
    assert set(await place.values(place.scope)) == {key, "other"}
    assert (await _ask(place, "DELETE", fully)).status == 204
    assert key not in await place.values(place.scope)


@SETTINGS
@given(tail=st.binary(max_size=600), task=TASKS)
async def test_any_bytes_as_key(places: Places, tail: bytes, task: str) -> None:
    """Any bytes after the task instance are a key that is kept, or a 422 that changes nothing."""
    place = await places.fresh()
    path = "".join(f"%{byte:02X}" for byte in tail)
    answer = await _ask(place, "PUT", f"{task}/{path}", b'{"value": 1}')
    if answer.status == 204:
        assert await place.values(place.scope) == {tail.decode(): 1}
    else:
        assert answer.status == 422
        assert await place.values(place.scope) == {}


@SETTINGS
@given(tail=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="?#"), max_size=600))
@example(tail="%FF")
async def test_any_text_as_key(places: Places, tail: str) -> None:
    """Any characters of a path after the task instance are a key, percent signs that mean nothing included."""
    place = await places.fresh()
    answer = await _ask(place, "PUT", f"/execution/store/ti/<ti>/{tail}", b'{"value": 1}')
    if answer.status == 204:
        assert await place.values(place.scope) == {unquote_to_bytes(tail).decode(): 1}
    else:
        assert answer.status == 422
        assert await place.values(place.scope) == {}


@SETTINGS
@given(body=st.binary(max_size=200) | BODIES.map(lambda body: json.dumps(body).encode()), task=TASKS)
async def test_any_body(places: Places, body: bytes, task: str) -> None:
    """Any body sets what it says, or is a 4xx that changes nothing."""
    place = await places.fresh()
    await place.seed(place.scope, {"k": "old"})
    answer = await _ask(place, "PUT", f"{task}/k", body)
    kept = await place.values(place.scope)
    if answer.status == 204:
        assert kept == {} or _same(kept, {"k": json.loads(body)["value"]})
    else:
        assert answer.status in (400, 422)
        assert kept == {"k": "old"}


@SETTINGS
@given(body=BODIES, target=ASSETS)
async def test_any_body_for_an_asset(places: Places, body: Any, target: Callable[[str], str]) -> None:
    """Any body sets an asset's key to what it says, or is a 422 that changes nothing."""
    place = await places.fresh()
    await place.seed(place.asset, {"k": "old"})
    answer = await _ask(place, "PUT", target("k"), json.dumps(body).encode())
    kept = await place.values(place.asset)
    if answer.status == 204:
        assert set(body) == {"value"}
        assert _same(kept, {"k": body["value"]})
    else:
        assert answer.status == 422
        assert kept == {"k": "old"}


@SETTINGS
@given(
    moment=st.datetimes(
        datetime(1, 1, 3),
        datetime(9999, 12, 29),
        timezones=st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(
            lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
        ),
    )
)
async def test_expiry_is_kept_to_the_microsecond(places: Places, moment: datetime) -> None:
    """An aware time is kept as the same moment; an entry that ends in the past is gone at once."""
    place = await places.fresh()
    body = json.dumps({"value": 1, "expires_at": moment.isoformat()}).encode()
    assert (await _ask(place, "PUT", "/execution/store/ti/<ti>/k", body)).status == 204
    entries = await place.entries(place.scope)
    expected = from_datetime(moment)
    assert {key: entry.expires_at for key, entry in entries.items()} == ({"k": expected} if expected > NOON else {})


@SETTINGS
@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"]),
    segments=st.lists(
        st.sampled_from(["execution", "store", "state", "ti", "asset", "by-name", "by-uri", "value", "clear", "<ti>"])
        | st.sampled_from(["<missing>", "<name%>", "", "%", "%2F", "%FF", "%00", "..", "k"]),
        max_size=7,
    )
    | st.lists(PARTS, min_size=1, max_size=4).map(lambda parts: [word for part in parts for word in part.split("/")]),
    query=st.text(st.sampled_from("nameuriky=&%+F0;? ").filter(lambda char: char != " "), max_size=20)
    | st.lists(st.sampled_from(NAMES), max_size=3).flatmap(
        lambda names: st.tuples(*[st.text(st.sampled_from("-+0129.exX_ %FA"), max_size=25) for _ in names]).map(
            lambda values: "&".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
        )
    ),
    body=st.binary(max_size=20),
    authorization=st.sampled_from(["Bearer <own>", "Bearer <user>", "Bearer x.y.z", "", "Basic x"]),
)
async def test_any_request(
    places: Places,
    method: str,
    segments: list[str],
    query: str,
    body: bytes,
    authorization: str,
) -> None:
    """No path, query, body or credentials cause a 5xx or a redirect."""
    place = await places.fresh()
    target = f"/{'/'.join(segments)}?{query}"
    headers = {"authorization": place.fill(authorization), "content-type": "application/json"}
    answer = await ask(place.state, method, place.fill(target), headers, body)
    assert answer.status < 300 or 400 <= answer.status < 500


@SETTINGS
@given(value=st.binary(max_size=60))
async def test_any_header(places: Places, value: bytes) -> None:
    """No value of any header that is looked at causes a 5xx, and none comes back with a control character."""
    place = await places.fresh()
    text = value.decode("latin-1")
    names = ("authorization", "content-type", "accept", "correlation-id", "airflow-api-version", "content-length")
    for name in names:
        headers = {"authorization": place.fill("Bearer <own>"), "content-type": "application/json", name: text}
        answer = await ask(place.state, "PUT", place.fill("/execution/store/ti/<ti>/k"), headers, b'{"value": 1}')
        assert answer.status < 500, (name, value)
        assert all(char.isprintable() for header in answer.headers.values() for char in header)


@SETTINGS
@given(
    body=st.binary(max_size=200) | BODIES.map(lambda body: json.dumps(body).encode()),
    method=st.sampled_from(["PUT", "PATCH"]),
    target=st.sampled_from(
        [
            "/api/v2/dags/dag/dagRuns/<run>/taskInstances/task/state-store/k",
            "/api/v2/dags/dag/dagRuns/<run>/taskInstances/task/states/k",
            "/api/v2/assets/<name-id>/state-store/k",
        ]
    ),
)
@example(body=b'{"value": 1, "expires_at": "0000-01-01T00:00:00Z"}', method="PUT", target="/api/v2/assets/1/states/k")
async def test_any_body_of_a_caller(places: Places, body: bytes, method: str, target: str) -> None:
    """Any body of a public write sets what it says, or is a 4xx that changes nothing."""
    place = await places.fresh()
    scope = place.scope if "/dags/" in target else place.asset
    await place.seed(scope, {"k": "old"})
    place.changed(scope)
    answer = await _ask(place, method, target, body, authorization=place.fill("Bearer <user>"))
    kept = await place.values(scope)
    if answer.status in (200, 204):
        assert kept == {} or _same(kept, {"k": json.loads(body)["value"]})
        read = await _ask(place, "GET", target, authorization=place.fill("Bearer <user>"))
        assert read.status == (200 if kept else 404)
    else:
        assert answer.status in (400, 404, 422)
        assert kept == {"k": "old"}


@SETTINGS
@given(body=st.binary(max_size=100) | ANYTHING.map(lambda body: json.dumps(body).encode()) | st.just(b"{}"))
@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("PUT", "/api/v2/directory/task-instances/<missing>"),
        ("POST", "/api/v2/directory/task-instances"),
        ("PUT", "/api/v2/directory/assets"),
    ],
)
async def test_any_body_for_the_directory(places: Places, body: bytes, method: str, target: str) -> None:
    """A body that is no registration is a 4xx."""
    place = await places.fresh()
    answer = await _ask(place, method, target, body, authorization=place.fill("Bearer <user>"))
    assert answer.status in (400, 422)


FEW_KEYS = st.sampled_from(["k", "l", "\u00e9"])
CONDITIONS: dict[str, st.SearchStrategy[Any]] = {
    "if_revision": st.sampled_from([0, 0, 1, 2**63 - 1]),
    "exists": st.booleans(),
}
STORABLE = VALUES.filter(lambda value: value is not None)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.datetimes(timezones=st.just(timezone.utc)).map(lambda moment: moment.isoformat())
BY_OP: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "get": {},
    "delete": {},
    "check": {"exists": st.booleans()},
    "set": {"value": STORABLE},
    "merge": {"value": STORABLE},
    "increment": {"by": NUMBERS},
    "max": {"value": NUMBERS | TIMES},
    "min": {"value": NUMBERS | TIMES},
}
GOOD_OPERATIONS = st.sampled_from([*BY_OP]).flatmap(
    lambda op: st.fixed_dictionaries({"op": st.just(op), "key": FEW_KEYS, **BY_OP[op]})
)
OPERATIONS = (
    GOOD_OPERATIONS
    | st.tuples(GOOD_OPERATIONS, st.fixed_dictionaries({}, optional=CONDITIONS)).map(
        lambda both: {**both[1], **both[0]}
    )
    | st.fixed_dictionaries(
        {"op": st.sampled_from([*BY_OP]) | ANYTHING, "key": FEW_KEYS | ANYTHING},
        optional={
            **dict.fromkeys(("value", "by", "if_revision", "exists", "x"), ANYTHING),
            "expires_at": ANYTHING | st.datetimes().map(str) | st.integers() | st.just("0000-01-01T00:00:00Z"),
        },
    )
    | ANYTHING
)
BATCHES = st.fixed_dictionaries({"operations": st.lists(GOOD_OPERATIONS, min_size=1, max_size=5)}) | (
    st.fixed_dictionaries({"operations": st.lists(OPERATIONS, max_size=5) | ANYTHING}, optional={"x": ANYTHING})
)
COLLECTIONS = st.sampled_from(
    [
        "/execution/store/ti/<ti>",
        "/execution/store/asset/by-name?name=<name%>",
        "/execution/state/asset/<name%>",
        "/api/v2/dags/dag/dagRuns/<run>/taskInstances/task/states",
        "/api/v2/assets/<name-id>/state-store",
    ]
)


@SETTINGS
@given(
    body=st.binary(max_size=100) | BATCHES.map(lambda body: json.dumps(body).encode()),
    target=COLLECTIONS,
    tag=st.sampled_from(["", "", "", '"0"', "*", '"1"', "x"]),
)
async def test_any_batch(places: Places, body: bytes, target: str, tag: str) -> None:
    """Any batch is done, and its results are what is read afterwards; or it is a 4xx that changes nothing."""
    place = await places.fresh()
    scope = place.scope if "/ti/" in target or "/dags/" in target else place.asset
    before = {"k": 7, "l": {"a": 1}}
    await place.seed(scope, before)
    token = {"authorization": place.fill("Bearer <user>")} if "/api/" in target else {}
    answer = await _ask(place, "POST", target, body, **token, **({"if-match": tag} if tag else {}))
    kept = await place.values(scope)
    if answer.status != 200:
        assert answer.status in (400, 409, 412, 422)
        assert kept == before
        return
    asked = json.loads(body)["operations"]
    results = json.loads(answer.body)["results"]
    assert [(one["op"], one["key"]) for one in results] == [(one["op"], one["key"]) for one in asked]
    last = {one["key"]: (one, wanted) for one, wanted in zip(results, asked, strict=True)}
    entries = await place.entries(scope)
    for key, (one, wanted) in last.items():
        entry = entries.get(key)
        if entry is None:
            assert one["revision"] is None or "expires_at" in wanted  # what was written may be over already
        else:
            assert one["revision"] == entry.revision
            assert "value" not in one or _same(one["value"], json.loads(entry.value))
    assert {key: value for key, value in kept.items() if key not in last} == {
        key: value for key, value in before.items() if key not in last
    }


@SETTINGS
@given(
    body=st.binary(max_size=100) | ANYTHING.map(lambda body: json.dumps(body).encode()),
    target=st.sampled_from(
        [
            "/execution/store/ti/<ti>/k",
            "/execution/store/asset/by-uri/value?uri=<name-uri%>&key=k",
            "/api/v2/dags/dag/dagRuns/<run>/taskInstances/task/state-store/k",
            "/api/v2/assets/<name-id>/states/k",
        ]
    ),
)
async def test_any_merge_patch(places: Places, body: bytes, target: str) -> None:
    """Any patch of an object leaves what RFC 7396 says, or is a 4xx that changes nothing."""
    place = await places.fresh()
    scope = place.scope if "/ti/" in target or "/dags/" in target else place.asset
    await place.seed(scope, {"k": {"a": 1, "b": {"c": 2}}})
    token = {"authorization": place.fill("Bearer <user>")} if "/api/" in target else {}
    sent = {"content-type": "application/merge-patch+json", **token}
    answer = await _ask(place, "PATCH", target, body, **sent)
    kept = await place.values(scope)
    if answer.status in (200, 204):
        assert _same(kept, {"k": merged({"a": 1, "b": {"c": 2}}, json.loads(body))})
    else:
        assert answer.status in (400, 422)
        assert kept == {"k": {"a": 1, "b": {"c": 2}}}


@SETTINGS
@given(
    target=COLLECTIONS,
    query=st.dictionaries(
        st.sampled_from(["limit", "offset", "include", "prefix", "keys_only", "cursor"]),
        st.text(st.sampled_from("-+0129ekaX_ %FA/=\u00e9"), max_size=12)
        | st.sampled_from(["revision", "true", "k", "1"]),
    ),
)
async def test_any_list(places: Places, target: str, query: dict[str, str]) -> None:
    """Any query is answered with a part of the list, or with a 422."""
    place = await places.fresh()
    scope = place.scope if "/ti/" in target or "/dags/" in target else place.asset
    await place.seed(scope, {"k": 1, "k/1": 2, "l": 3})
    token = {"authorization": place.fill("Bearer <user>")} if "/api/" in target else {}
    asked = "&".join(f"{name}={quote(text, safe='%+')}" for name, text in {"list": "true", **query}.items())
    answer = await _ask(place, "GET", f"{target}{'&' if '?' in target else '?'}{asked}", **token)
    assert answer.status in (200, 422)
    if answer.status == 200:
        (entries, total) = json.loads(answer.body).values()
        assert 0 <= len(entries) <= total <= 3


REFERENCES = st.lists(st.none() | st.booleans() | st.integers() | st.text() | st.dictionaries(st.text(), st.integers()))
REGISTRATIONS = st.fixed_dictionaries(
    {"dag_id": st.text(min_size=1) | ANY_SCALARS, "run_id": st.text(min_size=1), "task_id": st.text(min_size=1)},
    optional={
        "map_index": st.integers() | ANY_SCALARS,
        "try_number": st.integers() | ANY_SCALARS,
        "inlets": REFERENCES,
        "outlets": REFERENCES,
        "id": ANY_SCALARS,
    },
)


@SETTINGS
@given(body=REGISTRATIONS)
async def test_any_registration(places: Places, body: Any) -> None:
    """What looks like a registration is one, and is shown as it was told; or it is a 4xx that registers nothing."""
    place = await places.fresh()
    target = f"/api/v2/directory/task-instances/{uuid4()}"
    authorization = place.fill("Bearer <user>")
    content = json.dumps(body).encode()
    answer = await _ask(place, "PUT", target, content, authorization=authorization)
    shown = await _ask(place, "GET", target, authorization=authorization)
    if answer.status == 204:
        read = json.loads(shown.body)
        assert {name: read[name] for name in ("dag_id", "run_id", "task_id")} == {
            name: body[name] for name in ("dag_id", "run_id", "task_id")
        }
    else:
        assert answer.status in (404, 422)
        assert shown.status == 404
