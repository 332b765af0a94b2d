"""What one side writes the other side reads, on every store; and rows that somebody else has written."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from statemount.mount import StateMount
from tests.contract.rows import OWN, USER, Token
from tests.contract.table.values import KEPT
from tests.contract.transports import Answer, ask
from tests.contract.world import Place, StillClock

pytestmark = pytest.mark.anyio

_WORKERS = ["/execution/store/ti/<ti>/k", "/execution/state/ti/<ti>/k"]
_STATE = "/api/v2/dags/dag/dagRuns/<run>/taskInstances/task"
_CALLERS = [f"{_STATE}/state-store", f"{_STATE}/states"]
_ASSET_WORKERS = [
    "/execution/store/asset/by-name/value?name=<name%>&key=k",
    "/execution/store/asset/by-uri/value?uri=<name-uri%>&key=k",
    "/execution/state/asset/<name%>/k",
]
_ASSET_CALLERS = ["/api/v2/assets/<name-id>/state-store", "/api/v2/assets/<name-id>/states"]


@pytest.fixture
async def place(state: StateMount, clock: StillClock) -> AsyncIterator[Place]:
    """Return a task instance and assets with no entries, and turn the clock back afterwards."""
    begin = clock.now
    yield await Place.make(state, clock)
    clock.now = begin


async def _ask(place: Place, token: Token, method: str, target: str, body: bytes | None = None) -> Answer:
    headers = {"authorization": f"Bearer {place.token(token)}", "content-type": "application/json"}
    answer = await ask(place.state, method, place.fill(target), headers, body)
    assert answer.status < 500, answer
    return answer


async def _worker(place: Place, method: str, target: str, body: bytes | None = None) -> Answer:
    return await _ask(place, OWN, method, target, body)


async def _caller(place: Place, method: str, target: str, body: bytes | None = None) -> Answer:
    return await _ask(place, USER, method, target, body)


def _body(text: str, **fields: Any) -> bytes:
    others = "".join(f', "{name}": {json.dumps(value)}' for name, value in fields.items())
    return f'{{"value": {text}{others}}}'.encode()


def _same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same JSON: 1, 1.0 and true are not."""
    return json.dumps(one) == json.dumps(other)


async def _value(answer: Answer) -> Any:
    assert answer.status == 200, answer
    return json.loads(answer.body)["value"]


@pytest.mark.parametrize(("text", "value"), KEPT, ids=range(len(KEPT)))
async def test_every_kind_of_value(place: Place, text: str, value: Any) -> None:
    """A value reads the same on both sides and in both contract versions, whichever side wrote it."""
    for workers, callers in ((_WORKERS, _CALLERS), (_ASSET_WORKERS, _ASSET_CALLERS)):
        assert (await _worker(place, "PUT", workers[0], _body(text))).status == 204
        for path in callers:
            assert _same(await _value(await _caller(place, "GET", f"{path}/k")), value)
            listed = json.loads((await _caller(place, "GET", path)).body)
            assert _same([entry["value"] for entry in next(iter(listed.values()))], [value])
        assert (await _caller(place, "PUT", f"{callers[0]}/k", b'{"value": "between"}')).status == 204
        assert (await _caller(place, "PUT", f"{callers[1]}/k", _body(text))).status == 204
        for path in workers:
            assert _same(await _value(await _worker(place, "GET", path)), value)
        assert (await _caller(place, "PATCH", f"{callers[0]}/k", b'{"value": "between"}')).status == 200
        assert (await _caller(place, "PATCH", f"{callers[1]}/k", _body(text))).status == 200
        for path in workers:
            assert _same(await _value(await _worker(place, "GET", path)), value)


async def test_both_sides_read_the_same_bytes(place: Place) -> None:
    """The stored text stands in the answers of both sides as it is."""
    text = json.dumps({"ä": [1.0, 10**400, "\u2028\0"], "b": {"c": -0.0}})
    await _worker(place, "PUT", _WORKERS[0], _body(text))
    expected = text.encode()
    assert expected in (await _worker(place, "GET", _WORKERS[1])).body
    assert expected in (await _caller(place, "GET", f"{_CALLERS[0]}/k")).body
    assert expected in (await _caller(place, "GET", _CALLERS[1])).body


async def test_worker_writes_more_than_callers_may(place: Place) -> None:
    """A worker's value above the public limit is read by callers, who cannot write it back."""
    text = json.dumps("x" * 100_000)
    assert (await _worker(place, "PUT", _WORKERS[0], _body(text))).status == 204
    assert await _value(await _caller(place, "GET", f"{_CALLERS[0]}/k")) == "x" * 100_000
    assert (await _caller(place, "PUT", f"{_CALLERS[0]}/k", _body(text))).status == 422
    assert await _value(await _worker(place, "GET", _WORKERS[0])) == "x" * 100_000


async def test_worker_sets_the_expiry(place: Place, clock: StillClock) -> None:
    """An expiry that a worker sets is shown to callers, and ends the entry for both sides at once."""
    await _worker(place, "PUT", _WORKERS[0], _body("1", expires_at="2026-11-20T14:00:01.5+02:00"))
    shown = json.loads((await _caller(place, "GET", f"{_CALLERS[0]}/k")).body)
    assert shown["expires_at"] == "2026-11-20T12:00:01.500000Z"
    await _expect_end(place, clock, after=1.5)


async def test_caller_sets_the_expiry(place: Place, clock: StillClock) -> None:
    """An expiry that a caller sets ends the entry for both sides at once, and PATCH leaves it alone."""
    await _caller(place, "PUT", f"{_CALLERS[1]}/k", _body("1", expires_at="2026-11-20T12:00:02Z"))
    assert (await _caller(place, "PATCH", f"{_CALLERS[0]}/k", _body("2"))).status == 200
    assert json.loads((await _caller(place, "GET", f"{_CALLERS[0]}/k")).body)["expires_at"] == "2026-11-20T12:00:02Z"
    await _expect_end(place, clock, after=2)


async def test_default_expiry(place: Place, clock: StillClock) -> None:
    """A caller's entry ends after the configured retention unless it says otherwise; a worker's never does."""
    await _worker(place, "PUT", _WORKERS[0].replace("/k", "/never"), _body("1"))
    await _caller(place, "PUT", f"{_CALLERS[0]}/k", _body("1"))
    await _expect_end(place, clock, after=30 * 86_400)
    clock.advance(365 * 86_400)
    assert set(await place.values(place.scope)) == {"never"}


async def _expect_end(place: Place, clock: StillClock, *, after: float) -> None:
    clock.now += int(after * 1_000_000) - 1
    for path in _WORKERS:
        assert (await _worker(place, "GET", path)).status == 200
    total = len(await place.values(place.scope))
    clock.now += 1
    for path in _WORKERS:
        assert (await _worker(place, "GET", path)).status == 404
    for path in _CALLERS:
        assert (await _caller(place, "GET", f"{path}/k")).status == 404
        assert (await _caller(place, "PATCH", f"{path}/k", _body("1"))).status == 404
        assert json.loads((await _caller(place, "GET", path)).body)["total_entries"] == total - 1


async def test_who_wrote_an_asset(place: Place) -> None:
    """An asset's entry names who wrote it last: the task instance, a watcher, or the public API."""
    nil = "00000000-0000-0000-0000-000000000000"
    watcher = Token({"sub": nil, "assets": ["<name>"]})
    task = {"kind": "task", "dag_id": "dag", "run_id": "<run>", "task_id": "task", "map_index": -1}
    nobody = dict.fromkeys(("dag_id", "run_id", "task_id", "map_index"))
    for token, target, writer in (
        (OWN, _ASSET_WORKERS[0], task),
        (watcher, _ASSET_WORKERS[1], {"kind": "watcher", **nobody}),
        (USER, f"{_ASSET_CALLERS[1]}/k", {"kind": "api", **nobody}),
        (OWN, _ASSET_WORKERS[2], task),
    ):
        assert (await _ask(place, token, "PUT", target, _body("1"))).status == 204
        for path in (f"{_ASSET_CALLERS[0]}/k", _ASSET_CALLERS[0]):
            shown = json.loads((await _caller(place, "GET", path)).body)
            entry = shown if path.endswith("/k") else shown["asset_state_store"][0]
            assert entry["last_updated_by"] == place.fill(writer)
            assert "last_updated_by" not in (await _caller(place, "GET", path.replace("-store", "s"))).body.decode()


async def test_caller_is_remembered(place: Place) -> None:
    """The log keeps who wrote over the public API: the token's subject."""
    await _caller(place, "PUT", f"{_CALLERS[0]}/k", _body("1"))
    await _caller(place, "PATCH", f"{_CALLERS[0]}/k", _body("2"))
    await _caller(place, "DELETE", f"{_CALLERS[0]}/k")
    changes = await place.state.service.store.changes(place.scope)
    assert [(change.kind, change.writer and change.writer.subject) for change in changes] == [
        ("set", "ann"),
        ("set", "ann"),
        ("delete", "ann"),
    ]


async def test_clear_reaches_both_sides(place: Place) -> None:
    """What one side clears is gone on the other."""
    await _worker(place, "PUT", _WORKERS[0], _body("1"))
    assert (await _caller(place, "DELETE", _CALLERS[0])).status == 204
    assert (await _worker(place, "GET", _WORKERS[0])).status == 404
    await _caller(place, "PUT", f"{_CALLERS[0]}/k", _body("1"))
    assert (await _worker(place, "DELETE", "/execution/store/ti/<ti>")).status == 204
    assert json.loads((await _caller(place, "GET", _CALLERS[1])).body) == {"task_states": [], "total_entries": 0}
