"""Projects whose tests run in a pytest of their own, with the plugin as it is installed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.servers import clean_environment

_COUNT = re.compile(r"^(?:.*, )?(\d+) passed in ", re.MULTILINE)


def run_pytest(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a project; every warning is an error.

    Args:
        directory: The project's.
        arguments: Of pytest.
    """
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=directory,
        env=clean_environment({"PYTHONDONTWRITEBYTECODE": "1"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def passed(directory: Path, *arguments: str) -> int:
    """Run the tests of a project, all of which must pass; return how many there are."""
    process = run_pytest(directory, *arguments)
    assert process.returncode == 0, process.stdout + process.stderr
    found = re.search(_COUNT, process.stdout)
    assert found is not None, process.stdout
    assert not re.search(r"\d+ (?:skipped|warning|xfailed|deselected)", process.stdout), process.stdout
    return int(found[1])


def write_project(directory: Path, files: Mapping[str, str]) -> Path:
    """Write the files of a project, and return its directory."""
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory
