"""Parts of the way of a request, alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from statemount.auth import JWTAuth
from statemount.model import Writer
from statemount.operations import Set
from statemount.store.apply import ScopeState, apply
from statemount.store.options import StoreOptions
from statemount.web.routing import RequestPath, Router
from tests.benchmarks.dataset import task_instance_id, task_scope
from tests.benchmarks.tokens import Issuer

_TOKENS = 1000
_ROUNDS = 20


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    try:
        yield loop
    finally:
        loop.close()


def _scopes(issuer: Issuer, numbers: Iterator[int]) -> list[dict[str, Any]]:
    return [
        {"type": "http", "headers": [(b"authorization", b"Bearer " + issuer.worker(n, f"{next(numbers)}").encode())]}
        for n in range(_TOKENS)
    ]


async def _check(auth: JWTAuth, scopes: list[dict[str, Any]]) -> None:
    for number, scope in enumerate(scopes):
        identity = await auth.authenticate(scope, "execution")
        assert identity.task_instance_id == task_instance_id(number)


@pytest.mark.parametrize("tokens", ["seen before", "new"])
def test_token_check(tokens: str, issuer: Issuer, benchmark: Any) -> None:
    """A thousand tokens."""
    auth = JWTAuth(secret=issuer.secret)
    numbers = count()
    seen = _scopes(issuer, numbers)

    def set_up() -> tuple[tuple[JWTAuth, list[dict[str, Any]]], dict[str, Any]]:
        return (auth, seen if tokens == "seen before" else _scopes(issuer, numbers)), {}

    with _loop() as loop:
        benchmark.pedantic(
            lambda auth, scopes: loop.run_until_complete(_check(auth, scopes)),
            setup=set_up,
            rounds=_ROUNDS,
            warmup_rounds=1,
        )


def test_routing(benchmark: Any) -> None:
    """The longest of the paths of the public API, among others."""
    router: Router[str] = Router()
    task = "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}"
    for template in (f"{task}/state-store", f"{task}/state-store/{{key:path}}", f"{task}/states", "/assets/{asset_id}"):
        router.add(template, {"GET": template})
    path = RequestPath("/dags/dag/dagRuns/run/taskInstances/task/state-store/a/key")
    found = benchmark(router.match, path)
    assert found is not None
    assert found[1] == ["dag", "run", "task", "a/key"]


@pytest.mark.parametrize("operations", [1, 100])
def test_apply(operations: int, benchmark: Any) -> None:
    """The rules of an update."""
    keys = [f"key-{number}" for number in range(operations)]
    state = ScopeState(1, 1, 0, 0, dict.fromkeys(keys))
    batch = [Set(key, '"value"') for key in keys]
    applied = benchmark(apply, state, batch, writer=Writer.of_task(task_scope(1)), now=2, options=StoreOptions())
    assert applied.entries == operations
