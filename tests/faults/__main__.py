"""Let everything go wrong that :mod:`tests.faults.catalogue` knows, and print what came of it as a table in Markdown.

Run it from a copy of the repository::

    python -m tests.faults
    python -m tests.faults --kind sqlite --fault frozen

It starts database servers of its own, below a temporary directory, and takes some minutes. Each fault has an app and
a database of its own, with the time limits that the app has by default. It ends with 1 if a write was lost, was there
twice or was there though it was refused, if anything was left over, or if an answer took longer than it may.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.faults.catalogue import FAULTS
from tests.faults.programs import MissingProgramError
from tests.faults.sites import site
from tests.faults.trial import Fault, Result, Trial

_HEAD = (
    "| fault | database | first 503 after | longest answer | recovered after | acknowledged | lost | refused | unknown "
    "(of these in the log) | left over |"
)
_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MariaDB"}


async def suffer(kind: str, faults: Iterable[Fault], directory: Path) -> list[Result]:
    """Let faults happen to one app, one after the other."""
    faults = list(faults)
    is_small = any(fault.needs_small_disk for fault in faults)
    async with site(kind, directory, on_small_disk=is_small) as place:
        trial = Trial(place)
        async with trial.running():
            for fault in faults:
                await trial.suffer(fault)
    return list(trial.results)


def row(result: Result) -> str:
    """Return a row of the table. What it says of losses and leaks has been checked before there is a result."""
    first = "none" if result.first_refusal is None else f"{result.first_refusal:.2f} s"
    cells = [
        result.fault.name,
        _NAMES[result.kind],
        first,
        f"{result.longest:.2f} s",
        f"{max(result.recovery, 0):.2f} s",
        result.acknowledged,
        0,
        result.refused,
        f"{result.unknown} ({result.found})" if result.unknown else 0,
        0,
    ]
    return f"| {' | '.join(map(str, cells))} |"


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--kind", choices=_NAMES, action="append", help="only this database")
    parser.add_argument("--fault", default="", help="only faults whose names contain this")
    chosen = parser.parse_args()
    failed = False
    print(_HEAD)
    print("|---" * 10 + "|")
    for fault in FAULTS:
        for kind, name in _NAMES.items():
            if kind not in fault.kinds or (chosen.kind and kind not in chosen.kind) or chosen.fault not in fault.name:
                continue
            with tempfile.TemporaryDirectory(prefix="faults-") as directory:
                Path(directory).chmod(0o755)
                try:
                    (result,) = asyncio.run(suffer(kind, [fault], Path(directory)))
                except (AssertionError, MissingProgramError) as error:
                    failed = True
                    print(f"{fault.name} on {name}: {error!r}", file=sys.stderr)
                    continue
            print(row(result), flush=True)
            if result.longest > fault.longest:
                failed = True
                print(f"{fault.name} on {name}: an answer took {result.longest:.1f} s", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
