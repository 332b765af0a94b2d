"""Runs case after case on one event loop, and counts what comes of it."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from statemount.database.migrations import upgrade
from tests.databases import SQLite, run_apart
from tests.fuzzing.findings import Findings
from tests.fuzzing.mutations import cross, mutate, mutate_plainly
from tests.fuzzing.oracle import run_case
from tests.fuzzing.world import World, strict_logs

PROGRESS = "progress.json"
"""What a process calls the file in which it writes down how far it is."""

CORPUS = Path(__file__).with_name("corpus")


def corpus() -> dict[str, bytes]:
    """Return the cases that are kept in the project, by name."""
    return {path.stem: path.read_bytes() for path in sorted(CORPUS.glob("*.http"))}


class Runner:
    """An app in memory or on SQLite, and what was asked of it.

    Args:
        store: ``memory`` or ``sqlite``.
        directory: Where the database is.
        findings: Where the findings go.

    Attributes:
        cases: How many were run.
        statuses: How often each was answered; None = there was no answer, as the client went away.
    """

    def __init__(self, store: str, directory: Path, findings: Findings) -> None:
        self.findings = findings
        self.cases = 0
        self.statuses: Counter[int | None] = Counter()
        self._loop = asyncio.new_event_loop()
        self.world = World(None if store == "memory" else _databases(directory))
        self._stack = ExitStack()
        self._stack.enter_context(strict_logs())
        self._loop.run_until_complete(self.world.begin())

    @property
    def requests(self) -> int:
        """How many requests the cases had."""
        return sum(self.statuses.values())

    def run(self, data: bytes) -> bool:
        """Run a case; tell whether all is well."""
        self.cases += 1
        try:
            self.statuses.update(self._loop.run_until_complete(run_case(self.world, data)))
        except Exception as error:
            self.findings.add(data, error)
            self._loop.run_until_complete(self.world.begin())
            return False
        return True

    def close(self) -> None:
        """Stop the app."""
        self._stack.close()
        self._loop.run_until_complete(self.world.end())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


def _databases(directory: Path) -> Callable[[], str]:
    """Return what makes one database after the other, each in the place of the one before."""
    server = SQLite()
    template = server.create(directory)
    run_apart(lambda: upgrade(template))
    made: list[str] = []

    def make() -> str:
        if made:
            server.drop(made.pop())
        made.append(server.clean(template, directory))
        return made[0]

    return make


def run_unguided(store: str, findings: Findings, *, seed: object, goes_on: Callable[[Runner], bool]) -> Runner:
    """Run cases that are made of those of the corpus by chance, as long as a condition holds."""
    generator = random.Random(f"{seed}")
    cases = list(corpus().values())
    with tempfile.TemporaryDirectory(prefix="statemount-fuzzing-") as directory:
        runner = Runner(store, Path(directory), findings)
        try:
            while goes_on(runner):
                runner.run(_changed(cases, generator))
        finally:
            runner.close()
    return runner


def _changed(cases: Sequence[bytes], generator: random.Random) -> bytes:
    data = generator.choice(cases)
    for _ in range(generator.randint(1, 4)):
        if generator.random() < 0.15:
            data = cross(data, generator.choice(cases), generator)
        else:
            data = mutate(data, generator, mutate_plainly)
    return data


def until(seconds: float) -> Callable[[Runner], bool]:
    """Return a condition that holds for so long."""
    end = time.monotonic() + seconds
    return lambda runner: time.monotonic() < end
