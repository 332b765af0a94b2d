"""Make clients of our documents and let them talk to our servers; let schemathesis ask these whatever it likes.

``python -m tests.clients [ARGUMENTS OF PYTEST]`` is run by the interpreter that has statemount. The exit code is the
verdict. With ``-k sequences --sequences=500 -s`` schemathesis asks for long.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import httpx

from statemount import JWTAuth
from statemount.database.migrations import upgrade
from tests.clients.environment import MissingProgramError, environments
from tests.clients.host import PREFIX, VARIABLE
from tests.databases import run_apart
from tests.servers import clean_environment, free_port

_HERE = Path(__file__).resolve().parent
_APP = "tests.clients.host:make_app"
_PATIENCE = 60  # seconds; a machine that is busy takes its time
_PERMISSIONS = ("state:read", "state:write", "state:delete", "directory:read", "directory:write")


def main(arguments: Sequence[str]) -> int:
    """Run the suite on a server in memory and on one with SQLite; return the exit code."""
    try:
        interpreter, node = environments()
    except (MissingProgramError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    secret, task_instance_id = secrets.token_hex(32), uuid4()
    tokens = JWTAuth(secret=secret).tokens
    with tempfile.TemporaryDirectory(prefix="statemount-clients-") as name, ExitStack() as stack:
        directory = Path(name)
        sqlite = f"sqlite:///{directory / 'state.db'}"
        run_apart(lambda: upgrade(sqlite))
        servers = {}
        for kind, url in (("memory", "memory://"), ("sqlite", sqlite)):
            host = {"database_url": url, "secret": secret, "task_instance_id": str(task_instance_id)}
            servers[kind] = stack.enter_context(_serving(host, directory / f"{kind}.log"))
        world = {
            "servers": servers,
            "worker": tokens.worker(task_instance_id, lifetime=3600),
            "public": tokens.public("clients", _PERMISSIONS),
            "task_instance_id": str(task_instance_id),
            "node": str(node),
        }
        return subprocess.run(
            [str(interpreter), "-I", "-m", "pytest", f"--config-file={_HERE / 'pytest.ini'}", *arguments],
            cwd=_HERE,
            env=_outside({"CLIENTS": json.dumps(world)}),
            check=False,
        ).returncode


def _outside(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of what has nothing of ours, plus these variables."""
    ours = ("COV", "PYTEST", "PYTHON", "STATEMOUNT")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**{name: value for name, value in kept.items() if not name.lower().endswith("_proxy")}, **variables}


@contextmanager
def _serving(host: dict[str, str], log: Path) -> Iterator[str]:
    """Run a server until the end of the block; give the URL of the state there."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "uvicorn", "--factory", _APP, "--port", str(port), "--no-access-log"]
    variables = {"PYTHONPATH": os.pathsep.join(sys.path), VARIABLE: json.dumps(host)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=_HERE.parents[1],
            env=clean_environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        _wait(process, f"{url}{PREFIX}/ready", log)
        yield url + PREFIX
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    with httpx.Client() as client:
        while True:
            try:
                if client.get(url).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server does not start:\n{log.read_text()}")
            time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
