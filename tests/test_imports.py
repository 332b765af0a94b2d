"""Imports run one way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_imports_run_one_way() -> None:
    """Every contract in pyproject.toml about who may import whom is kept."""
    process = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout
