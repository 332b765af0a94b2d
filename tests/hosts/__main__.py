"""Try every framework behind every server, and the core with other Pythons; write what was tried into the docs.

``python -m tests.hosts`` takes some minutes, and leaves the page alone if anything fails. The exit code is the
verdict.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hosts.cells import VARIABLE
from tests.hosts.matrix import PAGE, PYTHONS, Recorder, page
from tests.hosts.pythons import MissingPythonError, try_core


def main() -> int:
    """Run it all; return the exit code."""
    os.environ[VARIABLE] = "all"
    recorder = Recorder()
    here = Path(__file__).parent
    left_out = f"--ignore={here / 'test_matrix.py'}"  # it compares the page with what is to be written
    code = pytest.main(["-p", "no:cacheprovider", "-q", left_out, str(here)], plugins=[recorder])
    if code:
        return int(code)
    try:
        pythons = {name: try_core(name) for name in PYTHONS}
    except (MissingPythonError, subprocess.CalledProcessError) as error:
        print(getattr(error, "output", None) or error, file=sys.stderr)
        return 1
    PAGE.write_text(page(recorder.outcomes, pythons), "utf-8")
    print(f"{PAGE.name} is written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
