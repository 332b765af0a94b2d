"""What the clients are made with, in a Python and a Node environment: installed by the first run, and for new pins."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

VARIABLE = "STATEMOUNT_CLIENTS_CACHE"
"""Names the directory in which both are kept; without it, ``.venv-clients`` in the project."""

_HERE = Path(__file__).resolve().parent
_REQUIREMENTS = _HERE / "requirements.txt"
_PACKAGES = _HERE / "package.json"
_DEFAULT = _HERE.parents[1] / ".venv-clients"


class MissingProgramError(Exception):
    """A program that is needed is not installed."""


def environments() -> tuple[Path, Path]:
    """Return the interpreter that has the Python tools, and the folder with ``node_modules``.

    Runs at the same time wait for each other.

    Raises:
        MissingProgramError: There is no npm.
        CalledProcessError: The packages could not be installed.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise MissingProgramError("npm is not installed: a TypeScript client cannot be made without it")
    cache = Path(os.environ.get(VARIABLE) or _DEFAULT).resolve()
    venv, node = cache / "venv", cache / "node"
    interpreter = venv / "bin" / "python"

    def install_python() -> None:
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        pip = [os.fspath(interpreter), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", _REQUIREMENTS], check=True)

    def install_node() -> None:
        shutil.rmtree(node, ignore_errors=True)
        node.mkdir()
        shutil.copy(_PACKAGES, node)
        quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
        subprocess.run([npm, "install", *quiet], cwd=node, check=True)

    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install_once(cache / "python-pins", f"{sys.version} {venv}\n{_REQUIREMENTS.read_text()}", install_python)
        _install_once(cache / "node-pins", f"{node}\n{_PACKAGES.read_text()}", install_node)
    return interpreter, node


def _install_once(stamp: Path, pins: str, install: Callable[[], None]) -> None:
    digest = hashlib.sha256(pins.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    stamp.unlink(missing_ok=True)
    print(f"Installing what clients are made with in {stamp.parent} ...", flush=True)
    install()
    stamp.write_text(digest)
