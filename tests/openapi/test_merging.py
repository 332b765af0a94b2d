"""Our operations in a host's document."""

from __future__ import annotations

import copy
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from openapi_spec_validator import validate

from statemount import ConfigurationError
from tests.openapi.test_document import ROUTE_SETS, STATE, operations_of

pytestmark = pytest.mark.anyio


def host_with_state() -> FastAPI:
    """Return a FastAPI app with an operation of its own, the state mounted, and both in its document."""
    app = FastAPI(title="Host")

    @app.get("/jobs/{job_id}")
    async def get_task_state(job_id: int) -> dict[str, int]:
        return {"job_id": job_id}

    app.mount("/state", STATE)
    hosts_own = app.openapi
    app.openapi = lambda: STATE.openapi_into(hosts_own(), "/state")  # type: ignore[method-assign]
    return app


async def test_fastapi() -> None:
    """FastAPI serves one valid document with its own operations and all of ours, the same each time, and its page."""
    app = host_with_state()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://host") as client:
        document = (await client.get("/openapi.json")).json()
        assert (await client.get("/openapi.json")).json() == document
        assert (await client.get("/docs")).status_code == 200
    validate(document)
    assert document["info"]["title"] == "Host"
    paths = document["paths"]
    assert {"/jobs/{job_id}", "/state/health", "/state/ready"} <= set(paths)
    for prefix, app_of_set in (("/state/execution", ROUTE_SETS["execution"]), ("/state/api/v2", ROUTE_SETS["public"])):
        ours = {prefix + path for path in app_of_set.documentation.document["paths"]}
        assert ours == {path for path in paths if path.startswith(prefix)}
    ids = [operation["operationId"] for _, _, operation in operations_of(document)]
    assert len(ids) == len(set(ids))
    assert {"state_execution_get_task_state_store", "state_public_get_task_state_store", "state_get_health"} <= set(ids)
    schemas = document["components"]["schemas"]
    assert {"ValidationError", "HTTPValidationError", "StateMountValidationError", "StateMountTaskBody"} <= set(schemas)
    assert list(document["components"]["securitySchemes"]) == ["StateMountBearer"]


def test_the_given_document_stays() -> None:
    """A host's document is not changed, and to merge twice is the same as once."""
    host: dict[str, Any] = FastAPI().openapi()
    before = copy.deepcopy(host)
    merged = STATE.openapi_into(host, "/state")
    assert host == before
    assert STATE.openapi_into(merged, "/state") == merged


@pytest.mark.parametrize("name", ROUTE_SETS)
def test_one_route_set(name: str) -> None:
    """A route set that is mounted alone is merged alone."""
    app = ROUTE_SETS[name]
    document = app.openapi_into(FastAPI().openapi(), "/here")
    validate(document)
    assert set(document["paths"]) == {f"/here{path}" for path in app.documentation.document["paths"]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"openapi": "3.0.3"}, "the document is OpenAPI 3.0.3: 3.1 is needed"),
        ({"paths": {"/state/health": {}}}, "the document has the path '/state/health' already"),
        (
            {"components": {"schemas": {"StateMountTaskBody": {}}}},
            "the document has the component 'StateMountTaskBody' already",
        ),
    ],
)
def test_clashes(changes: dict[str, Any], message: str) -> None:
    """A document that cannot take our operations is refused."""
    with pytest.raises(ConfigurationError) as caught:
        STATE.openapi_into(
            {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {}, **changes}, "/state"
        )
    assert str(caught.value) == message
