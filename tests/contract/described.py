"""Whether answers are what the tables of operations say."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter

from statemount.mount import StateMount
from statemount.web.answers import HTTPValidationError
from statemount.web.operations import ApiOperation
from statemount.web.requests import Message, Request
from statemount.web.routing import Router, request_path
from statemount.web.variants import variant_of
from tests.contract.transports import Answer, scope_of

ALWAYS = frozenset({400, 401, 403, 404, 405, 408, 413, 414, 415, 422})
"""The statuses of refusals that every operation can have."""


def finder(operations: Iterable[ApiOperation]) -> Router[ApiOperation]:
    """Return what finds the operation of a method and a path."""
    by_path: dict[str, dict[str, ApiOperation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    router: Router[ApiOperation] = Router()
    for path, methods in by_path.items():
        router.add(path, methods)
    return router


def find(state: StateMount, method: str, target: str) -> ApiOperation | None:
    """Return the operation that a request is, or None if there is none."""
    scope = scope_of(method, target, {})
    path = request_path(scope)
    for prefix, router in _finders(state):
        if path.text.startswith(f"{prefix}/"):
            match = router.match(path, len(prefix))
            if match is None:
                return None
            variant = variant_of(Request(scope, _no_body), match[0].variants)
            return match[0].endpoints.get(method) if variant is None else match[0].variants[variant]
    return None


async def _no_body() -> Message:
    raise AssertionError("the body is not read")


@lru_cache(maxsize=1)  # row after row asks the same app
def _finders(state: StateMount) -> tuple[tuple[str, Router[ApiOperation]], ...]:
    """Return the finder of each route set, by what its paths begin with."""
    return ("/execution", finder(state.execution.operations)), ("/api/v2", finder(state.public.operations))


def check_described(state: StateMount, method: str, target: str, answer: Answer) -> None:
    """Make sure that an answer is one that its operation is described with."""
    operation = find(state, method, target)
    if operation is None:
        assert answer.status in (200, 404, 405)
        return
    described: dict[int, Any] = {one.status: one.model for one in operation.answers}
    if answer.status not in described:
        assert answer.status in ALWAYS, f"{operation.operation_id} is not described with {answer.status}"
    if method == "HEAD" or "problem+json" in answer.headers.get("content-type", ""):
        return
    if answer.status in described and described[answer.status] is None:
        assert answer.body == b""
    elif answer.status in described and answer.status < 300:
        _adapter(described[answer.status]).validate_python(_jsonable(answer.body))
    elif answer.status == 422:
        HTTPValidationError.model_validate(_jsonable(answer.body))


@lru_cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def _jsonable(body: bytes) -> Any:
    return json.loads(body, parse_int=lambda digits: int(digits) if len(digits) < 100 else 0)
