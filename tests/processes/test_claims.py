"""Claims by two processes at once, through two servers: exactly one wins."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from statemount.auth.jwt import JWTAuth
from tests.processes.claimants import Plan
from tests.processes.serving import ROOT, Process, serving
from tests.processes.tables import read_scopes
from tests.processes.workers import SECRET
from tests.servers import clean_environment

pytestmark = pytest.mark.anyio

ROUNDS = 1000


async def test_two_claims_at_once(database_url: str, tmp_path: Path) -> None:
    """Of two claims at once, 1,000 times, exactly one wins; each holder's token is greater than all before."""
    servers = [Process(database_url, tmp_path, server=server) for server in ("uvicorn", "granian")]
    ti_id = uuid4()
    claims = {"dag_id": "dag", "run_id": "run", "task_id": "task", "map_index": -1}
    token = JWTAuth(secret=SECRET).tokens.worker(ti_id, lifetime=86_400, claims=claims)
    results = [tmp_path / f"claimant-{number}" for number in range(2)]
    async with serving(*servers):
        first, second = (f"http://127.0.0.1:{server.port}" for server in servers)
        plan = Plan((first, second), token, str(ti_id), ROUNDS, (os.fspath(results[0]), os.fspath(results[1])))
        path = os.pathsep.join([os.fspath(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        ended = await anyio.run_process(
            [sys.executable, "-m", "tests.processes.claimants", json.dumps(asdict(plan))],
            env=clean_environment({"PYTHONPATH": path}),
            cwd=ROOT,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr.decode()
    assert [server.complaints for server in servers] == [[], []]
    rounds = list(zip(*(json.loads(result.read_text()) for result in results), strict=True))
    assert len(rounds) == ROUNDS
    assert [sorted(map(bool, both)) for both in rounds] == [[False, True]] * ROUNDS
    tokens = [max(both) for both in rounds]
    assert tokens == sorted(set(tokens))
    assert all(any(both[number] for both in rounds) for number in range(2)), "one of the two never won"
    scope = (await read_scopes(database_url))["task", -1]
    assert (scope.entries, scope.revision - tokens[0] + 1) == ({}, 2 * ROUNDS)
