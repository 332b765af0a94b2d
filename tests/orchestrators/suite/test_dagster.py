"""The app around a real dagster-webserver, and a run whose step dies and is executed again."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from statemount import JWTAuth
from tests.documents import ROOT
from tests.orchestrators.processes import Processes, environment
from tests.orchestrators.transcripts import check
from tests.servers import free_port

PYTHON = Path(os.environ["ORCHESTRATOR_PYTHON"])
SECRET = secrets.token_hex(32)

LAUNCH = """
mutation ($job: String!) {
  launchRun(executionParams: {selector: {jobName: $job, repositoryName: "__repository__",
    repositoryLocationName: "definitions.py"}, runConfigData: {}}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""
AGAIN = """
mutation ($run: String!) {
  launchRunReexecution(reexecutionParams: {parentRunId: $run, strategy: FROM_FAILURE}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""
STATUS = "query ($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"


@dataclass
class Dagster:
    """A webserver that runs.

    Args:
        home: Its DAGSTER_HOME.
    """

    url: str
    home: Path
    processes: Processes

    def ask(self, query: str, **variables: str) -> Any:
        """Return the data of a GraphQL query."""
        answer = httpx.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=120)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def launched(self, answer: dict[str, Any]) -> tuple[str, str]:
        """Wait for the end of the run that an answer names; return its id and its status."""
        (result,) = answer.values()
        assert "run" in result, result
        run_id: str = result["run"]["runId"]

        def ended() -> str | None:
            status: str = self.ask(STATUS, run=run_id)["runOrError"]["status"]
            return status if status in ("SUCCESS", "FAILURE") else None

        return run_id, self.processes.wait_for(f"end of run {run_id}", ended)

    def printed(self, run_id: str) -> list[str]:
        """Return the lines that the steps of a run have printed."""
        files = sorted(self.home.glob(f"storage/{run_id}/compute_logs/*.out"))
        return [line for file in files for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def dagster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dagster]:
    home, port = tmp_path_factory.mktemp("dagster"), free_port()
    for file in (ROOT / "examples" / "dagster").glob("*.py"):
        shutil.copy(file, home)
    (home / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\n"
        "run_coordinator: {module: dagster._core.run_coordinator, class: DefaultRunCoordinator}\n"
    )
    variables = {
        "DAGSTER_HOME": str(home),
        "PORT": str(port),
        "STATEMOUNT_DATABASE_URL": f"sqlite:///{home / 'state.db'}",
        "STATEMOUNT_JWT_SECRET": SECRET,
    }
    processes = Processes(home, environment(variables, interpreter=PYTHON))
    url = f"http://127.0.0.1:{port}"
    try:
        processes.start("webserver", [str(PYTHON), "server.py", "definitions.py"])
        processes.wait_for("webserver", lambda: _answers(f"{url}/state/ready"))
        yield Dagster(url, home, processes)
    finally:
        processes.stop_all()


def _answers(url: str) -> bool | None:
    try:
        return httpx.get(url).status_code == 200 or None
    except httpx.TransportError:
        return None


def test_a_step_finds_its_job_again(dagster: Dagster) -> None:
    """The step of a run that is executed again, after its process was killed, waits for the job of the first one."""
    first_id, status = dagster.launched(dagster.ask(LAUNCH, job="nightly"))
    first = dagster.printed(first_id)
    assert status == "FAILURE", first
    second_id, status = dagster.launched(dagster.ask(AGAIN, run=first_id))
    second = dagster.printed(second_id)
    assert status == "SUCCESS", second
    job = f"job-{first[0].split()[-1]}"
    assert first[1:] == [f"waiting for {job}"]
    assert second == [f"waiting for {job}", "new orders since None"]
    lines = [*first, "killed", "executed again from the failure:", *second]
    check("dagster.md", "transcript report", "".join(f"{line}\n" for line in lines))


def test_what_a_step_may_do(dagster: Dagster) -> None:
    """The assets of a step are those that Dagster has for it, and no step of a run that has ended gets a token."""
    public = JWTAuth(secret=SECRET).tokens.public("test", ["state:read", "directory:read"])
    headers = {"Authorization": f"Bearer {public}"}
    assets = httpx.get(f"{dagster.url}/state/api/v2/directory/assets", headers=headers).json()["assets"]
    assert sorted(asset["name"] for asset in assets) == ["orders", "report"]
    ended = dagster.ask("{ runsOrError { ... on Runs { results { runId } } } }")["runsOrError"]["results"]
    assert ended
    for run_id in (uuid4(), *(run["runId"] for run in ended)):
        assert httpx.post(f"{dagster.url}/steps/{run_id}/report").status_code == 409


def test_dagster_is_untouched(dagster: Dagster) -> None:
    """Dagster's own pages answer beside ours, and the webserver ends in order."""
    assert httpx.get(f"{dagster.url}/server_info").json()["dagster_webserver_version"]
    assert httpx.get(f"{dagster.url}/runs").status_code == 200
    assert dagster.processes.stop("webserver") in (0, -signal.SIGTERM)
    log = dagster.processes.log("webserver").read_text()
    assert "Application shutdown complete" in log
