"""Whatever the documents allow, and much that they do not, is answered as they say."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
ROUTE_SETS = [("execution", "worker"), ("api/v2", "public")]


def run(url: str, token: str, world: dict[str, Any], tools: Path, directory: Path, arguments: Sequence[str]) -> str:
    """Let schemathesis ask a route set; return what it says, after no failure."""
    configuration = directory / "schemathesis.toml"
    own = f'"path.task_instance_id" = "{world["task_instance_id"]}"' if token == "worker" else ""
    configuration.write_text(CONFIGURATION.read_text().replace("[parameters]", f"[parameters]\n{own}"))
    result = subprocess.run(
        [
            os.fspath(tools / "st"),
            f"--config-file={configuration}",
            "run",
            f"{url}/openapi.json",
            f"--header=Authorization: Bearer {world[token]}",
            *arguments,
            "--no-color",
        ],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Failures:" not in result.stdout
    return result.stdout


@pytest.mark.parametrize(("path", "token"), ROUTE_SETS)
def test_every_operation(
    server: str, world: dict[str, Any], tools: Path, tmp_path: Path, path: str, token: str
) -> None:
    """Schemathesis finds no failure in a route set: no 5xx, no status, header or body that is not in the document."""
    phases = ["--phases=examples,coverage,fuzzing", "--max-examples=10", "--max-time=20", "--seed=1"]
    run(f"{server}/{path}", token, world, tools, tmp_path, phases)


@pytest.mark.parametrize(("path", "token"), ROUTE_SETS)
def test_sequences(
    world: dict[str, Any], tools: Path, tmp_path: Path, pytestconfig: pytest.Config, path: str, token: str
) -> None:
    """Nor does it in sequences of operations, in which one goes on with what another has answered."""
    wanted = pytestconfig.getoption("--sequences")
    phases = ["--phases=stateful", f"--max-examples={wanted}", "--seed=1"]
    said = run(f"{world['servers']['sqlite']}/{path}", token, world, tools, tmp_path, phases)
    print(said)
    scenarios = re.search(r"Scenarios: +(\d+)", said)
    assert scenarios is not None, said
    assert int(scenarios[1]) >= wanted / 2, said
