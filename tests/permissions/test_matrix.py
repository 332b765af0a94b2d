"""Every cell of the permission matrix: who, with which operation of both contract versions, on what."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from statemount.mount import StateMount
from statemount.web.operations import ApiOperation
from tests.contract.transports import Answer
from tests.permissions.matrix import (
    ASSET_TARGETS,
    CALLERS,
    LIMITED_CALLERS,
    LIMITS,
    PUBLIC_ROWS,
    TASK_TARGETS,
    WORKER_ROWS,
    WORKERS,
    Outcome,
    PublicRow,
    WorkerRow,
)
from tests.permissions.page import PAGE, block_of, tables
from tests.permissions.world import WORKER_TOKENS, Asked, World, caller_token, public_requests, worker_requests

pytestmark = pytest.mark.anyio

_STATE = StateMount("memory://", jwt_secret="x" * 64)
_EXECUTION = {operation.operation_id: operation for operation in _STATE.execution.operations}
_PUBLIC = {operation.operation_id: operation for operation in _STATE.public.operations}

_WORKER_CASES = [(row, name) for row in WORKER_ROWS for name in row.operations]
_PUBLIC_CASES = [(row, name) for row in PUBLIC_ROWS for name in row.operations]


@pytest.mark.parametrize(("cases", "operations"), [(_WORKER_CASES, _EXECUTION), (_PUBLIC_CASES, _PUBLIC)])
def test_every_operation_is_in_a_row(
    cases: list[tuple[WorkerRow | PublicRow, str]], operations: dict[str, ApiOperation]
) -> None:
    """No operation is forgotten, and none but a batch and a revert is in two rows."""
    counts = Counter(name for _, name in cases)
    assert set(counts) == set(operations)
    assert {name for name, count in counts.items() if count > 1} == {
        name for name in operations if name.startswith(("batch_", "revert_"))
    }


def test_needs_are_those_of_the_operations() -> None:
    """What a row asks for is what its operations say that they ask for."""
    for row, name in _PUBLIC_CASES:
        assert _PUBLIC[name].permission == row.permission
        assert _PUBLIC[name].further_permissions == (() if row.further is None else (row.further,))


def test_the_documentation_has_the_matrix() -> None:
    """The page shows these tables: ``python -m tests.permissions`` writes them."""
    assert block_of(PAGE.read_text()) == tables()


def test_every_limit_concerns_something() -> None:
    """A limit that is misspelt in a row would limit nothing."""
    for row in PUBLIC_ROWS:
        assert set(row.limited) <= set(LIMITS)
        for answers in row.limited.values():
            assert set(answers) <= {*row.answers, "no id", "unknown"}


@pytest.fixture(scope="module")
async def worlds() -> AsyncIterator[dict[str, World]]:
    """Return a filled app for each kind of settings."""
    made: dict[str, World] = {app: World(app) for app in ("default", "strict", "all")}
    for world in made.values():
        await world.fill()
    yield made
    for world in made.values():
        await world.state.stop()


class _Cells:
    """The cells of one operation: asks, compares, and sees to it that a refusal changes nothing.

    Attributes:
        wrong: Every cell that is not as it is promised.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.count = 0
        self.wrong: list[str] = []
        self._refusals: dict[tuple[str, int], Any] = {}

    async def check(self, world: World, who: str, target: str, asked: Asked, token: str | None, want: Outcome) -> None:
        """Ask one thing."""
        answer = await world.ask(self._prefix, asked, token)
        self.count += 1
        found: Outcome = "yes" if answer.status < 300 else answer.status
        if found != want:
            self.wrong.append(f"{who}, {target}: {asked} is {answer.status} {answer.body!r}, not {want}")
        if found != "yes" or asked.method in ("GET", "HEAD"):
            if await world.seen() != world.filled:
                self.wrong.append(f"{who}, {target}: {asked} has changed something")
            if found in (401, 403):
                self._compare(who, target, asked, answer)
        else:
            await world.fill()

    def _compare(self, who: str, target: str, asked: Asked, answer: Answer) -> None:
        """Make sure that one caller is refused with the same words whatever it addresses that is not its own."""
        if asked.method == "HEAD" or target == "its own":
            return
        detail = json.loads(answer.body)
        first = self._refusals.setdefault((who, answer.status), detail)
        if detail != first:
            self.wrong.append(f"{who}, {target}: {detail} is not {first}")
        if "refreshed-api-token" in answer.headers:
            self.wrong.append(f"{who}, {target}: the token is renewed")


@pytest.mark.parametrize(("row", "name"), _WORKER_CASES, ids=lambda case: case if isinstance(case, str) else "")
async def test_workers(worlds: dict[str, World], row: WorkerRow, name: str) -> None:
    """The execution API lets every worker do what the matrix says, and nothing else."""
    cells = _Cells("/execution")
    is_asset = row.thing == "asset"
    for worker in WORKERS:
        world = worlds[worker.app]
        subject, token = WORKER_TOKENS[worker.name]
        for target in ASSET_TARGETS if is_asset else TASK_TARGETS:
            for asked in worker_requests(_EXECUTION[name], target, subject, row):
                await cells.check(world, worker.name, target, asked, token, worker.outcome(row, target))
    assert cells.wrong == []
    assert cells.count >= len(WORKERS) * 4


@pytest.mark.parametrize(("row", "name"), _PUBLIC_CASES, ids=lambda case: case if isinstance(case, str) else "")
async def test_callers(worlds: dict[str, World], row: PublicRow, name: str) -> None:
    """The public API lets every caller do what the matrix says, and nothing else."""
    cells = _Cells("/api/v2")
    world = worlds["default"]
    for caller in (*CALLERS, *LIMITED_CALLERS):
        for target in row.answers:
            for asked in public_requests(_PUBLIC[name], target, world, row):
                await cells.check(world, caller.name, target, asked, caller_token(caller), caller.outcome(row, target))
    assert cells.wrong == []
    assert cells.count >= len(CALLERS)
