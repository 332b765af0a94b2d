"""The app around a real Prefect server, and a flow that a process of its own runs, dies in and runs again."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.documents import ROOT
from tests.orchestrators.processes import PATIENCE, Processes, environment
from tests.orchestrators.transcripts import check
from tests.servers import free_port

PYTHON = Path(os.environ["ORCHESTRATOR_PYTHON"])
PASSWORD = "admin:a password"


@dataclass
class Prefect:
    """A Prefect server that runs.

    Args:
        url: Of the server.
    """

    url: str
    processes: Processes

    def client(self) -> httpx.Client:
        """Return a client of its API."""
        return httpx.Client(base_url=self.url, auth=("admin", "a password"), timeout=60)

    def flow(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command; return what became of it."""
        return subprocess.run(
            command,
            cwd=self.processes.directory,
            env=dict(self.processes.variables),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    home, port = tmp_path_factory.mktemp("prefect"), free_port()
    for file in (ROOT / "examples" / "prefect").glob("*.py"):
        shutil.copy(file, home)
    url = f"http://127.0.0.1:{port}"
    variables = {
        "PREFECT_API_AUTH_STRING": PASSWORD,
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_API_AUTH_STRING": PASSWORD,
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "STATEMOUNT_DATABASE_URL": f"sqlite:///{home / 'state.db'}",
        "STATEMOUNT_JWT_SECRET": secrets.token_hex(32),
    }
    processes = Processes(home, environment(variables, interpreter=PYTHON))
    try:
        server = [str(PYTHON), "-m", "uvicorn", "server:app", "--port", str(port)]
        processes.start("server", server)
        processes.wait_for("server", lambda: _answers(f"{url}/state/ready") and _answers(f"{url}/api/health"))
        yield Prefect(url, processes)
    finally:
        processes.stop_all()


def _answers(url: str) -> bool | None:
    try:
        return httpx.get(url, auth=("admin", "a password")).status_code == 200 or None
    except httpx.TransportError:
        return None


def _printed(output: str) -> list[str]:
    wanted = re.compile(r"submitting a job|flow run \d+, attempt|new orders")
    return [line for line in output.splitlines() if wanted.match(line)]


def test_a_task_finds_its_job_again(prefect: Prefect) -> None:
    """A job is submitted once: an attempt that failed and a flow run that was killed are followed by ones that wait."""
    killed = prefect.flow(str(PYTHON), "-u", "report.py")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with prefect.client() as client:
        (flow_run,) = client.post("/api/flow_runs/filter", json={}).json()
        crashed = {"state": {"type": "CRASHED", "name": "Crashed"}, "force": True}
        place = f"/api/flow_runs/{flow_run['id']}"
        assert client.post(f"{place}/set_state", json=crashed).status_code == 201
        command = ("prefect", "flow-run", "retry", flow_run["id"], "--entrypoint", "report.py:report")
        again = prefect.flow(*command)
        assert client.get(place).json()["state_type"] == "COMPLETED", again.stdout + again.stderr
    first, second = _printed(killed.stdout), _printed(again.stdout)
    job = f"job-{first[0].split()[-1]}"
    assert first[1:] == [f"flow run 1, attempt {attempt}: waiting for {job}" for attempt in (1, 2)]
    assert second == [
        *(f"flow run 2, attempt {attempt}: waiting for {job}" for attempt in (1, 2)),
        "new orders since None",
    ], again.stdout + again.stderr
    check("prefect.md", "transcript report", "".join(f"{line}\n" for line in [*first, "killed", *second]))


def test_who_gets_a_token(prefect: Prefect) -> None:
    """A token is for a task run of a flow run that runs, and for whoever may use Prefect's API."""
    body = {"task_run_id": str(uuid4()), "flow_run_id": str(uuid4()), "task": "load-0"}
    assert httpx.post(f"{prefect.url}/task-runs", json=body).status_code == 401
    with prefect.client() as client:
        assert client.post("/task-runs", json=body).status_code == 409
        assert client.post("/task-runs", json={"task": 1}).status_code == 422
        (flow_run,) = client.post("/api/flow_runs/filter", json={}).json()
        assert client.post("/task-runs", json={**body, "flow_run_id": flow_run["id"]}).status_code == 409


def test_prefect_is_untouched(prefect: Prefect) -> None:
    """Prefect's own API answers beside ours, and the server ends in order."""
    with prefect.client() as client:
        assert client.get("/api/admin/version").status_code == 200
    assert prefect.processes.stop("server") in (0, -signal.SIGTERM)  # as uvicorn ends when all is closed
    log = prefect.processes.log("server").read_text()
    assert "Traceback" not in log, log[log.index("Traceback") :][:4000]
