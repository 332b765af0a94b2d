"""Run the suite: the published client of the Task SDK, in a virtual environment of its own, against our servers.

``python -m tests.compat [ARGUMENTS OF PYTEST]`` is run by the interpreter that has statemount. The exit code is the
verdict.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from statemount.database.migrations import upgrade
from tests.compat.environment import sdk_interpreter
from tests.compat.servers import Server, ServerError, serving
from tests.databases import NAMES, VARIABLE, Databases, requested_urls, run_apart, server_of, untested

_HERE = Path(__file__).resolve().parent


def main(arguments: Sequence[str]) -> int:
    """Run the suite on every database that the run is asked to use; return the exit code."""
    try:
        urls = requested_urls()
    except ValueError as error:
        return _fail(str(error))
    for kind, url in urls.items():
        try:
            server_of(kind, url).check()
        except Exception as error:
            return _fail(f"{NAMES[kind]} at {url} cannot be reached: {error!r}")
    try:
        interpreter = sdk_interpreter()
    except subprocess.CalledProcessError as error:
        return _fail(str(error))
    with tempfile.TemporaryDirectory(prefix="statemount-compat-") as name:
        directory = Path(name)
        databases = Databases(directory, lambda url: run_apart(lambda: upgrade(url)))
        secret = secrets.token_hex(32)
        try:
            own = {kind: url if kind == "memory" else databases.clean(kind) for kind, url in urls.items()}
            with serving(own, secret=secret, directory=directory) as servers:
                code = _run_suite(interpreter, servers, arguments, secret=secret, directory=directory)
        except ServerError as error:
            return _fail(str(error))
        finally:
            databases.drop_all()
    if kinds := untested():
        print(f"This run did not use {' and '.join(NAMES[kind] for kind in kinds)}; {VARIABLE} adds them.")
    return code


def _run_suite(
    interpreter: Path, servers: Sequence[Server], arguments: Sequence[str], *, secret: str, directory: Path
) -> int:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "COV", "PYTEST", "PYTHON", "STATEMOUNT")) and not name.endswith("_proxy")
        if not name.endswith("_PROXY")
    }
    environment = {
        **kept,
        "AIRFLOW_HOME": str(directory / "airflow"),
        "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "1",  # a 5xx or a broken connection is to be seen, not retried
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        "COMPAT": json.dumps({"secret": secret, "servers": {server.name: server.url for server in servers}}),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [str(interpreter), "-I", "-m", "pytest", f"--config-file={_HERE / 'pytest.ini'}", *arguments]
    return subprocess.run(command, cwd=_HERE, env=environment, check=False).returncode


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and databases are removed then, too
    sys.exit(main(sys.argv[1:]))
