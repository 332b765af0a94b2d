"""Resolve, and say what came of it. The exit code is the verdict."""

from __future__ import annotations

import subprocess
import sys

from tests.resolving.environment import resolver
from tests.resolving.neighbours import resolve_all


def main() -> int:
    """Return the exit code."""
    try:
        resolutions = resolve_all(resolver())
    except subprocess.CalledProcessError as error:
        print(error.stderr or error, file=sys.stderr)
        return 1
    except subprocess.TimeoutExpired as error:
        print(error, file=sys.stderr)
        return 1
    for resolution in resolutions:
        print(resolution)
    wrong = [resolution for resolution in resolutions if not resolution.is_expected]
    for resolution in wrong:
        print(f"\nthis should be different: {resolution}\n{resolution.message}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
