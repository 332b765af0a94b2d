"""A process that lets libFuzzer lead: a case that reaches something new in our code is kept, and changed further.

It is started by :mod:`tests.fuzzing.__main__` with three arguments before those of libFuzzer: the store, a folder for
the database and for how far it is, and one for findings.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["statemount"], enable_loader_override=False):
    from tests.fuzzing.findings import Findings
    from tests.fuzzing.mutations import cross, mutate
    from tests.fuzzing.running import PROGRESS, Runner

_EVERY = 1.0  # seconds


def main() -> None:
    """Run until libFuzzer ends the process."""
    program, store, work, found, *rest = sys.argv
    findings = Findings(Path(found))
    runner = Runner(store, Path(work), findings)
    progress = Path(work) / PROGRESS
    written = time.monotonic()

    def test_one_input(data: bytes) -> None:
        nonlocal written
        runner.run(data)
        if time.monotonic() - written >= _EVERY:
            written = time.monotonic()
            told: dict[str, Any] = {"cases": runner.cases, "requests": runner.requests, "apps": runner.world.states}
            told["statuses"] = {str(status): count for status, count in runner.statuses.items()}
            told["findings"] = findings.kinds
            progress.write_text(json.dumps(told))

    def mutate_one(data: bytes, max_size: int, seed: int) -> bytes:
        def mutate_bytes(part: bytes, _: random.Random) -> bytes:
            return bytes(atheris.Mutate(part, len(part) + 64)) if part else b"a"

        return mutate(data, random.Random(seed), mutate_bytes)[:max_size]

    def cross_two(one: bytes, other: bytes, max_size: int, seed: int) -> bytes:
        return cross(one, other, random.Random(seed))[:max_size]

    atheris.Setup([program, *rest], test_one_input, custom_mutator=mutate_one, custom_crossover=cross_two)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
