"""The plugin in a real Airflow: API server, scheduler with its LocalExecutor, and dag processor, each a process.

Where SQLAlchemy is too old for the app, it runs beside Airflow, and the plugin gives out tokens alone.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest

from statemount import JWTAuth
from tests.database.support import outsider
from tests.databases import Databases, requested_urls, run_apart, sqlite_path
from tests.directory.airflow_tables import columns
from tests.documents import ROOT
from tests.orchestrators.processes import Processes, environment
from tests.orchestrators.transcripts import check
from tests.servers import free_port, serving

VERSION = {"airflow31": "3.1", "airflow31beside": "3.1", "airflow32": "3.2"}[os.environ["ORCHESTRATOR"]]
IS_BESIDE = os.environ["ORCHESTRATOR"].endswith("beside")
PREFIX = "/airflow" if os.environ["ORCHESTRATOR"] == "airflow31" else ""
PYTHON = Path(os.environ["ORCHESTRATOR_PYTHON"])
EXAMPLES = ROOT / "examples" / "airflow"
KINDS = [kind for kind in requested_urls() if kind in ("sqlite", "postgresql")]


@dataclass
class Airflow:
    """An Airflow that runs.

    Args:
        home: Its AIRFLOW_HOME.
        database: Its metadata database.
        state: Ours.
        port: Of its API server.
        state_port: Of the app, beside Airflow.
    """

    home: Path
    database: str
    state: str
    port: int
    state_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PREFIX}"

    @property
    def state_url(self) -> str:
        return f"http://127.0.0.1:{self.state_port}" if IS_BESIDE else f"{self.url}/statemount"

    @property
    def is_ready(self) -> bool | None:
        """Tell whether both answer; None = not yet."""
        try:
            urls = (f"{self.state_url}/ready", f"{self.url}/api/v2/monitor/health")
            return all(httpx.get(url).status_code == 200 for url in urls) or None
        except httpx.TransportError:
            return None

    @cached_property
    def variables(self) -> dict[str, str]:
        passwords = self.home / "passwords.json"
        passwords.write_text(json.dumps({"admin": "admin", "viewer": "viewer"}))
        beside = {"STATEMOUNT_URL": self.state_url}
        inside = {"STATEMOUNT_AUTO_MIGRATE": "true", "STATEMOUNT_DATABASE_URL": self.state}
        return environment(
            {
                **(beside if IS_BESIDE else inside),
                "AIRFLOW_HOME": str(self.home),
                "AIRFLOW__API__BASE_URL": f"{self.url}/",
                "AIRFLOW__API__PORT": str(self.port),
                "AIRFLOW__API__HOST": "127.0.0.1",
                "AIRFLOW__API__WORKERS": "1",
                "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(16),  # as short as Airflow's own
                "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
                "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
                "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
                "AIRFLOW__CORE__PARALLELISM": "2",
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.database.replace("postgresql:", "postgresql+psycopg2:"),
                "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
                "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            },
            interpreter=PYTHON,
        )

    @cached_property
    def processes(self) -> Processes:
        return Processes(self.home, self.variables)

    def client(self, name: str = "admin") -> httpx.Client:
        """Return a client of a user."""
        answer = httpx.post(f"{self.url}/auth/token", json={"username": name, "password": name})
        assert answer.status_code == 201, answer.text
        return httpx.Client(base_url=self.url, headers=_bearer(answer.json()["access_token"]), timeout=60)

    def public(self, name: str) -> httpx.Client:
        """Return a client of a user for our public API; beside Airflow, users are those to whom we give tokens."""
        if not IS_BESIDE:
            client = self.client(name)
            client.base_url = httpx.URL(self.state_url)
            return client
        permissions = ["state:read"] if name == "viewer" else ["state:read", "state:write", "state:delete"]
        auth = JWTAuth(secret=self.variables["AIRFLOW__API_AUTH__JWT_SECRET"], allow_short_secret=True)
        token = auth.tokens.public(name, permissions)
        return httpx.Client(base_url=self.state_url, headers=_bearer(token), timeout=60)

    def run(self, dag_id: str, run_id: str) -> str:
        """Run a dag as soon as Airflow has it; return the run's state at its end."""
        with self.client() as client:
            self.processes.wait_for(
                f"dag {dag_id}", lambda: client.get(f"/api/v2/dags/{dag_id}").status_code == 200 or None
            )
            body = {"dag_run_id": run_id, "logical_date": None}
            answer = client.post(f"/api/v2/dags/{dag_id}/dagRuns", json=body)
            assert answer.status_code == 200, answer.text

            def ended() -> str | None:
                state: str = client.get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}").json()["state"]
                return state if state in ("success", "failed") else None

            return self.processes.wait_for(f"end of run {run_id}", ended)

    def printed(self, dag_id: str, run_id: str, task_id: str, attempt: int) -> list[str]:
        """Return the lines that a task has printed, and how its process ended if a signal ended it."""
        folder = self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        records = [json.loads(line) for line in (folder / f"attempt={attempt}.log").read_text().splitlines()]
        lines = [record["event"] for record in records if record.get("logger") == "task.stdout"]
        return lines + ["killed" for record in records if record.get("signal_name") == "SIGKILL"]


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    made = Databases(tmp_path_factory.mktemp("databases"), lambda url: None)
    yield made
    made.drop_all()


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Return the kind of Airflow's database, and of ours."""
    return str(request.param)


@pytest.fixture(scope="module")
def airflow(kind: str, databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """Return an Airflow with the plugin and the dags, which is ready."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "plugins").mkdir()
    plugin = "statemount_tokens.py" if IS_BESIDE else "statemount_plugin.py"
    shutil.copy(EXAMPLES / "plugins" / plugin, home / "plugins")
    shutil.copytree(EXAMPLES / "dags", home / "dags")
    shutil.copy(Path(__file__).parents[1] / "airflow" / "checks.py", home / "dags")
    airflow = Airflow(home, databases.empty(kind), databases.empty(kind), free_port(), free_port())
    processes = airflow.processes
    processes.run("airflow", "db", "migrate")
    try:
        for name in ("api-server", "scheduler", "dag-processor"):
            processes.start(name, ["airflow", name])
        with _beside(airflow) if IS_BESIDE else nullcontext():
            processes.wait_for("API server", lambda: airflow.is_ready)
            yield airflow
    finally:
        processes.stop_all()


@contextmanager
def _beside(airflow: Airflow) -> Iterator[None]:
    """Serve the app on its own, by our own interpreter."""
    variables = {
        "STATEMOUNT_AIRFLOW_DATABASE_URL": airflow.variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"],
        "STATEMOUNT_AUTO_MIGRATE": "true",
        "STATEMOUNT_DATABASE_URL": airflow.state,
        "STATEMOUNT_DIRECTORY": "airflow",
        "STATEMOUNT_JWT_ALLOW_SHORT_SECRET": "true",
        "STATEMOUNT_JWT_EXECUTION_AUDIENCE": "urn:statemount:task",
        "STATEMOUNT_JWT_SECRET": airflow.variables["AIRFLOW__API_AUTH__JWT_SECRET"],
    }
    with serving(directory=airflow.home, variables=variables, port=airflow.state_port):
        yield


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_tables(airflow: Airflow, kind: str) -> None:
    """The tables that our own tests make are those that this release makes, in what the directory reads."""
    recorded = columns(kind, VERSION)
    assert _real_columns(airflow.database, kind, list(recorded)) == {
        table: dict(sorted(types.items())) for table, types in recorded.items()
    }


def test_a_killed_task_finds_its_job_again(airflow: Airflow) -> None:
    """A task whose worker is killed after it submitted a job waits for the same job in its next try."""
    assert airflow.run("report", "monday") == "success"
    first, second = (airflow.printed("report", "monday", "load", attempt) for attempt in (1, 2))
    assert first[0].startswith("submitting a job with the label ")
    assert first[1:] == ["waiting for job-" + first[0].split()[-1], "killed"]
    assert second == [first[1], "new orders since None"]
    assert airflow.run("report", "tuesday") == "success"
    third = airflow.printed("report", "tuesday", "load", 2)
    assert third[1] == "new orders since 2026-11-28"
    assert third[0] != second[0]
    lines = [f"monday, try 1: {line}" for line in first]
    lines += [f"monday, try 2: {line}" for line in second] + [f"tuesday, try 2: {line}" for line in third]
    check("airflow.md", "transcript report", "".join(f"{line}\n" for line in lines))


def test_what_a_task_may_do(airflow: Airflow) -> None:
    """A task reaches its own state and the assets of its dag's definition; its token is good for nothing else."""
    assert airflow.run("checks", "once") == "success"
    printed = airflow.printed("checks", "once", "tries", 1)
    (masked,) = [line for line in printed if line.startswith("masked: ")]
    assert masked.endswith("***")  # Airflow may leave the first characters of a secret, which are the same in all
    assert len(masked) < len("masked: ***") + 8
    assert [json.loads(line) for line in printed if line != masked] == [
        {"asset": "mine", "result": "done"},
        {"asset": "read", "result": "done"},
        {"asset": "other", "result": "ForbiddenError"},
        {"asset": "nowhere", "result": "AssetNotFoundError"},
        {"task": {"value": [1, "é"]}},
        {"api": "execution", "status": 403},
        {"api": "public", "status": 403},
        {"api": "our public", "status": 403},
        {"api": "another task", "status": 403},
    ]


def test_people_read_state(airflow: Airflow) -> None:
    """A user of Airflow's reads the state that tasks keep, and writes it if Airflow lets it change task instances."""
    place = "/api/v2/dags/checks/dagRuns/once/taskInstances"
    numbers = f"{place}/doubles/state-store/number"
    with airflow.public("admin") as admin, airflow.public("viewer") as viewer, airflow.client() as client:
        value = viewer.get(f"{place}/tries/state-store/key")
        assert (value.status_code, value.json()["value"]) == (200, {"value": [1, "é"]})
        for map_index, number in enumerate((10, 20)):
            assert viewer.get(numbers, params={"map_index": map_index}).json()["value"] == number
        body = {"value": "edited"}
        assert viewer.put(f"{place}/tries/state-store/key", json=body).status_code == 403
        assert admin.put(f"{place}/tries/state-store/key", json=body).status_code == 204
        assert admin.get(f"{place}/tries/state-store/key").json()["value"] == "edited"
        assert admin.get(f"{place}/nothing/state-store/key").status_code == 404
        assets = client.get("/api/v2/assets", params={"name_pattern": "mine"}).json()["assets"]
        state = f"{airflow.state_url}/api/v2/assets/{assets[0]['id']}/state-store/key"
        assert viewer.get(state).json()["value"] == 1
        assert viewer.delete(state).status_code == 403
        assert admin.get("/api/v2/directory/assets").status_code == 403
    assert httpx.get(state).status_code == 401
    assert httpx.get(state, headers=_bearer("nothing")).status_code == 403


def test_nobody_else_gets_a_token(airflow: Airflow) -> None:
    """The connection is given to tasks alone: not to people, nor to nobody."""
    connection = "/execution/connections/statemount"
    assert httpx.get(f"{airflow.url}{connection}").status_code == 401
    with airflow.client() as admin:
        assert admin.get(connection).status_code == 403


def test_our_tables_are_ours(airflow: Airflow, kind: str) -> None:
    """Airflow's database has none of our tables."""
    assert not [name for name in _tables(airflow.database, kind) if name.startswith("statemount")]
    assert [name for name in _tables(airflow.state, kind) if name.startswith("statemount")]


def test_stop(airflow: Airflow) -> None:
    """The API server ends in order, with what it has opened of ours."""
    airflow.processes.stop("api-server")
    _, _, ending = airflow.processes.log("api-server").read_text().partition("Shutting down")
    assert "Application shutdown complete" in ending
    assert "Traceback" not in ending, ending


def test_what_cannot_work(airflow: Airflow) -> None:
    """An API server with settings that the app cannot work with does not start, and says why."""
    variables = {**airflow.variables, "AIRFLOW__API__PORT": str(free_port()), "AIRFLOW__API_AUTH__JWT_SECRET": "short"}
    processes = Processes(airflow.home, variables)
    processes.start("refused", ["airflow", "api-server"])
    assert processes.wait("refused") != 0
    assert "statemount: the shared secret must have at least 16 bytes" in processes.log("refused").read_text()


def _tables(url: str, kind: str) -> list[str]:
    if kind == "sqlite":
        with sqlite3.connect(sqlite_path(url)) as connection:
            return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return [row[0] for row in _rows(url, "SELECT table_name FROM information_schema.tables")]


def _real_columns(url: str, kind: str, tables: list[str]) -> dict[str, dict[str, str]]:
    """Return name and type of the columns that are recorded, by table."""
    found: dict[str, dict[str, str]] = {}
    for table in tables:
        if kind == "sqlite":
            with sqlite3.connect(sqlite_path(url)) as connection:
                rows: list[Any] = [row[1:3] for row in connection.execute(f"PRAGMA table_info({table})")]
        else:
            rows = _rows(
                url,
                "SELECT column_name, replace(upper(data_type), 'CHARACTER VARYING', 'VARCHAR')"
                " || coalesce('(' || character_maximum_length || ')', '')"
                f" FROM information_schema.columns WHERE table_name = '{table}'",
            )
        recorded = columns(kind, VERSION)[table]
        found[table] = {name: type_ for name, type_ in sorted(rows) if name in recorded}
    return found


def _rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    async def run() -> list[tuple[Any, ...]]:
        async with outsider(url) as connection:
            return list(await connection.run(statement))

    return run_apart(run)
