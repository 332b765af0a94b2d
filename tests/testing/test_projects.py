"""The projects that show how to test with the plugin: the one in `examples/`, and the one in the guide."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.documents import ROOT, blocks_of
from tests.testing.projects import passed, write_project

GUIDE = ROOT / "docs" / "how-to" / "test-with-statemount.md"


@pytest.mark.parametrize("database", ["memory", "sqlite"])
def test_the_sample_project_passes(database: str, tmp_path: Path) -> None:
    """All tests of the sample project pass, in memory and on SQLite."""
    project = tmp_path / "project"
    shutil.copytree(ROOT / "examples" / "pytest_project", project, ignore=shutil.ignore_patterns("__pycache__"))
    assert passed(project, "-p", "no:asyncio", "-o", f"statemount_database={database}") == 5


def test_the_project_of_the_guide_passes(tmp_path: Path) -> None:
    """The files of the guide are a project whose tests pass."""
    files = {
        block.mark.removeprefix("file "): block.code
        for block in blocks_of(GUIDE)
        if block.mark is not None and block.mark.startswith("file ")
    }
    assert passed(write_project(tmp_path, files), "-p", "no:asyncio") == 5
