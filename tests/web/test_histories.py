"""Histories over HTTP, on every store; the table of the contract has what needs no revision."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from statemount.auth import DefaultAuthorizer, JWTAuth
from statemount.model import AssetScope, MappedTask
from statemount.mount import StateMount
from statemount.operations import Set
from tests.contract.rows import OWN, USER, WATCHER, Token
from tests.contract.transports import Answer, ask
from tests.contract.world import SECRET, Place, StillClock

pytestmark = pytest.mark.anyio

_TASK = "/api/v2/dags/dag/dagRuns/<run>/taskInstances/task"
_MAPPED = "/api/v2/dags/dag/dagRuns/<run>/taskInstances/mapped"
_ASSET = "/api/v2/assets/<name-id>"
_WORKER = "/execution/store/ti/<ti>"
_WORKER_ASSET = "/execution/store/asset/by-name/value?name=<name%>&key="
_SECOND = 1_000_000
_SETTINGS = {"max_value_storage_bytes": 100, "history_max_value_bytes": 50, "history_max_changes": 20}


@pytest.fixture
def clock() -> StillClock:
    """Return the clock of every part."""
    return StillClock()


@pytest.fixture(params=["assets", "all", "none"])
def values(request: pytest.FixtureRequest) -> str:
    """Return whose values the history keeps."""
    return str(request.param)


def make_app(url: str | None, clock: StillClock, **settings: Any) -> StateMount:
    """Return an app that keeps little."""
    return StateMount(
        url or "memory://",
        auth=JWTAuth(secret=SECRET, watchers=True, clock=clock),
        authorizer=DefaultAuthorizer(),
        clock=clock,
        **{**_SETTINGS, **settings},
    )


@pytest.fixture
async def place(backend_url: str | None, clock: StillClock) -> AsyncIterator[Place]:
    """Return a task instance and assets of a running app that nobody has written to, on every kind of store."""
    app = make_app(backend_url, clock)
    async with app.lifespan():
        yield await Place.make(app, clock)


async def send(
    place: Place, method: str, target: str, body: Any = None, *, token: Token | None = None, **headers: str
) -> Answer:
    """Ask as who may do so."""
    token = token or (OWN if target.startswith("/execution") else USER)
    sent = {"authorization": f"Bearer {place.token(token)}", "content-type": "application/json"}
    sent |= {name.replace("_", "-"): text for name, text in headers.items()}
    content = None if body is None else json.dumps(body).encode()
    return await ask(place.state, method, place.fill(target), sent, content)


async def get(place: Place, target: str) -> Any:
    """Return what a GET is answered with."""
    answer = await send(place, "GET", target)
    assert answer.status == 200, answer
    return json.loads(answer.body)


async def put(place: Place, target: str, value: Any, **fields: Any) -> int:
    """Set a key; return its revision."""
    answer = await send(place, "PUT", target, {"value": value, **fields})
    assert answer.status == 204, answer
    return int(answer.headers["etag"].strip('"'))


def time_of(clock: StillClock, seconds: float = 0) -> str:
    """Return a time as answers write it."""
    moment = datetime.fromtimestamp(clock.now / _SECOND, timezone.utc) + timedelta(seconds=seconds)
    return moment.isoformat().replace("+00:00", "Z")


def of_api(subject: str | None = "ann", kind: str = "api", **ids: Any) -> dict[str, Any]:
    """Return a writer."""
    return {"kind": kind, "dag_id": None, "run_id": None, "task_id": None, "map_index": None, "subject": subject, **ids}


async def test_the_history_of_a_task(place: Place, clock: StillClock) -> None:
    """Each change is told with who made it and when; the values of tasks are not kept."""
    first = await put(place, f"{_WORKER}/a", [1], expires_at=time_of(clock, 1))
    clock.advance(0.5)
    await put(place, f"{_TASK}/state-store/b", "x", expires_at=None)
    clock.advance(1)
    await put(place, f"{_TASK}/states/a", 2)
    assert (await send(place, "DELETE", f"{_TASK}/state-store")).status == 204
    worker = of_api(None, "task", dag_id="dag", run_id=place.scope.run_id, task_id="task", map_index=-1)
    assert await get(place, f"{_TASK}/state-history") == {
        "changes": [
            _change(first + 4, "clear", None, time_of(clock), of_api()),
            _change(first + 3, "set", "a", time_of(clock), of_api(), 1, time_of(clock, 30 * 86_400)),
            _change(first + 2, "expire", "a", time_of(clock), None),
            _change(first + 1, "set", "b", time_of(clock, -1), of_api(), 3),
            _change(first, "set", "a", time_of(clock, -1.5), worker, 3, time_of(clock, -0.5)),
        ],
        "revision": first + 4,
        "complete": True,
    }
    other = await get(place, f"{_TASK}/state-history?map_index=0")
    assert other == {"changes": [], "revision": 0, "complete": True}


def _change(
    revision: int, operation: str, key: str | None, at: str, writer: Any, size: int = 0, expires_at: str | None = None
) -> dict[str, Any]:
    change = {"revision": revision, "operation": operation, "key": key, "at": at, "writer": writer}
    return {**change, "size": size, "expires_at": expires_at}


async def test_the_history_of_an_asset(place: Place, clock: StillClock) -> None:
    """The values of assets are kept up to a length, whoever wrote them: a task, a watcher, or somebody by name."""
    first = await put(place, f"{_WORKER_ASSET}k/%2F", {"n": "\u00e9"})
    answer = await send(place, "PUT", f"{_WORKER_ASSET}w", {"value": 7}, token=WATCHER)
    assert answer.status == 204
    await put(place, f"{_ASSET}/state-store/long", "v" * 60)
    history = await get(place, f"{_ASSET}/state-history")
    assert [change["writer"]["kind"] for change in history["changes"]] == ["api", "watcher", "task"]
    assert history["changes"][1]["writer"]["subject"] == "00000000-0000-0000-0000-000000000000"
    assert [change.get("value", "not kept") for change in history["changes"]] == ["not kept", 7, {"n": "\u00e9"}]
    assert [change["size"] for change in history["changes"]] == [62, 1, 15]
    one = await get(place, f"{_ASSET}/state-history/k//")
    assert (one["changes"], one["revision"]) == (history["changes"][2:], first + 2)
    assert (await get(place, f"{_ASSET}/state-store/w"))["last_updated_by"]["kind"] == "watcher"
    assert "subject" not in (await get(place, f"{_ASSET}/state-store/w"))["last_updated_by"]


@pytest.mark.parametrize("key", ["", "/a"])
async def test_pages(place: Place, key: str) -> None:
    """A walk along the links sees each change once, although others write meanwhile; the last page has no link."""
    revisions = [await put(place, f"{_ASSET}/state-store/{'ab'[number % 2]}", number) for number in range(9)]
    expected = revisions[::-2] if key else revisions[::-1]
    target, seen = f"{_ASSET}/state-history{key}?limit=2", list[int]()
    while target:
        answer = await send(place, "GET", target)
        seen += [change["revision"] for change in json.loads(answer.body)["changes"]]
        link = answer.headers.get("link", "")
        assert bool(link) is (len(seen) < len(expected))
        assert link in ("", f'<?limit=2&before={seen[-1]}>; rel="next"')
        target = f"{_ASSET}/state-history{key}{link[1:].partition('>')[0]}" if link else ""
        await put(place, f"{_ASSET}/states/a", "new")
    assert seen == expected
    assert "link" not in (await send(place, "GET", f"{_ASSET}/state-history{key}?limit=0")).headers


async def test_the_link_of_a_mapped_task(place: Place) -> None:
    """The link keeps the map index, and nothing that is no parameter."""
    target = f"{_MAPPED}/state-store/k?map_index=1"
    await put(place, target, 1)
    await put(place, target, 2)
    answer = await send(place, "GET", target.replace("-store/k", "-history") + "&limit=1&x=y")
    before = json.loads(answer.body)["changes"][0]["revision"]
    assert answer.headers["link"] == f'<?map_index=1&limit=1&before={before}>; rel="next"'


async def test_an_asset_as_it_was(place: Place, clock: StillClock) -> None:
    """The entry is told as it was right after a change, or at a time."""
    one = await put(place, f"{_ASSET}/state-store/k", {"n": 1})
    at_one = time_of(clock)
    clock.advance(60)
    two = await put(place, f"{_ASSET}/states/k", {"n": 2})
    clock.advance(60)
    await send(place, "DELETE", f"{_ASSET}/state-store/k")
    history = f"{_ASSET}/state-history/k"
    first = {"key": "k", "value": {"n": 1}, "revision": one, "updated_at": at_one, "writer": of_api()}
    assert await get(place, f"{history}?revision={one}") == first
    assert await get(place, f"{history}?at={at_one}") == first
    assert await get(place, f"{history}?at={time_of(clock, -61)}") == first
    assert (await get(place, f"{history}?at={time_of(clock, -60)}"))["revision"] == two
    assert (await get(place, f"{history}?revision={two}"))["value"] == {"n": 2}
    for query in (f"revision={one - 1}", f"revision={two + 1}", f"at={time_of(clock)}", f"at={time_of(clock, -121)}"):
        answer = await send(place, "GET", f"{history}?{query}")
        assert (answer.status, json.loads(answer.body)["detail"]) == (404, "Asset state store key 'k' not found")
    answer = await send(place, "GET", f"{history}?revision={two + 2}")
    assert answer.status == 422
    (problem,) = json.loads(answer.body)["detail"]
    assert (problem["loc"], problem["input"]) == (["query", "revision"], two + 2)
    assert problem["msg"] == f"Value error, the revision is yet to come: it is {two + 1} now"


async def test_a_task_as_it_was(place: Place, clock: StillClock) -> None:
    """What is not kept is gone, in both shapes; an entry that nobody has written since is still known."""
    history = f"{_TASK}/state-history/k"
    one = await put(place, f"{_TASK}/state-store/k", 1, expires_at=time_of(clock, 60))
    assert await get(place, f"{history}?revision={one}") == {
        "key": "k",
        "value": 1,
        "revision": one,
        "updated_at": time_of(clock),
        "expires_at": time_of(clock, 60),
        "writer": of_api(),
    }
    clock.advance(60)
    assert (await send(place, "GET", f"{history}?at={time_of(clock)}")).status == 404
    assert (await send(place, "GET", f"{history}?revision={one}")).status == 200
    await put(place, f"{_TASK}/state-store/k", 2)
    message = "the history does not tell what key 'k' was then"
    answer = await send(place, "GET", f"{history}?revision={one}")
    assert (answer.status, json.loads(answer.body)) == (
        410,
        {"detail": {"reason": "history_gone", "message": message}},
    )
    answer = await send(place, "GET", f"{history}?revision={one}", accept="application/problem+json")
    assert json.loads(answer.body) == {
        "type": "urn:statemount:problem:history-gone",
        "title": "It is not known any more how it was",
        "status": 410,
        "detail": message,
    }


async def test_whose_values_are_kept(backend_url: str | None, clock: StillClock, values: str) -> None:
    """It is set whether the history keeps the values of assets, of tasks too, or none."""
    app = make_app(backend_url, clock, history_values=values)
    async with app.lifespan():
        place = await Place.make(app, clock)
        for target, is_kept in ((_TASK, values == "all"), (_ASSET, values != "none")):
            first = await put(place, f"{target}/state-store/k", 1)
            await put(place, f"{target}/state-store/k", 2)
            changes = (await get(place, f"{target}/state-history"))["changes"]
            assert [change.get("value") for change in changes] == ([2, 1] if is_kept else [None, None])
            answer = await send(place, "GET", f"{target}/state-history/k?revision={first}")
            assert answer.status == (200 if is_kept else 410)


async def test_what_is_too_much_is_gone(place: Place) -> None:
    """After so many changes the first ones are gone, and the history says so."""
    first = await put(place, f"{_ASSET}/state-store/k", 0)
    for number in range(40):
        await put(place, f"{_ASSET}/state-store/k", number)
    history = await get(place, f"{_ASSET}/state-history")
    assert 20 <= len(history["changes"]) < 32
    assert history["complete"] is False
    assert (await send(place, "GET", f"{_ASSET}/state-history/k?revision={first}")).status == 410
    assert (await send(place, "POST", f"{_ASSET}/state-history/k", {"revision": first})).status == 410


async def test_clean_up(place: Place, clock: StillClock) -> None:
    """After a week a change is gone."""
    await put(place, f"{_ASSET}/state-store/k", 0)
    clock.advance(7 * 86_400)
    await put(place, f"{_ASSET}/state-store/k", 1)
    assert (await place.state.service.clean_up()).changes == 0
    clock.advance(1)
    assert (await place.state.service.clean_up()).changes == 1
    history = await get(place, f"{_ASSET}/state-history")
    assert ([change["value"] for change in history["changes"]], history["complete"]) == ([1], False)


async def test_revert(place: Place, clock: StillClock) -> None:
    """What a key held is written again as a change of its own, by whoever asked for it."""
    one = await put(place, f"{_ASSET}/state-store/k", {"n": 1})
    two = await put(place, f"{_ASSET}/state-store/k", {"n": 2})
    clock.advance(1)
    answer = await send(place, "POST", f"{_ASSET}/state-history/k", {"revision": one})
    assert (answer.status, answer.body, answer.headers["etag"]) == (204, b"", f'"{two + 1}"')
    entry = await get(place, f"{_ASSET}/state-store/k")
    assert (entry["value"], entry["updated_at"]) == ({"n": 1}, time_of(clock))
    answer = await send(place, "POST", f"{_ASSET}/state-history/k", {"revision": one - 1})
    assert (answer.status, answer.headers.get("etag")) == (204, None)
    assert (await send(place, "GET", f"{_ASSET}/state-store/k")).status == 404
    answer = await send(place, "POST", f"{_ASSET}/state-history/k", {"revision": two})
    assert (await get(place, f"{_ASSET}/state-store/k"))["value"] == {"n": 2}
    changes = (await get(place, f"{_ASSET}/state-history/k"))["changes"]
    assert [change["operation"] for change in changes] == ["set", "delete", "set", "set", "set"]
    assert changes[0]["writer"] == of_api()
    answer = await send(place, "POST", f"{_ASSET}/state-history/k", {"revision": two + 9})
    assert answer.status == 422
    assert json.loads(answer.body)["detail"][0]["loc"] == ["body", "revision"]


async def test_revert_on_a_condition(place: Place) -> None:
    """A condition is on the entry as it is now: nothing is undone that somebody has written meanwhile."""
    history = f"{_ASSET}/state-history/k"
    one = await put(place, f"{_ASSET}/state-store/k", 1)
    two = await put(place, f"{_ASSET}/state-store/k", 2)
    for revision in (one, one - 1):
        answer = await send(place, "POST", history, {"revision": revision}, if_match=f'"{one}"')
        assert (answer.status, answer.headers["etag"]) == (412, f'"{two}"')
    answer = await send(place, "POST", history, {"revision": one}, if_none_match="*")
    assert answer.status == 412
    answer = await send(place, "POST", history, {"revision": one}, if_match=f'"{two}"')
    assert (answer.status, answer.headers["etag"]) == (204, f'"{two + 1}"')
    await send(place, "DELETE", f"{_ASSET}/state-store/k")
    assert (await send(place, "POST", history, {"revision": two}, if_match=f'"{two + 1}"')).status == 412
    assert (await send(place, "POST", history, {"revision": two}, if_none_match="*")).status == 204


async def test_revert_of_a_task(place: Place, clock: StillClock) -> None:
    """The entry ends when it did then; where that is over, it is kept for the default retention."""
    history = f"{_TASK}/state-history/k"
    revision = await put(place, f"{_TASK}/state-store/k", 1, expires_at=time_of(clock, 60))
    for seconds, left in ((59, 1), (1, 30 * 86_400)):
        clock.advance(seconds)
        answer = await send(place, "POST", history, {"revision": revision})
        assert answer.status == 204
        entry = await get(place, f"{_TASK}/state-store/k")
        assert (entry["value"], entry["expires_at"]) == (1, time_of(clock, left))
        assert (await send(place, "POST", history, {"revision": revision})).status == 410  # it is overwritten by now
        revision = int(answer.headers["etag"].strip('"'))
    eternal = await put(place, f"{_TASK}/state-store/k", 2, expires_at=None)
    assert (await send(place, "POST", history, {"revision": eternal})).status == 204
    assert (await get(place, f"{_TASK}/state-store/k"))["expires_at"] is None


async def test_revert_keeps_to_the_limits(place: Place) -> None:
    """What a worker may write and the public API may not, a revert may not either."""
    long = await put(place, f"{_WORKER}/k", "v" * 150)
    answer = await send(place, "POST", f"{_TASK}/state-history/k", {"revision": long})
    assert answer.status == 422
    (problem,) = json.loads(answer.body)["detail"]
    assert problem["loc"] == ["body", "revision"]
    assert problem["input"] == long
    assert problem["msg"].startswith("Value error, value exceeds max_value_storage_bytes (100)")


async def test_reverts_at_once(place: Place) -> None:
    """Of reverts on the same condition one is done."""
    one = await put(place, f"{_ASSET}/state-store/k", 1)
    two = await put(place, f"{_ASSET}/state-store/k", 2)
    back, condition = {"revision": one}, f'"{two}"'
    reverts = [send(place, "POST", f"{_ASSET}/state-history/k", back, if_match=condition) for _ in range(8)]
    answers = await asyncio.gather(*reverts)
    assert sorted(answer.status for answer in answers) == [204, *[412] * 7]


async def test_purge(place: Place) -> None:
    """Old values go with the key, the lines stay; a purge of what is gone already works, and one on a condition."""
    for key in ("k", "l"):
        await put(place, f"{_ASSET}/state-store/{key}", "secret")
    assert (await send(place, "DELETE", f"{_ASSET}/state-store/k?purge=true", if_match='"1"')).status == 412
    assert [change["value"] for change in (await get(place, f"{_ASSET}/state-history"))["changes"]] == ["secret"] * 2
    assert (await send(place, "DELETE", f"{_ASSET}/state-store/k")).status == 204
    assert (await send(place, "DELETE", f"{_ASSET}/states/k?purge=1")).status == 204
    changes = (await get(place, f"{_ASSET}/state-history"))["changes"]
    assert [(change["operation"], change["size"], change.get("value")) for change in changes] == [
        ("delete", 0, None),
        ("set", 8, "secret"),
        ("set", 8, None),
    ]
    assert (await send(place, "GET", f"{_ASSET}/state-history/k?revision={changes[2]['revision']}")).status == 410
    assert (await send(place, "DELETE", f"{_ASSET}/state-store?purge=true")).status == 204
    changes = (await get(place, f"{_ASSET}/state-history"))["changes"]
    assert not any("value" in change for change in changes)


async def test_purge_of_every_map_index(backend_url: str | None, clock: StillClock) -> None:
    """Clearing all map indices of a task can purge them all."""
    app = make_app(backend_url, clock, history_values="all")
    async with app.lifespan():
        place = await Place.make(app, clock)
        for index in (0, 1):
            await put(place, f"{_MAPPED}/state-store/k?map_index={index}", "secret")
        answer = await send(place, "DELETE", f"{_MAPPED}/states?all_map_indices=true&purge=true")
        assert answer.status == 204
        for index in (0, 1):
            changes = (await get(place, f"{_MAPPED}/state-history?map_index={index}"))["changes"]
            assert [change["operation"] for change in changes] == ["clear", "set"]
            assert not any("value" in change for change in changes)


async def test_in_process(place: Place) -> None:
    """What the routes do, the service does without them."""
    service = place.state.service
    scope = AssetScope(place.asset.asset_id)
    await service.assets.set(scope, "k", 1)
    await service.assets.set(scope, "k", 2)
    history = await service.histories.changes(scope, key="k")
    assert [change.value for change in history.changes] == ["2", "1"]
    result = await service.histories.revert(scope, "k", history.changes[1].revision)
    assert (await service.histories.get(scope, "k", revision=result.revision)).load() == 1
    assert (await service.histories.revert(scope, "k", 0)).status == "changed"
    await service.assets.clear(scope, purge=True)
    await service.tasks.clear(MappedTask("dag", "run", "none"), purge=True)
    assert all(change.value is None for change in (await service.histories.changes(scope)).changes)


@pytest.mark.parametrize("limited", ["dags", "assets"])
async def test_a_token_for_other_dags_and_assets(place: Place, limited: str) -> None:
    """A token that is limited to others does not read a history, nor revert, nor learn what exists."""
    token = Token({**USER.changes, limited: ["other*"]})
    target = _TASK if limited == "dags" else _ASSET
    await put(place, f"{target}/state-store/k", 1)
    for place_of_state in (target, f"{_TASK}-none", "/api/v2/assets/<unknown-id>"):
        if ("/dags/" in place_of_state) is (limited == "dags"):
            for path in ("", "/k", "/k?revision=0"):
                answer = await send(place, "GET", f"{place_of_state}/state-history{path}", token=token)
                assert answer.status == 403
            answer = await send(place, "POST", f"{place_of_state}/state-history/k", {"revision": 1}, token=token)
            assert answer.status == 403


async def test_values_that_somebody_else_wrote(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """A text that is no JSON is shown as null, and is not reverted to."""
    revision = await put(place, f"{_ASSET}/state-store/k", 1)
    await place.state.service.store.apply(place.asset, [Set("k", "no JSON")], writer=None)
    await put(place, f"{_ASSET}/state-store/k", 2)
    changes = (await get(place, f"{_ASSET}/state-history"))["changes"]
    assert [change.get("value", "not kept") for change in changes] == [2, None, 1]
    assert changes[1]["writer"] is None
    assert (await get(place, f"{_ASSET}/state-history/k?revision={revision + 1}"))["value"] is None
    assert len(caplog.records) == 2
    answer = await send(place, "POST", f"{_ASSET}/state-history/k", {"revision": revision + 1})
    assert answer.status == 410
    assert (await get(place, f"{_ASSET}/state-store/k"))["value"] == 2
