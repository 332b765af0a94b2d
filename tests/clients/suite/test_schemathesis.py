"""Whatever the documents allow, and much that they do not, is answered as they say."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")


@pytest.mark.parametrize(("path", "token"), [("execution", "worker"), ("api/v2", "public")])
def test_every_operation(
    server: str, world: dict[str, Any], tools: Path, tmp_path: Path, path: str, token: str
) -> None:
    """Schemathesis finds no failure in a route set: no 5xx, no status, header or body that is not in the document."""
    configuration = tmp_path / "schemathesis.toml"
    own = f'"path.task_instance_id" = "{world["task_instance_id"]}"' if token == "worker" else ""
    configuration.write_text(CONFIGURATION.read_text().replace("[parameters]", f"[parameters]\n{own}"))
    result = subprocess.run(
        [
            os.fspath(tools / "st"),
            f"--config-file={configuration}",
            "run",
            f"{server}/{path}/openapi.json",
            f"--header=Authorization: Bearer {world[token]}",
            "--phases=examples,coverage,fuzzing",
            "--max-examples=10",
            "--max-time=20",
            "--seed=1",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Failures:" not in result.stdout
