"""Stored texts that are no JSON, which somebody else has written: they are null, and the rest is served."""

from __future__ import annotations

import json

import pytest

from statemount.mount import StateMount
from tests.contract.outsiders import Outsider
from tests.contract.rows import OWN, USER, Token
from tests.contract.transports import Answer, ask
from tests.contract.world import Place, StillClock

pytestmark = pytest.mark.anyio

_NO_JSON = ["", "not json", "NaN", '{"a": -Infinity}', '{"a":', "[1,]", "1 2", "gAAAAABk", "'a'", '"a', "[" * 100_000]
_STATE = "/api/v2/dags/dag/dagRuns/<run>/taskInstances/task"
_LISTS = [f"{_STATE}/state-store", f"{_STATE}/states", "/api/v2/assets/<name-id>/state-store"]


@pytest.fixture
async def place(state: StateMount, clock: StillClock) -> Place:
    """Return a task instance and assets with two entries each."""
    place = await Place.make(state, clock)
    await place.seed(place.scope, {"a": 1, "z": [2]})
    await place.seed(place.asset, {"a": 1, "z": [2]})
    return place


async def _get(place: Place, target: str, token: Token = USER) -> Answer:
    headers = {"authorization": f"Bearer {place.token(token)}"}
    return await ask(place.state, "GET", place.fill(target), headers, None)


async def _values(place: Place, target: str) -> dict[str, object]:
    answer = await _get(place, target)
    assert answer.status == 200, answer
    return {entry["key"]: entry["value"] for entry in next(iter(json.loads(answer.body).values()))}


@pytest.mark.parametrize("text", _NO_JSON, ids=range(len(_NO_JSON)))
async def test_value_that_is_no_json(
    state: StateMount, place: Place, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A stored text that is no JSON is null in a list, alone and for workers, and logged; the rest is served."""
    for scope in (place.scope, place.asset):
        await Outsider(state).write(scope, "m", text)
    for target in _LISTS:
        caplog.clear()
        assert await _values(place, target) == {"a": 1, "m": None, "z": [2]}
        (record,) = [record for record in caplog.records if record.name == "statemount.web"]
        assert "key 'm'" in record.getMessage()
        assert json.loads((await _get(place, f"{target}/m")).body)["value"] is None
    for target in ("/execution/store/ti/<ti>/m", "/execution/state/asset/<name%>/m"):
        answer = await _get(place, target, OWN)
        assert (answer.status, json.loads(answer.body)) == (200, {"value": None})


async def test_bad_value_can_be_replaced(state: StateMount, place: Place) -> None:
    """A bad value is overwritten and deleted as any other."""
    await Outsider(state).write(place.scope, "m", "not json")
    headers = {"authorization": f"Bearer {place.token(USER)}", "content-type": "application/json"}
    target = place.fill(f"{_LISTS[0]}/m")
    assert (await ask(place.state, "PATCH", target, headers, b'{"value": 5}')).status == 200
    assert (await _values(place, _LISTS[0]))["m"] == 5
    assert (await ask(place.state, "DELETE", target, headers, None)).status == 204
    assert set(await _values(place, _LISTS[0])) == {"a", "z"}
