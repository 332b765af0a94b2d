"""The virtual environment of one orchestrator, with this project in it: made once for its pins, outside of it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

VARIABLE = "STATEMOUNT_ORCHESTRATORS_CACHE"
"""Names the directory in which the environments are kept; without it, ``~/.cache/statemount-orchestrators``."""

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]
_BUILD = ("hatchling>=1.27", "editables>=0.5")


def interpreter_of(name: str, *, is_whole: bool = True) -> Path:
    """Return the interpreter that has the orchestrator and this project. Runs at the same time wait for each other.

    Args:
        is_whole: Whether all that the project asks for is there, too.

    Raises:
        CalledProcessError: The packages could not be installed, or do not go together.
    """
    requirements = _HERE / "requirements" / f"{name}.txt"
    key = hashlib.sha256(f"{sys.version} {_ROOT}\n{requirements.read_text()}".encode()).hexdigest()[:16]
    cache = Path(os.environ.get(VARIABLE) or Path.home() / ".cache" / "statemount-orchestrators").resolve()
    cache.mkdir(parents=True, exist_ok=True)
    venv = cache / f"{name}-{key}"
    interpreter, stamp = venv / "bin" / "python", venv / "complete"
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            print(f"Installing {name} in {venv} ...", flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
            pip = [str(interpreter), "-m", "pip"]
            install = [*pip, "install", "-qq", "--disable-pip-version-check"]
            subprocess.run([*install, "-r", str(requirements), *_BUILD], check=True)
            subprocess.run([*install, "--no-deps", "--no-build-isolation", "-e", str(_ROOT)], check=True)
            if is_whole:
                subprocess.run([*pip, "check"], check=True)
            stamp.write_text(str(_ROOT))
            _forget_older(cache, name, venv)
    return interpreter


def _forget_older(cache: Path, name: str, newest: Path) -> None:
    """Remove what this project had for pins that it has no more."""
    for venv in cache.glob(f"{name}-*"):
        stamp = venv / "complete"
        if venv != newest and stamp.exists() and stamp.read_text() == str(_ROOT):
            shutil.rmtree(venv)
