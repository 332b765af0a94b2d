"""The pytest plugin, in projects of its users: with each plugin for asynchronous tests, and on each database."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.documents import ROOT
from tests.testing.projects import passed, run_pytest, write_project

IN_USE = Path(__file__).with_name("fixtures_in_use.py").read_text("utf-8")
TESTS = 13
ANYIO = """
import pytest

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""
HEAVY = ["alembic", "anyio", "databases", "fastapi", "httpx", "jwt", "pydantic", "sqlalchemy", "starlette", "tenacity"]


def of_anyio(directory: Path, *options: str) -> Path:
    """Write the project for anyio's plugin."""
    ini = "\n".join(["[pytest]", "filterwarnings = error", "addopts = -p no:asyncio", *options])
    return write_project(directory, {"pytest.ini": ini, "conftest.py": ANYIO, "test_in_use.py": IN_USE})


def of_pytest_asyncio(directory: Path, *options: str) -> Path:
    """Write the project for pytest-asyncio."""
    ini = "\n".join(["[pytest]", "filterwarnings = error", "asyncio_default_fixture_loop_scope = function", *options])
    tests = IN_USE.replace("pytest.mark.anyio", "pytest.mark.asyncio")
    return write_project(directory, {"pytest.ini": ini, "test_in_use.py": tests})


@pytest.mark.parametrize("database", ["memory", "sqlite"])
def test_with_anyio(database: str, tmp_path: Path) -> None:
    """All fixtures work with anyio's plugin, with no warning."""
    assert passed(of_anyio(tmp_path, f"statemount_database = {database}")) == TESTS


@pytest.mark.parametrize("database", ["memory", "sqlite"])
@pytest.mark.parametrize("loop", ["function", "session"])
def test_with_pytest_asyncio(loop: str, database: str, tmp_path: Path) -> None:
    """All fixtures work with pytest-asyncio, on a loop for each test and on one for all, with no warning."""
    options = f"statemount_database = {database}", f"asyncio_default_test_loop_scope = {loop}"
    assert passed(of_pytest_asyncio(tmp_path, *options)) == TESTS


def test_with_pytest_asyncio_in_auto_mode(tmp_path: Path) -> None:
    """So they do where every asynchronous test is one of pytest-asyncio's."""
    assert passed(of_pytest_asyncio(tmp_path, "asyncio_mode = auto")) == TESTS


def test_the_plugin_is_installed() -> None:
    """pytest finds the plugin by its entry point, under the name of the package."""
    (found,) = [point for point in entry_points(group="pytest11") if point.name == "statemount"]
    assert found.value == "statemount.pytest_plugin"


def test_an_import_is_light() -> None:
    """The plugin's module imports nothing but pytest and our own lazy package."""
    code = f"""
import sys
import pytest
before = set(sys.modules)
import statemount.pytest_plugin
new = set(sys.modules) - before
print(sorted(new))
assert not set({HEAVY!r}) & sys.modules.keys()
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout) == (0, "['statemount', 'statemount.pytest_plugin']\n"), process.stderr


def test_a_project_that_does_not_use_it_pays_nothing(tmp_path: Path) -> None:
    """A test that uses none of the fixtures finds nothing of ours in memory but the plugin's module."""
    test = """
import sys

def test_it():
    ours = {name for name in sys.modules if name.split(".")[0] == "statemount"}
    assert ours == {"statemount", "statemount.pytest_plugin"}
"""
    project = write_project(tmp_path, {"test_it.py": test, "pytest.ini": "[pytest]\nfilterwarnings = error\n"})
    assert passed(project, "-p", "no:asyncio") == 1


def test_every_fixture_is_listed_with_what_it_is(tmp_path: Path) -> None:
    """`pytest --fixtures` has every fixture of ours, each with its sentence, and their names begin alike."""
    listed = run_pytest(write_project(tmp_path, {}), "--fixtures", "-p", "no:asyncio").stdout
    section = listed.partition("fixtures defined from statemount.pytest_plugin")[2]
    names = re.findall(r"^(\w+)(?: \[.*\])? -- ", section.partition("------- ")[0], re.MULTILINE)
    assert len(names) == 13
    assert all(name.startswith("statemount_") for name in names)
    assert "no docstring" not in section
    guide = (ROOT / "docs" / "how-to" / "test-with-statemount.md").read_text("utf-8")
    assert [name for name in names if f"`{name}`" not in guide] == []


def test_an_unknown_database_is_refused(tmp_path: Path) -> None:
    """A misspelt database is told by name, with what can be chosen."""
    process = run_pytest(of_anyio(tmp_path, "statemount_database = postgres"), "-x")
    assert process.returncode == 1
    assert "statemount_database is memory or sqlite, not 'postgres'" in process.stdout
