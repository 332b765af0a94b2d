"""The OpenAPI document of each route set."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_spec_validator import validate
from starlette.requests import HTTPConnection

import statemount
from statemount import HostAuth, Settings, StateMount
from statemount.web.contracts import CONTRACTS
from statemount.web.openapi import path_of
from statemount.web.route_set import RouteSetApp
from statemount.web.variants import VARIANTS
from tests.contract.transports import ask
from tests.documents import ROOT, table

pytestmark = pytest.mark.anyio

SECRET = "a secret for the documents' tests, of at least sixty-four bytes....."
STATE = StateMount("memory://", jwt_secret=SECRET)
ROUTE_SETS = {"execution": STATE.execution, "public": STATE.public}
EVENTS = "text/event-stream"
PREFIXES = {"execution": "/execution", "public": "/api/v2"}


def operations_of(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return every path, method and operation."""
    return [
        (path, method.upper(), operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


async def document_of(app: Any, target: str, **changes: Any) -> dict[str, Any]:
    """Ask an app for its document."""
    answer = await ask(app, "GET", target, {}, None, **changes)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    document: dict[str, Any] = json.loads(answer.body)
    return document


def required_of(operation: dict[str, Any]) -> set[str]:
    """Return the parameters of the query that an operation must have."""
    return {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query" and one["required"]}


@pytest.mark.parametrize("name", ROUTE_SETS)
async def test_valid(name: str) -> None:
    """The document is valid OpenAPI 3.1, of this version, and everybody may read it."""
    document = await document_of(STATE, f"{PREFIXES[name]}/openapi.json")
    validate(document)
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["version"] == statemount.__version__
    assert document["servers"] == [{"url": PREFIXES[name]}]


@pytest.mark.parametrize("name", ROUTE_SETS)
async def test_it_has_every_route(name: str) -> None:
    """The document has each method of each route that is served, under an id of its own, and nothing else."""
    app: RouteSetApp = ROUTE_SETS[name]
    found = operations_of(app.documentation.document)
    for path, method, operation in found:
        target = path.replace("{task_instance_id}", "1").replace("{asset_id}", "1").replace("{", "").replace("}", "")
        is_list = "list" in required_of(operation)
        answer = await ask(app, method, f"{target}?list=true" if is_list else target, {}, None)
        assert answer.status == 401, (method, path)
        refused = await ask(app, "TRACE", target, {}, None)
        assert refused.status == 405
        allowed = set(refused.headers["allow"].split(", ")) - {"HEAD"}
        described = app.documentation.document["paths"][path]
        assert allowed == {one.upper() for one in described if "list" not in required_of(described[one])}
        assert operation["security"]
    assert {(path, method) for path, method, _ in found} == {
        (path_of(one), "GET" if one.method in VARIANTS else one.method) for one in app.operations
    }
    ids = [operation["operationId"] for _, _, operation in found]
    assert len(ids) == len(set(ids))


AIRFLOWS = ("get", "set", "delete", "clear")
OURS = ("patch", "batch")
EXECUTION_IDS = {
    "airflow33": {
        *(f"{verb}_task_state_store" for verb in (*AIRFLOWS, *OURS, "list")),
        *(f"{verb}_asset_state_store_by_{by}" for verb in (*AIRFLOWS, *OURS, "list") for by in ("name", "uri")),
    },
    "aip103": {
        *(f"{verb}_{what}_state" for verb in (*AIRFLOWS, *OURS) for what in ("task", "asset")),
        "list_task_states",
        "list_asset_states",
    },
}
HISTORY_IDS = {
    *(f"{verb}_{what}_state_history" for verb in ("list", "get") for what in ("task", "asset")),
    "revert_task_state",
    "revert_asset_state",
}
PUBLIC_IDS = {
    "airflow33": {
        *HISTORY_IDS,
        *(f"{verb}_{what}_state_store" for verb in ("list", *AIRFLOWS, *OURS) for what in ("task", "asset")),
    },
    "aip103": {
        *HISTORY_IDS,
        *(f"{verb}_{what}_state" for verb in (*AIRFLOWS, *OURS) for what in ("task", "asset")),
        "list_task_states",
        "list_asset_states",
    },
}


@pytest.mark.parametrize("version", CONTRACTS)
def test_operation_ids(version: Any) -> None:
    """Each contract version has the operation ids of Airflow, and alone they are all that there is."""
    state = StateMount("memory://", settings=Settings(contracts=(version,)), jwt_secret=SECRET)
    for app, ids in ((state.execution, EXECUTION_IDS), (state.public, PUBLIC_IDS)):
        found = operations_of(app.documentation.document)
        assert {one["operationId"] for _, _, one in found if one["tags"] != ["Directory"]} == ids[version]


@pytest.mark.parametrize("name", ROUTE_SETS)
def test_answers(name: str) -> None:
    """Every operation says how it succeeds and how it is refused, in both shapes, and what a caller needs."""
    document = ROUTE_SETS[name].documentation.document
    responses = document["components"]["responses"]
    for path, method, operation in operations_of(document):
        answers = {
            int(status): responses[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
            for status, answer in operation["responses"].items()
        }
        expected = {401, 403, 503}
        if "parameters" in operation or "requestBody" in operation:
            expected.add(422)
        if "requestBody" in operation:
            expected |= {400, 408, 413}
        assert expected <= set(answers), (method, path)
        is_watched = method == "GET" and not {"directory", "state-history"} & {*path.split("/")}
        assert set(operation.get("x-watch", {}).get("content", ())) == ({EVENTS} if is_watched else set())
        assert len([status for status in answers if status < 300]) == 1
        for status, answer in answers.items():
            kinds = set(answer.get("content", {}))
            if status < 400:
                assert kinds <= {"application/json"}
                assert kinds or status in (204, 304)
            else:
                assert kinds == {"application/json", "application/problem+json"}
        assert "WWW-Authenticate" in answers[401]["headers"]
        assert "Retry-After" in answers[503]["headers"]
        permissions = [needs for one in operation["security"] for needs in one.values()]
        assert permissions == ([[]] if name == "execution" else [operation_permissions(method, path)])


def operation_permissions(method: str, path: str) -> list[str]:
    """Return the permissions that a public operation needs."""
    if path.startswith("/directory"):
        return ["directory:read" if method == "GET" else "directory:write"]
    if method == "POST" and "/state-history/" in path:
        return ["state:write", "state:read"]
    return [{"GET": "state:read", "DELETE": "state:delete"}.get(method, "state:write")]


@pytest.mark.parametrize("name", ROUTE_SETS)
def test_parameters(name: str) -> None:
    """Each operation has the parameters of its path, all required, and the document shows no route's convertor."""
    for path, _, operation in operations_of(ROUTE_SETS[name].documentation.document):
        named = [one["name"] for one in operation.get("parameters", []) if one["in"] == "path"]
        assert [f"{{{one}}}" for one in named] == [part for part in path.split("/") if part.startswith("{")]
        assert all(one["required"] for one in operation.get("parameters", []) if one["in"] == "path")


@pytest.mark.parametrize(
    ("app", "target", "changes", "server"),
    [
        (STATE, "/execution/openapi.json", {"root_path": "/state"}, "/state/execution"),
        (STATE, "/state/api/v2/openapi.json", {"root_path": "/state"}, "/state/api/v2"),
        (STATE.execution, "/openapi.json", {}, "/"),
        (STATE.public, "/a%20b/openapi.json", {"root_path": "/a b"}, "/a%20b"),
        (STATE.public, "/openapi.json", {"root_path": "/a/"}, "/a"),
    ],
)
async def test_servers(app: Any, target: str, changes: dict[str, Any], server: str) -> None:
    """The document names the place where it is mounted, behind a proxy too, and for a route set alone."""
    document = await document_of(app, target, **changes)
    assert document["servers"] == [{"url": server}]


async def test_nobody_is_asked_who_they_are() -> None:
    """The document is given to everybody without a word of the authenticator; the operations are not."""
    asked: list[str] = []

    def identify(connection: HTTPConnection) -> None:
        asked.append(connection.url.path)

    state = StateMount("memory://", auth=HostAuth(identify))
    for path in ("/openapi.json", "/docs"):
        assert (await ask(state.public, "GET", path, {"authorization": "Bearer x"}, None)).status == 200
        assert (await ask(state.public, "HEAD", path, {}, None)).body == b""
        assert (await ask(state.public, "POST", path, {}, None)).status == 405
    assert asked == []
    assert (await ask(state.public, "GET", "/assets/1/states", {}, None)).status == 401
    assert asked == ["/assets/1/states"]
    await state.stop()


@pytest.mark.parametrize("name", ROUTE_SETS)
def test_reference(name: str) -> None:
    """The reference of routes has every operation of the document, and no other."""
    expected = [
        [f"`{method}`", f"`{path}`", f"`{operation['operationId']}`"]
        for path, method, operation in operations_of(ROUTE_SETS[name].documentation.document)
    ]
    written = table(ROOT / "docs" / "reference" / "routes.md", f"### Operations of the {name} API")
    assert written == expected, "\n".join(f"| {' | '.join(row)} |" for row in expected)
