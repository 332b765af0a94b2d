"""Try every framework behind every server, and the core with other Pythons; write what was tried into the docs.

``python -m tests.hosts`` takes some minutes, and leaves the page alone if anything fails. The exit code is the
verdict.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.hosts import recorder
from tests.hosts.cells import VARIABLE
from tests.hosts.matrix import PAGE, page
from tests.hosts.pythons import PYTHONS, MissingPythonError, try_core
from tests.resolving.environment import resolver
from tests.resolving.neighbours import resolve_all

_HERE = Path(__file__).resolve().parent
_PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]


def main() -> int:
    """Run it all, at once where it waits for others; return the exit code."""
    with tempfile.TemporaryDirectory(prefix="statemount-hosts-") as directory, ThreadPoolExecutor() as executor:
        outcomes = Path(directory) / "outcomes"
        cores = {name: executor.submit(try_core, name) for name in PYTHONS}
        resolving = executor.submit(lambda: resolve_all(resolver()))
        left_out = f"--ignore={_HERE / 'test_matrix.py'}"  # it compares the page with what is to be written
        code = subprocess.run(
            [*_PYTEST, "-p", recorder.__name__, left_out, _HERE],
            cwd=_HERE.parents[1],
            env={**os.environ, VARIABLE: "all", recorder.VARIABLE: str(outcomes)},
            check=False,
        ).returncode
        try:
            pythons = {name: core.result() for name, core in cores.items()}
            neighbours = {(one.neighbour.title, one.python): one.versions for one in resolving.result() if one.versions}
        except (MissingPythonError, subprocess.SubprocessError) as error:
            print(getattr(error, "output", None) or error, file=sys.stderr)
            return 1
        if code:
            return code
        PAGE.write_text(page(recorder.read(outcomes), pythons, neighbours), "utf-8")
    print(f"{PAGE.name} is written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
