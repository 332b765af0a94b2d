"""The virtual environment of the resolver: made by the first run, and again when its pin changes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

VARIABLE = "STATEMOUNT_RESOLVING_CACHE"
"""Names the directory in which the environment is kept; without it, ``.venv-resolving`` in the project."""

_HERE = Path(__file__).resolve().parent
_REQUIREMENTS = _HERE / "requirements.txt"
_DEFAULT = _HERE.parents[1] / ".venv-resolving"


def resolver() -> Path:
    """Return the resolver's program. Runs at the same time wait for each other.

    Raises:
        CalledProcessError: It could not be installed.
    """
    cache = Path(os.environ.get(VARIABLE) or _DEFAULT).resolve()
    cache.mkdir(parents=True, exist_ok=True)
    venv, stamp = cache / "venv", cache / "pins"
    pins = hashlib.sha256(f"{sys.version} {venv}\n{_REQUIREMENTS.read_text()}".encode()).hexdigest()
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (stamp.exists() and stamp.read_text() == pins):
            stamp.unlink(missing_ok=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
            pip = [os.fspath(venv / "bin" / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
            subprocess.run([*pip, "-r", _REQUIREMENTS], check=True)
            stamp.write_text(pins)
    return venv / "bin" / "uv"
