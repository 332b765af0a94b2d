"""The virtual environment of the Task SDK: made by the first run, and again when its pins change."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

VARIABLE = "STATEMOUNT_COMPAT_CACHE"
"""Names the directory in which the environment is kept; without it, ``.venv-compat`` in the project."""

_HERE = Path(__file__).resolve().parent
_REQUIREMENTS = _HERE / "requirements.txt"
_DEFAULT = _HERE.parents[1] / ".venv-compat"


def sdk_interpreter() -> Path:
    """Return the interpreter that has the Task SDK and nothing of ours. Runs at the same time wait for each other.

    Raises:
        CalledProcessError: The packages could not be installed.
    """
    cache = Path(os.environ.get(VARIABLE) or _DEFAULT).resolve()
    cache.mkdir(parents=True, exist_ok=True)
    venv, stamp = cache / "venv", cache / "pins"
    interpreter = venv / "bin" / "python"
    pins = hashlib.sha256(f"{sys.version} {venv}\n{_REQUIREMENTS.read_text()}".encode()).hexdigest()
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (interpreter.exists() and stamp.exists() and stamp.read_text() == pins):
            stamp.unlink(missing_ok=True)
            print(f"Installing the Task SDK in {venv} ...", flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
            pip = [str(interpreter), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
            subprocess.run([*pip, "-r", str(_REQUIREMENTS)], check=True)
            stamp.write_text(pins)
    return interpreter
