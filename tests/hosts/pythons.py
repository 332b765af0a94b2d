"""The tests of the core with other versions of Python, each in a virtual environment of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.databases import VARIABLE as DATABASES

VARIABLE = "STATEMOUNT_HOSTS_CACHE"
"""Environment variable: where the environments are kept; without it, ``.venv-hosts`` in the project."""

_ROOT = Path(__file__).resolve().parents[2]
PYTHONS = ("3.10", "3.13")
CORE = ("tests/store", "tests/directory", "tests/auth", "tests/service", "tests/web")


class MissingPythonError(Exception):
    """A version of Python is not on this machine."""


def interpreter_of(name: str) -> Path:
    """Return an interpreter of a version such as ``3.13``, as ``.ci/step`` finds its oldest one.

    Raises:
        MissingPythonError: There is none that can make a virtual environment.
    """
    found = sorted(Path.home().glob(f".pyenv/versions/{name}.*/bin/python"))
    for candidate in (shutil.which(f"python{name}"), *found):
        if candidate is not None and _can_make_environments(candidate):
            return Path(candidate)
    raise MissingPythonError(f"Python {name} was not found")


def _can_make_environments(candidate: str | Path) -> bool:
    command = [candidate, "-c", "import venv, ensurepip"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def environment_of(name: str) -> Path:
    """Return the interpreter of an environment that has the project and what its tests need, made if it is missing.

    Raises:
        MissingPythonError: There is no such Python.
        CalledProcessError: The packages could not be installed.
    """
    cache = Path(os.environ.get(VARIABLE) or _ROOT / ".venv-hosts").resolve() / name
    python = cache / "bin" / "python"
    if not python.exists():
        subprocess.run([interpreter_of(name), "-m", "venv", cache], check=True)
    subprocess.run([python, "-m", "pip", "install", "-qq", "--no-compile", "-e", f"{_ROOT}[test]"], check=True)
    return python


def try_core(name: str) -> str:
    """Run the tests of the core; return how many have passed, and with which Python.

    Raises:
        MissingPythonError: There is no such Python.
        CalledProcessError: A test failed, or the packages could not be installed.
    """
    python = environment_of(name)
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", "-q", *CORE]
    environment = {**os.environ, DATABASES: "memory:// sqlite://"}
    run = subprocess.run(command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    passed = re.search(r"^(\d+ passed)", run.stdout, re.MULTILINE)
    if run.returncode or passed is None:
        raise subprocess.CalledProcessError(run.returncode, command, run.stdout)
    version = subprocess.run([python, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return f"{passed[1]}, with {version.strip()}"
