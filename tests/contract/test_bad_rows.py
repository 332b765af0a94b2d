"""Rows that somebody else has written into the tables: they do not keep anybody from the rows beside them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from statemount.mount import StateMount
from tests.contract.outsiders import Outsider
from tests.contract.rows import OWN, USER
from tests.contract.transports import Answer, ask
from tests.contract.world import NOON, Place, StillClock, make_state
from tests.databases import Databases

pytestmark = pytest.mark.anyio

_STATE = "/api/v2/dags/dag/dagRuns/<run>/taskInstances/task"
_LIST = f"{_STATE}/state-store"
_ASSET = "/api/v2/assets/<name-id>/state-store"


@pytest.fixture(scope="module")
async def state(database_kind: str, databases: Databases, clock: StillClock) -> AsyncIterator[StateMount]:
    """Return a running app on tables."""
    app = make_state(databases.clean(database_kind), clock)
    async with app.lifespan():
        yield app


@pytest.fixture
async def place(state: StateMount, clock: StillClock) -> Place:
    """Return a task instance and assets with two entries each."""
    return await _make_place(state, clock)


async def _make_place(state: StateMount, clock: StillClock) -> Place:
    place = await Place.make(state, clock)
    await place.seed(place.scope, {"a": 1, "z": [2]})
    await place.seed(place.asset, {"a": 1, "z": [2]})
    return place


@pytest.fixture
def outsider(state: StateMount) -> Outsider:
    """Return somebody who writes behind the app's back."""
    return Outsider(state)


async def _listed(place: Place, target: str) -> dict[str, dict[str, Any]]:
    headers = {"authorization": f"Bearer {place.token(USER)}"}
    answer = await ask(place.state, "GET", place.fill(target), headers, None)
    assert answer.status == 200, answer
    return {entry["key"]: entry for entry in next(iter(json.loads(answer.body).values()))}


@pytest.mark.parametrize(
    "writer", ["", "x", "[]", "{}", '{"kind": "martian"}', '{"kind": "task", "dag_id": 5}', '{"kind": "api", "x": 1}']
)
async def test_writer_that_is_none(place: Place, outsider: Outsider, writer: str) -> None:
    """A writer that is none of ours is null."""
    await outsider.insert(place.asset, b"m", "1", writer=writer)
    listed = await _listed(place, _ASSET)
    assert listed["m"]["last_updated_by"] is None
    assert listed["a"]["last_updated_by"]["kind"] == "api"


async def test_times_that_are_none(place: Place, outsider: Outsider) -> None:
    """A time outside of the years 1 to 9999 is shown as the nearest one."""
    await outsider.insert(place.scope, b"b", "1", updated_at=-(2**62), expires_at=2**62)
    await outsider.insert(place.scope, b"c", "1", updated_at=2**62)
    listed = await _listed(place, _LIST)
    assert listed["b"]["updated_at"].startswith("0001-01-01T00:00:00")
    assert listed["b"]["expires_at"].startswith("9999-12-31T23:59:59")
    assert listed["c"]["updated_at"].startswith("9999-12-31T23:59:59")


async def test_key_that_is_no_text(place: Place, outsider: Outsider) -> None:
    """A key that is not UTF-8 is shown with replacement characters, and keeps nobody from the others."""
    await outsider.insert(place.scope, b"m\xff", "1")
    assert set(await _listed(place, _LIST)) == {"a", "m\ufffd", "z"}


async def test_a_walk_over_keys_that_are_no_text(place: Place, outsider: Outsider) -> None:
    """A walk from cursor to cursor ends, whatever the keys are that it meets."""
    for key in (b"b\xff", b"c\xed\xa0\x80", b"\xff", b"\xf0\x9f"):
        await outsider.insert(place.scope, key, "1")
    headers = {"authorization": f"Bearer {place.token(USER)}"}
    for limit in (1, 2, 3):
        target, parts = place.fill(f"{_LIST}?limit={limit}&cursor="), 0
        while target and parts < 20:
            answer = await ask(place.state, "GET", target, headers, None)
            assert answer.status == 200, answer
            parts += 1
            link = answer.headers.get("link", "")
            target = place.fill(_LIST) + link[1 : link.index(">")] if link else ""
        assert parts < 20


async def test_updates_of_what_is_no_json(place: Place, outsider: Outsider) -> None:
    """A get shows null; an update is refused with a reason and changes nothing; a set in the same batch replaces it."""
    await outsider.insert(place.scope, b"m", "nonsense")
    headers = {"authorization": f"Bearer {place.token(USER)}", "content-type": "application/json"}

    async def batch(*operations: dict[str, Any]) -> Answer:
        body = json.dumps({"operations": operations}).encode()
        return await ask(place.state, "POST", place.fill(_LIST), headers, body)

    (got,) = json.loads((await batch({"op": "get", "key": "m"})).body)["results"]
    assert (got["status"], got["value"], got["expires_at"]) == ("unchanged", None, None)
    for operation in ({"op": "increment"}, {"op": "merge", "value": {}}, {"op": "max", "value": 1}):
        failed = await batch({"op": "set", "key": "a", "value": 2}, {**operation, "key": "m"})
        detail = json.loads(failed.body)["detail"]
        assert (failed.status, detail["reason"], detail["index"]) == (409, "update_failed", 1)
        assert "the stored value cannot be read" in detail["message"]
    for target, token in ((f"{_LIST}/m", USER), ("/execution/store/ti/<ti>/m", OWN)):
        sent = {"authorization": f"Bearer {place.token(token)}", "content-type": "application/merge-patch+json"}
        patched = await ask(place.state, "PATCH", place.fill(target), sent, b"{}")
        assert (patched.status, json.loads(patched.body)["detail"]["reason"]) == (409, "update_failed")
        assert patched.headers["etag"].strip('"').isdigit()
    assert (await _listed(place, _LIST))["a"]["value"] == 1
    done = await batch({"op": "set", "key": "m", "value": 1}, {"op": "increment", "key": "m"})
    assert json.loads(done.body)["results"][1]["value"] == 2


async def test_columns_of_other_types(tmp_path: Path, clock: StillClock) -> None:
    """What SQLite keeps although the column is of another type is shown as far as that can be."""
    state = make_state(f"sqlite:///{tmp_path / 'state.db'}", clock)
    async with state.lifespan():
        place = await _make_place(state, clock)
        outsider = Outsider(state)
        rows: list[tuple[Any, Any, Any, Any]] = [
            (b"b", b"1", NOON, None),
            (b"c", 5.5, NOON, None),
            (b"d", "1", "2026-01-01", "2026-01-01"),
            ("e", "1", 1.5, None),
        ]
        for key, value, updated_at, expires_at in rows:
            await outsider.insert(place.scope, key, value, updated_at=updated_at, expires_at=expires_at)
        listed = await _listed(place, _LIST)
        assert set(listed) == {"a", "b", "c", "d", "e", "z"}
        assert listed["b"]["value"] is None
        assert listed["d"]["updated_at"] == "1970-01-01T00:00:00Z"
        headers = {"authorization": f"Bearer {place.token(USER)}"}
        answers = await asyncio.gather(
            *[ask(state, "GET", place.fill(f"{_LIST}/{key}"), headers, None) for key in "abcdz"]
        )
        assert [answer.status for answer in answers] == [200] * 5
        operations = [{"op": "get", "key": key} for key in "abcd"]
        body = json.dumps({"operations": operations}).encode()
        sent = {**headers, "content-type": "application/json"}
        answer = await ask(state, "POST", place.fill(_LIST), sent, body)
        assert [one["value"] for one in json.loads(answer.body)["results"]] == [1, None, 5.5, 1]
