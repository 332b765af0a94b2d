"""The directory over HTTP: what is registered there counts for workers and callers."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from statemount.auth import JWTAuth
from statemount.directory.cache import CachedDirectory
from statemount.directory.memory import MemoryDirectory
from statemount.model import TaskScope
from statemount.mount import StateMount
from tests.contract.rows import OWN, USER, Token
from tests.contract.transports import Answer, ask
from tests.contract.world import SECRET, Place, StillClock

pytestmark = pytest.mark.anyio

_DIR = "/api/v2/directory"
_NEW = {"dag_id": "dag", "run_id": "<run>", "task_id": "task"}


async def _ask(place: Place, method: str, target: str, body: Any = None, token: Token = USER) -> Answer:
    content = None if body is None else json.dumps(place.fill(body)).encode()
    headers = {"authorization": f"Bearer {place.token(token)}", "content-type": "application/json"}
    answer = await ask(place.state, method, place.fill(target), headers, content)
    assert answer.status < 500, answer
    return answer


async def test_registered_task_instance(place: Place) -> None:
    """A task instance that is registered over HTTP writes its state and that of its outlets."""
    body = {**_NEW, "task_id": "new", "inlets": ["<inlet>"], "outlets": [{"uri": "<foreign-uri>"}]}
    missing = Token({"sub": "<missing>"})
    assert (await _ask(place, "PUT", "/execution/store/ti/<missing>/k", {"value": 1}, missing)).status == 404
    assert (await _ask(place, "PUT", f"{_DIR}/task-instances/<missing>", body)).status == 204
    assert (await _ask(place, "PUT", "/execution/store/ti/<missing>/k", {"value": 1}, missing)).status == 204
    for name, status in (("foreign", 204), ("inlet", 204), ("name", 403)):
        target = f"/execution/store/asset/by-name/value?name=<{name}%>&key=k"
        assert (await _ask(place, "PUT", target, {"value": 1}, missing)).status == status
    shown = json.loads((await _ask(place, "GET", f"{_DIR}/task-instances/<missing>")).body)
    assert shown == place.fill(
        {
            **_NEW,
            "id": "<missing>",
            "task_id": "new",
            "map_index": -1,
            "try_number": 1,
            "inlets": [int(place.words["<inlet-id>"])],
            "outlets": [int(place.words["<foreign-id>"])],
        }
    )


async def test_retry(place: Place) -> None:
    """A retry takes the place of the task instance, whose token is worth nothing then; the state stays."""
    await place.seed(place.scope, {"k": 1})
    assert (await _ask(place, "PUT", f"{_DIR}/task-instances/<missing>", {**_NEW, "try_number": 2})).status == 204
    assert (await _ask(place, "GET", "/execution/store/ti/<ti>/k", token=OWN)).status == 404
    retry = await _ask(place, "GET", "/execution/store/ti/<missing>/k", token=Token({"sub": "<missing>"}))
    assert json.loads(retry.body) == {"value": 1}


async def test_list_is_all_or_none(place: Place) -> None:
    """If one of many task instances cannot be registered, none is."""
    ids = [str(uuid4()) for _ in range(3)]
    listed = [{**_NEW, "id": one, "map_index": index} for index, one in enumerate(ids)]
    bad = [*listed, {**_NEW, "id": str(uuid4()), "inlets": ["nope"]}]
    assert (await _ask(place, "POST", f"{_DIR}/task-instances", {"task_instances": bad})).status == 404
    for one in ids:
        assert (await _ask(place, "GET", f"{_DIR}/task-instances/{one}")).status == 404
    assert (await _ask(place, "POST", f"{_DIR}/task-instances", {"task_instances": listed})).status == 204
    for one in ids:
        assert (await _ask(place, "GET", f"{_DIR}/task-instances/{one}")).status == 200


async def test_removed_task_instance(place: Place) -> None:
    """A task instance that is removed is unknown to workers and callers; its state stays."""
    await place.seed(place.scope, {"k": 1})
    assert (await _ask(place, "DELETE", f"{_DIR}/task-instances/<ti>")).status == 204
    assert (await _ask(place, "GET", "/execution/store/ti/<ti>/k", token=OWN)).status == 404
    state = "/api/v2/dags/dag/dagRuns/<run>/taskInstances/task/state-store/k"
    assert (await _ask(place, "PUT", state, {"value": 1})).status == 404
    assert (await _ask(place, "GET", state)).status == 200


async def test_dropped_run(place: Place) -> None:
    """A run that is dropped takes its task instances and their state along, and nothing of other runs."""
    other = TaskScope("dag", "other-run", "task")
    for scope in (place.scope, place.mapped(0), other):
        await place.seed(scope, {"k": 1})
    assert (await _ask(place, "DELETE", f"{_DIR}/runs/dag/<run>")).status == 204
    assert await place.values(place.scope) == await place.values(place.mapped(0)) == {}
    assert await place.values(other) == {"k": 1}
    assert (await _ask(place, "GET", f"{_DIR}/task-instances/<ti>")).status == 404
    assert (await _ask(place, "PUT", "/execution/store/ti/<ti>/k", {"value": 1}, OWN)).status == 404


@pytest.mark.parametrize("clears", [True, False])
async def test_success(clock: StillClock, clears: bool) -> None:
    """A success that is reported clears the task instance's state, and that alone, if it is set so."""
    state = StateMount("memory://", auth=JWTAuth(secret=SECRET, clock=clock), clock=clock, clear_on_success=clears)
    async with state.lifespan():
        place = await Place.make(state, clock)
        await place.seed(place.scope, {"k": 1})
        await place.seed(place.mapped(0), {"k": 1})
        await place.seed(place.asset, {"k": 1})
        assert (await _ask(place, "POST", f"{_DIR}/task-instances/<ti>/succeeded")).status == 204
        assert await place.values(place.scope) == ({} if clears else {"k": 1})
        assert await place.values(place.mapped(0)) == await place.values(place.asset) == {"k": 1}


async def test_deactivated_asset(place: Place) -> None:
    """A deactivated asset is hidden from workers, not from callers, and comes back with its state."""
    await place.seed(place.asset, {"k": 1})
    worker = "/execution/store/asset/by-name/value?name=<name%>&key=k"
    caller = "/api/v2/assets/<name-id>/state-store/k"
    assert (await _ask(place, "DELETE", f"{_DIR}/assets/<name-id>")).status == 204
    assert (await _ask(place, "GET", worker, token=OWN)).status == 404
    assert (await _ask(place, "GET", caller)).status == 200
    restored = json.loads((await _ask(place, "POST", f"{_DIR}/assets/<name-id>/restore")).body)
    assert (restored["asset_id"], restored["active"]) == (place.asset.asset_id, True)
    assert (await _ask(place, "GET", worker, token=OWN)).status == 200


async def test_restoring_what_is_taken(place: Place) -> None:
    """An asset whose name belongs to another active asset by now cannot be restored."""
    assert (await _ask(place, "DELETE", f"{_DIR}/assets/<name-id>")).status == 204
    new = json.loads((await _ask(place, "PUT", f"{_DIR}/assets", {"name": "<name>", "uri": "elsewhere"})).body)
    assert new["asset_id"] != place.asset.asset_id
    refused = await _ask(place, "POST", f"{_DIR}/assets/<name-id>/restore")
    assert (refused.status, json.loads(refused.body)) == (
        409,
        {"detail": place.fill("an active asset has the name <name!r>")},
    )


async def test_assets_in_parts(place: Place) -> None:
    """Assets are listed by id, inactive ones included, in parts that make up the whole."""
    whole = json.loads((await _ask(place, "GET", f"{_DIR}/assets")).body)
    ids = [asset["asset_id"] for asset in whole["assets"]]
    assert ids == sorted(ids)
    assert whole["total_entries"] == len(ids)
    assert {asset["name"]: asset["active"] for asset in whole["assets"]} == place.fill(
        {"<inlet>": True, "<foreign>": True, "<gone>": False, "<name>": True}
    )
    parts = []
    for offset in range(len(ids) + 1):
        part = json.loads((await _ask(place, "GET", f"{_DIR}/assets?limit=1&offset={offset}")).body)
        assert part["total_entries"] == len(ids)
        parts += [asset["asset_id"] for asset in part["assets"]]
    assert parts == ids


@pytest.mark.parametrize("kind", ["claims", "open"])
async def test_directory_that_takes_task_instances_from_elsewhere(clock: StillClock, kind: str) -> None:
    """Where tokens name the task instances, none can be registered: 409 says so; assets and runs are as everywhere."""
    state = StateMount("memory://", auth=JWTAuth(secret=SECRET, clock=clock), clock=clock, directory=None)
    state = StateMount(
        settings=state.settings.replace({"directory": kind}), auth=JWTAuth(secret=SECRET, clock=clock), clock=clock
    )
    async with state.lifespan():
        place = Place(state, clock, TaskScope("dag", "r", "task"), None)  # type: ignore[arg-type]
        target = f"{_DIR}/task-instances/{uuid4()}"
        for method, path, body in (
            ("PUT", target, _NEW),
            ("GET", target, None),
            ("DELETE", target, None),
            ("POST", f"{target}/succeeded", None),
            ("POST", f"{_DIR}/task-instances", {"task_instances": [{**_NEW, "id": str(uuid4())}]}),
        ):
            answer = await _ask(place, method, path, body)
            assert answer.status == 409
            assert json.loads(answer.body)["detail"].startswith("no task instance can be registered with ")
        assert (await _ask(place, "PUT", f"{_DIR}/assets", {"name": "a"})).status == 200
        assert (await _ask(place, "DELETE", f"{_DIR}/runs/dag/r")).status == 204


async def test_directory_of_the_host(clock: StillClock) -> None:
    """A directory that the host keeps by other means is not filled over HTTP: 409 says so."""
    registry = MemoryDirectory()
    state = StateMount(
        "memory://", auth=JWTAuth(secret=SECRET, clock=clock), clock=clock, directory=CachedDirectory(registry)
    )
    asset = await registry.register_asset(name="a")
    async with state.lifespan():
        place = Place(state, clock, TaskScope("dag", "r", "task"), None)  # type: ignore[arg-type]
        for method, path, body in (
            ("PUT", f"{_DIR}/task-instances/{uuid4()}", _NEW),
            ("PUT", f"{_DIR}/assets", {"name": "b"}),
            ("GET", f"{_DIR}/assets", None),
            ("DELETE", f"{_DIR}/assets/{asset.asset_id}", None),
            ("POST", f"{_DIR}/assets/{asset.asset_id}/restore", None),
        ):
            answer = await _ask(place, method, path, body)
            assert (answer.status, json.loads(answer.body)) == (
                409,
                {"detail": "nothing can be registered with CachedDirectory"},
            )
        assert (await _ask(place, "GET", f"/api/v2/assets/{asset.asset_id}/state-store")).status == 200
