"""The tables of operations: what they say is what the routes do."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from statemount.mount import StateMount
from statemount.web.operations import ApiOperation, router_of
from statemount.web.parameters import Parameters
from statemount.web.variants import VARIANTS, WATCH
from tests.contract.rows import USER
from tests.contract.transports import Answer, ask
from tests.contract.world import Place, StillClock, make_state

pytestmark = pytest.mark.anyio

_STATE = make_state(None, StillClock())
_EXECUTION = [("/execution", operation) for operation in _STATE.execution.operations]
_PUBLIC = [("/api/v2", operation) for operation in _STATE.public.operations]
_ALL = _EXECUTION + _PUBLIC

_AIRFLOW_IDS = {
    f"{verb}_{owner}_state_store{suffix}"
    for verb in ("get", "set", "delete", "clear")
    for owner, suffixes in (("task", ("",)), ("asset", ("_by_name", "_by_uri")))
    for suffix in suffixes
}
_AIRFLOW_PUBLIC_IDS = {
    f"{verb}_{owner}_state_store" for verb in ("list", "get", "set", "delete", "clear") for owner in ("task", "asset")
} | {"patch_task_state_store"}
_GIVEN = {
    "task_instance_id": "<ti>",
    "dag_id": "dag",
    "dag_run_id": "<run>",
    "run_id": "<run>",
    "task_id": "task",
    "key": "k",
    "asset_id": "<name-id>",
    "name": "<name%>",
    "uri": "<name-uri%>",
    "list": "true",
}


def _id(case: Any) -> str:
    return case[1].operation_id if isinstance(case, tuple) else str(case)


def test_operation_ids() -> None:
    """Every operation has an id of its own in its route set, and Airflow's operations have Airflow's ids."""
    for cases, airflow in ((_EXECUTION, _AIRFLOW_IDS), (_PUBLIC, _AIRFLOW_PUBLIC_IDS)):
        ids = [operation.operation_id for _, operation in cases]
        assert len(set(ids)) == len(ids)
        assert airflow <= set(ids)
    assert "patch_task_state" in {operation.operation_id for _, operation in _PUBLIC}


@pytest.mark.parametrize("contract", ["airflow33", "aip103"])
def test_one_contract_version(contract: Any) -> None:
    """A contract version that is switched off has no operation; the directory is there with either."""
    other = {"airflow33": "/state/", "aip103": "/store/"}[contract]
    state = StateMount("memory://", jwt_secret="0123456789abcdef" * 4, contracts=[contract])
    paths = [operation.path for operation in state.execution.operations]
    assert paths
    assert not any(path.startswith(other) for path in paths)
    others = {"airflow33": "/states", "aip103": "/state-store"}[contract]
    paths = [operation.path for operation in state.public.operations]
    assert not any(others in path.split("{key")[0] for path in paths)
    assert "/directory/assets" in paths


def test_one_description_of_each() -> None:
    """An operation cannot be described twice."""
    operation = _PUBLIC[0][1]
    with pytest.raises(ValueError, match="described twice"):
        router_of([operation, operation])


@pytest.mark.parametrize("case", _ALL, ids=_id)
def test_parameters_of_the_path(case: tuple[str, ApiOperation]) -> None:
    """The path's template names what is described as parameters of the path."""
    template = case[1].path
    named = [segment[1:-1].partition(":")[0] for segment in template.split("/") if segment.startswith("{")]
    assert set(case[1].path_parameters.model_fields) == set(named)


@pytest.mark.parametrize("case", _PUBLIC, ids=_id)
async def test_permission(case: tuple[str, ApiOperation], place: Place) -> None:
    """An operation is refused without any of its permissions, and only without them."""
    prefix, operation = case
    every, needed = set(str(USER.changes["scope"]).split()), set(operation.permissions)
    assert needed
    assert needed <= every
    for scope, is_refused in (*((every - {one}, True) for one in needed), (needed, False)):
        answer = await _call(place, prefix, operation, {}, {}, scope=" ".join(map(str, sorted(map(str, scope)))))
        assert (answer.status == 403) is is_refused


@pytest.mark.parametrize("case", _ALL, ids=_id)
async def test_described_parameters_are_read(case: tuple[str, ApiOperation], place: Place) -> None:
    """What a parameter is described with is what it is checked with."""
    prefix, operation = case
    for where, model in (("path", operation.path_parameters), ("query", operation.query)):
        for name, text in _wrong(model).items():
            path = {name: text} if where == "path" else {}
            query = {name: text} if where == "query" else {}
            answer = await _call(place, prefix, operation, path, query)
            if name == "task_instance_id" and prefix == "/execution":
                assert answer.status == 403  # no token is for it
                continue
            assert answer.status == 422, answer
            assert [where, name] in [problem["loc"] for problem in json.loads(answer.body)["detail"]]


def _wrong(model: type[Parameters]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    for name, field in model.model_fields.items():
        if name == "list":  # anything else is no request for a list
            continue
        kinds = {field.annotation, *get_args(field.annotation)}
        wrong[name] = "%00" if str in kinds else "x"
    return wrong


@pytest.mark.parametrize("case", _ALL, ids=_id)
async def test_described_body_is_read(case: tuple[str, ApiOperation], place: Place) -> None:
    """A body has the described fields and no others; an operation without a described body reads none."""
    prefix, operation = case
    answer = await _call(place, prefix, operation, {}, {}, body=b'{"surplus": 1}')
    if operation.body is None:
        assert answer.status != 422, answer
        return
    assert answer.status == 422
    found = {tuple(problem["loc"]): problem["type"] for problem in json.loads(answer.body)["detail"]}
    required = {name for name, field in operation.body.model_fields.items() if field.is_required()}
    assert found == {("body", "surplus"): "extra_forbidden", **{("body", name): "missing" for name in required}}


@pytest.mark.parametrize("case", _ALL, ids=_id)
def test_description(case: tuple[str, ApiOperation]) -> None:
    """An operation has a summary, one successful answer that comes first, and models that have a schema."""
    operation = case[1]
    assert operation.summary
    assert not operation.summary.endswith(".")
    statuses = [answer.status for answer in operation.answers]
    assert [status < 300 for status in statuses] == [True] + [False] * (len(statuses) - 1)
    assert len(set(statuses)) == len(statuses)
    for model in (operation.path_parameters, operation.query, operation.body):
        if model is not None:
            assert model.model_json_schema()["type"] == "object"


async def _call(
    place: Place,
    prefix: str,
    operation: ApiOperation,
    path: dict[str, str],
    query: dict[str, str],
    *,
    body: bytes | None = None,
    scope: str | None = None,
) -> Answer:
    target = prefix
    for segment in operation.path.split("/")[1:]:
        name = segment[1:-1].partition(":")[0]
        target += "/" + ({**_GIVEN, **path}[name] if segment.startswith("{") else segment)
    required = {name: _GIVEN[name] for name, field in operation.query.model_fields.items() if field.is_required()}
    target += "?" + "&".join(f"{name}={text}" for name, text in {**required, **query}.items())
    token = place.words["<own>"]
    if prefix != "/execution":
        changes = USER.changes if scope is None else {**USER.changes, "scope": scope}
        token = place.token(type(USER)(changes))
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    if operation.body is None and operation.takes_merge_patch:
        headers["content-type"] = "application/merge-patch+json"
    if operation.method == WATCH:  # which ends at once, for nobody says that the reader is still there
        headers["accept"] = "text/event-stream"
    if body is None:
        body = b'{"value": 1}' if operation.takes_body else None
    method = "GET" if operation.method in VARIANTS else operation.method
    return await ask(place.state, method, place.fill(target), headers, body)
