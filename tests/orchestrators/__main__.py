"""Run an orchestrator for real, with our app in it, and see a task of it keep its state over a retry.

``python -m tests.orchestrators NAME [ARGUMENTS OF PYTEST]`` is run by the interpreter that has statemount; the names
are those of the files in ``requirements``. The first run installs the orchestrator. The exit code is the verdict.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.orchestrators.environment import interpreter_of

_HERE = Path(__file__).resolve().parent
_SUITES = {
    "airflow31": "airflow",
    "airflow31beside": "airflow",  # with SQLAlchemy 1.4, so that the app cannot be in it
    "airflow32": "airflow",
    "dagster": "dagster",
    "prefect": "prefect",
}


def main(arguments: Sequence[str]) -> int:
    """Run the suite of one orchestrator; return the exit code."""
    name, *rest = arguments or [""]
    if name not in _SUITES:
        print(f"name one of {', '.join(_SUITES)}", file=sys.stderr)
        return 2
    began = time.monotonic()
    try:
        interpreter = interpreter_of(name, is_whole=name != "airflow31beside")
    except subprocess.CalledProcessError as error:
        print(error, file=sys.stderr)
        return 1
    installed = time.monotonic()
    code = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", f"--config-file={_HERE / 'pytest.ini'}"),
            *(str(_HERE / "suite" / f"test_{_SUITES[name]}.py"), *rest),
        ],
        cwd=_HERE.parents[1],
        env={**os.environ, "ORCHESTRATOR": name, "ORCHESTRATOR_PYTHON": str(interpreter)},
        check=False,
    ).returncode
    print(f"installed in {installed - began:.0f} s, tested in {time.monotonic() - installed:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
