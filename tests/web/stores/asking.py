"""Requests by who may make them, and the collections that they are made of."""

from __future__ import annotations

import json
from typing import Any

from statemount.model import Scope
from tests.contract.rows import OWN, USER
from tests.contract.transports import Answer, ask
from tests.contract.world import Place

DAG = "/api/v2/dags/dag/dagRuns/<run>/taskInstances/task"
WORKERS = (
    "/execution/store/ti/<ti>",
    "/execution/state/ti/<ti>",
    "/execution/store/asset/by-name?name=<name%>",
    "/execution/store/asset/by-uri?uri=<name-uri%>",
    "/execution/state/asset/<name%>",
)
PUBLIC = (
    f"{DAG}/state-store",
    f"{DAG}/states",
    "/api/v2/assets/<name-id>/state-store",
    "/api/v2/assets/<name-id>/states",
)
COLLECTIONS = WORKERS + PUBLIC


def scope_of_target(place: Place, target: str) -> Scope:
    """Return the scope that a target is of."""
    return place.scope if "/ti/" in target or "/dags/" in target else place.asset


async def send(place: Place, method: str, target: str, body: Any = None, *, app: Any = None, **headers: str) -> Answer:
    """Ask as who may do so.

    Args:
        app: Another one than the place's own.
        headers: With ``_`` for ``-``.
    """
    token = OWN if "/execution/" in target else USER
    sent = {"authorization": f"Bearer {place.token(token)}", "content-type": "application/json"}
    sent |= {name.replace("_", "-"): text for name, text in headers.items()}
    content = None if body is None else json.dumps(body).encode()
    return await ask(app or place.state, method, place.fill(target), sent, content)


async def batch(place: Place, target: str, *operations: dict[str, Any], app: Any = None, **headers: str) -> Answer:
    """Send a batch."""
    return await send(place, "POST", target, {"operations": list(operations)}, app=app, **headers)


def op(name: str, key: str = "k", **fields: Any) -> dict[str, Any]:
    """Return an operation."""
    return {"op": name, "key": key, **fields}


def results_of(answer: Answer) -> list[dict[str, Any]]:
    """Return the results of a batch that was done."""
    assert answer.status == 200, answer
    document = json.loads(answer.body)
    assert answer.headers["etag"] == f'"{document["revision"]}"'
    results: list[dict[str, Any]] = document["results"]
    return results


def target_with(target: str, query: str) -> str:
    """Return a target with more in its query."""
    return f"{target}{'&' if '?' in target else '?'}{query}"
