"""Every example runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import httpx
import pytest

from statemount import JWTAuth, TaskInstance, TaskScope
from tests.servers import clean_environment

pytestmark = pytest.mark.anyio

EXAMPLES = Path(__file__).parent.parent / "examples"
SECRET = "a secret for the tests of the examples, of at least sixty-four bytes"
APPS = {
    "standalone": "",
    "starlette_mount": "/state",
    "fastapi_mount": "/state",
    "fastapi_users": "/state",
    "litestar_mount": "/state",
    "middleware": "/state",
    "quart_app": "/state",
}
USERS = ["fastapi_users", "litestar_mount", "quart_app"]


def load(name: str) -> ModuleType:
    """Return an example as a fresh module."""
    spec = spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)  # Litestar reads annotations there
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def example(name: str) -> AsyncIterator[tuple[ModuleType, httpx.AsyncClient]]:
    """Give an example that runs, and a client of its app."""
    module = load(name)
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(module.app), base_url="http://app") as client:
            yield module, client
    finally:
        await module.state.stop()


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every example in an empty directory, with a secret."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STATEMOUNT_JWT_SECRET", SECRET)


def test_every_example_is_tested() -> None:
    """No example is left out below."""
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*APPS, "django_site", "in_process"}


@pytest.mark.parametrize("name", APPS)
async def test_an_app_serves_a_worker(name: str) -> None:
    """A registered worker sets, gets, deletes and clears its state over the example's app."""
    async with example(name) as (module, client):
        task_instance = TaskInstance(uuid4(), TaskScope("dag", "run", "task"))
        await module.state.directory.register_task_instances([task_instance])
        client.headers["Authorization"] = f"Bearer {JWTAuth(secret=SECRET).tokens.worker(task_instance.id)}"
        task = f"{APPS[name]}/execution/store/ti/{task_instance.id}"
        assert (await client.put(f"{task}/key", json={"value": [1]})).status_code == 204
        assert (await client.get(f"{task}/key")).json() == {"value": [1]}
        assert (await client.delete(f"{task}/key")).status_code == 204
        assert (await client.delete(task)).status_code == 204
        assert (await client.get(f"{task}/key")).status_code == 404


@pytest.mark.parametrize("name", USERS)
async def test_an_app_serves_its_own_users(name: str) -> None:
    """A user of the application writes state, and nobody else does."""
    async with example(name) as (module, client):
        await module.state.directory.register_task_instances([TaskInstance(uuid4(), TaskScope("dag", "run", "task"))])
        path = "/state/api/v2/dags/dag/dagRuns/run/taskInstances/task/state-store/key"
        user = {"x-password": "let me in"}
        assert (await client.put(path, json={"value": 1}, headers=user)).status_code == 204
        assert (await client.get(path, headers=user)).json()["value"] == 1
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers={"x-password": "open"})).status_code == 401


async def test_fastapi_asks_one_dependency() -> None:
    """The users' example answers its own route by the same dependency, and has one document for both."""
    async with example("fastapi_users") as (_, client):
        assert (await client.get("/me", headers={"x-password": "let me in"})).json() == {"user": "grace"}
        assert (await client.get("/me")).json() == {"detail": "log in first"}
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert {"/me", "/state/health"} <= set(paths)


def test_django_serves_workers_and_its_own_users(tmp_path: Path) -> None:
    """The Django example serves a worker, and of its users those who are staff."""
    path = [os.fspath(EXAMPLES), os.fspath(EXAMPLES.parent), *filter(None, sys.path)]
    process = subprocess.run(
        [sys.executable, "-m", "tests.hosts.django_example"],
        cwd=tmp_path,
        env=clean_environment({"STATEMOUNT_JWT_SECRET": SECRET, "PYTHONPATH": os.pathsep.join(path)}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.stderr == ""
    assert process.stdout.splitlines() == [
        "hello: {'greeting': 'hello'}",
        "worker: 204",
        "nobody: 401",
        "staff: 204",
        "customer: 401",
        "value: {'value': 2}",
    ]


async def test_fastapi_hands_out_work() -> None:
    """The FastAPI example registers a task instance and its asset, gives a token that works, and reads in process."""
    async with example("fastapi_mount") as (_, client):
        work = (await client.post("/runs/2026-01-01/tasks/load", params={"outlet": "orders"})).json()
        headers = {"Authorization": f"Bearer {work['token']}"}
        value = {"name": "orders", "key": "watermark"}
        url = "/state/execution/store/asset/by-name/value"
        assert (await client.put(url, params=value, json={"value": 7}, headers=headers)).status_code == 204
        assert (await client.get("/assets/1/watermark")).json() == {"watermark": 7}


async def test_starlette_keeps_its_own_lifespan() -> None:
    """The Starlette example runs its own lifespan beside ours."""
    module = load("starlette_mount")
    async with module.app.router.lifespan_context(module.app) as lifespan_state:
        assert lifespan_state == {"greeting": "hello"}


async def test_the_application_inside_the_middleware_answers() -> None:
    """What is not under the prefix goes to the plain application."""
    async with example("middleware") as (_, client):
        assert (await client.get("/elsewhere")).text == "hello"


async def test_standalone_hires_a_worker() -> None:
    """The standalone example gives its worker a token that is accepted."""
    module = load("standalone")
    try:
        assert (await module.hire_worker()).count(".") == 2
    finally:
        await module.state.stop()


def test_in_process_runs() -> None:
    """The example without HTTP runs as a script, does its steps once each, and leaves nothing open."""
    process = subprocess.run(
        [sys.executable, os.fspath(EXAMPLES / "in_process.py")],
        env=clean_environment({}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.splitlines() == [f"2026-01-01: step {step}" for step in (1, 2, 3)]
    assert process.stderr == ""
