"""A worker: how it is made from its environment, and what becomes of its connections and its token."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from statemount.auth.jwt import JWTAuth
from statemount.clock import system_clock
from statemount.errors import ConfigurationError
from statemount.model import TaskInstance, TaskScope
from statemount.mount import StateMount
from statemount.worker import NEVER_EXPIRE, Worker, worker_backend
from tests.client.support import AUTH, SECRET, running
from tests.worker.accessors import Site, site

pytestmark = pytest.mark.anyio

VARIABLES = ("URL", "TOKEN", "TOKEN_FILE", "TASK_INSTANCE_ID", "DAG_ID", "RUN_ID", "TASK_ID", "MAP_INDEX")


@pytest.fixture
async def here() -> AsyncIterator[Site]:
    """Return a server in memory."""
    async with site("memory://", "sync") as found:
        yield found


@pytest.fixture
def environment(here: Site, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Return an environment for a task instance on the server, and nothing more."""
    for name in (*VARIABLES, "DEFAULT_RETENTION_DAYS", "WORKER_STATE_BACKEND"):
        monkeypatch.delenv(f"STATEMOUNT_{name}", raising=False)
    monkeypatch.setenv("STATEMOUNT_URL", here.url)
    monkeypatch.setenv("STATEMOUNT_TOKEN", AUTH.tokens.worker(here.world.ti_id))
    monkeypatch.setenv("STATEMOUNT_TASK_INSTANCE_ID", str(here.world.ti_id))
    return monkeypatch


async def in_thread(function: Any, *arguments: Any) -> Any:
    """Run a function while the server goes on."""
    return await asyncio.to_thread(function, *arguments)


async def test_worker_of_environment(here: Site, environment: pytest.MonkeyPatch) -> None:
    """The environment gives the server, the token and the task instance."""
    with Worker.from_environment() as worker:
        await in_thread(worker.task_state.set, "key", 1)
        assert await in_thread(worker.task_state.get, "key") == 1
        assert str(here.world.ti_id) in repr(worker)
        assert here.url in repr(worker)
        assert "eyJ" not in repr(worker)


async def test_backend_of_environment(here: Site, environment: pytest.MonkeyPatch) -> None:
    """The environment gives the backend and the task's ids; one that is passed in comes first."""
    environment.setenv("STATEMOUNT_WORKER_STATE_BACKEND", "tests.worker.backends.MemoryBackend")
    for name, value in (("DAG_ID", "dag"), ("RUN_ID", "run"), ("TASK_ID", "task"), ("MAP_INDEX", "3")):
        environment.setenv(f"STATEMOUNT_{name}", value)
    with Worker.from_environment() as worker, Worker.from_environment(backend=here.backend) as other:
        await in_thread(worker.task_state.set, "key", 1)
        await in_thread(other.task_state.set, "other", 2)
    backend: Any = worker_backend()
    scope = TaskScope("dag", "run", "task", 3)
    assert list(backend.kept) == [(repr(scope), "key")]
    assert here.backend.scopes == [scope]
    environment.delenv("STATEMOUNT_MAP_INDEX")
    with Worker.from_environment(backend=here.backend) as worker:
        await in_thread(worker.task_state.set, "other", 2)
    assert here.backend.scopes[1] == TaskScope("dag", "run", "task")


@pytest.mark.parametrize(
    ("days", "retention"), [("0", None), ("0.5", timedelta(hours=12)), ("90", timedelta(days=90)), ("", timedelta(30))]
)
async def test_retention_of_environment(
    here: Site, environment: pytest.MonkeyPatch, days: str, retention: timedelta | None
) -> None:
    """The environment gives the default retention in days, as on the server: 0 = for ever; without it 30."""
    environment.setenv("STATEMOUNT_DEFAULT_RETENTION_DAYS", days)
    with Worker.from_environment(clock=lambda: 10**17 // 4) as worker:  # in the year 2762
        await in_thread(worker.task_state.set, "key", 1)
    entry = await here.task_entry("key")
    assert entry is not None
    begin = datetime.fromisoformat("1970-01-01T00:00:00+00:00") + timedelta(microseconds=10**17 // 4)
    assert entry.expires_at == (None if retention is None else begin + retention)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"URL": None}, "STATEMOUNT_URL is not set"),
        ({"DAG_ID": "dag"}, "STATEMOUNT_RUN_ID and STATEMOUNT_TASK_ID must be set"),
        ({"DAG_ID": "dag", "RUN_ID": "run", "TASK_ID": "task", "MAP_INDEX": "x"}, "STATEMOUNT_MAP_INDEX is an integer"),
        ({"DEFAULT_RETENTION_DAYS": "soon"}, "number of days"),
        ({"DEFAULT_RETENTION_DAYS": "nan"}, "number of days"),
        ({"DEFAULT_RETENTION_DAYS": "-1"}, "0 \\(for ever\\) or more"),
        ({"WORKER_STATE_BACKEND": "nowhere.Backend"}, "nowhere"),
    ],
    ids=repr,
)
async def test_environment_that_cannot_be_used(
    environment: pytest.MonkeyPatch, variables: dict[str, str | None], reason: str
) -> None:
    """A variable that is missing or wrong is an error that names it."""
    for name, value in variables.items():
        if value is None:
            environment.delenv(f"STATEMOUNT_{name}")
        else:
            environment.setenv(f"STATEMOUNT_{name}", value)
    with pytest.raises(ConfigurationError, match=reason):
        Worker.from_environment()


async def test_worker_without_a_task_instance(here: Site, environment: pytest.MonkeyPatch) -> None:
    """A worker that was told no task instance has no task state, and says so; it has assets' states."""
    environment.delenv("STATEMOUNT_TASK_INSTANCE_ID")
    with Worker.from_environment(clock=lambda: 0) as worker:
        with pytest.raises(ConfigurationError, match="STATEMOUNT_TASK_INSTANCE_ID"):
            _ = worker.task_state
        await in_thread(worker.asset_state(name=here.world.asset_name).set, "key", 1)


async def test_connections_are_made_when_used(here: Site) -> None:
    """A worker opens nothing before it is used, reuses what it has opened, and opens again after it was closed."""
    worker = here.worker()
    await worker.aclose()
    worker.close()
    async with worker:
        state = worker.task_state
        await in_thread(state.set, "key", 1)
        await state.aset("key", 2)
        assert await in_thread(state.get, "key") == 2
    async with worker:
        assert await in_thread(state.get, "key") == 2
        assert await state.aget("key") == 2
    assert here.calls == ["PUT", "PUT", "GET", "GET", "GET"]


async def test_one_worker_on_several_loops(here: Site) -> None:
    """One accessor is used on one event loop after the other, while another loop goes on."""
    worker = here.worker(async_transport=None)
    state = worker.task_state
    await state.aset("mine", 1)

    async def use(value: int) -> None:
        async with worker:
            await state.aset("theirs", value)
            assert await state.aget("theirs") == value

    for value in range(3):
        await in_thread(asyncio.run, use(value))
        assert await state.aget("mine") == 1
    await worker.aclose()


async def test_one_worker_in_several_threads(here: Site) -> None:
    """One accessor is used in several threads at once, the first use included."""
    worker = here.worker()
    state = worker.task_state
    start = threading.Barrier(8)

    def use(number: int) -> int:
        start.wait()
        for value in range(10):
            state.set(f"key-{number}", value)
        return int(state.get(f"key-{number}"))

    with ThreadPoolExecutor(8) as executor:
        loop = asyncio.get_running_loop()
        assert await asyncio.gather(*(loop.run_in_executor(executor, use, number) for number in range(8))) == [9] * 8
    worker.close()


async def test_a_forked_process_has_its_own_connections(here: Site) -> None:
    """After a fork, parent and child go on with one accessor, each on its own connection."""
    code = """
import os, sys
from statemount.worker import Worker

worker = Worker.from_environment()
state = worker.task_state
state.set("parent", 0)
child = os.fork()
name = "parent" if child else "child"
for value in range(50):
    state.set(name, value)
    assert state.get(name) == value
worker.close()
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
worker.close()
print(sorted({"databases", "obstore", "pytest", "sqlalchemy", "starlette"} & set(sys.modules)))
"""
    variables = {
        **os.environ,
        "STATEMOUNT_URL": here.url,
        "STATEMOUNT_TOKEN": AUTH.tokens.worker(here.world.ti_id),
        "STATEMOUNT_TASK_INSTANCE_ID": str(here.world.ti_id),
        "PYTHONWARNINGS": "error",
    }
    process = await in_thread(
        lambda: subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False)
    )
    assert (process.returncode, process.stdout) == (0, "[]\n"), process.stderr
    for name in ("parent", "child"):
        entry = await here.task_entry(name)
        assert entry is not None
        assert entry.value == 49


async def test_a_renewed_token_is_everybody_s() -> None:
    """A token that the server renews for one client is what threads and every event loop go on with."""
    clock = [system_clock()]
    auth = JWTAuth(secret=SECRET, clock=lambda: clock[0])
    ti_id = uuid4()
    async with running(StateMount("memory://", auth=auth), "loop", is_filled=False) as world:
        await world.state.directory.register_task_instances([TaskInstance(ti_id, TaskScope("d", "r", "t"))])
        worker = Worker(f"{world.url}/state", token=auth.tokens.worker(ti_id, lifetime=600), ti_id=ti_id)
        async with worker:
            clock[0] += 550_000_000
            await in_thread(worker.task_state.set, "key", 1)
            clock[0] += 500_000_000
            assert await worker.task_state.aget("key") == 1


def test_never_expire_is_airflow_s() -> None:
    """NEVER_EXPIRE equals Airflow's, so that either can be passed."""
    assert timedelta.max == NEVER_EXPIRE
