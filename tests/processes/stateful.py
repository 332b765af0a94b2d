"""Random requests of both route sets and versions, through two servers, next to a dictionary.

``python -m tests.processes.stateful --minutes 10`` does so for longer than CI has time for, on every database that
``STATEMOUNT_TEST_DATABASE_URLS`` names. It ends with an error that shows the shortest sequence of requests that it has
found to go wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import initialize, run_state_machine_as_test
from typing_extensions import override

from statemount.database.migrations import upgrade
from tests.contract.rows import USER, Token
from tests.contract.test_stateful import StateMachine
from tests.contract.transports import Answer
from tests.contract.world import Place, make_state
from tests.databases import NAMES, requested_urls, run_apart, server_of
from tests.processes.serving import Process
from tests.processes.shared_clock import VARIABLE, SharedClock
from tests.processes.workers import Connection

STEPS = 30
_ROUND = 20  # examples


class ServedStateMachine(StateMachine):
    """Two servers next to a dictionary for each thing that has state.

    Whatever one of them has written is read through the other one at once.

    Attributes:
        counts: How many examples there were, and how many requests in them.
    """

    processes: Sequence[Process] = ()
    shared: SharedClock
    counts: Counter[str]

    @initialize()
    @override
    def start(self) -> None:
        """Register what each example has for itself, in this process; no request comes here."""
        self.clock = self.shared
        state = make_state(self.url, self.clock)
        self.run(self.stack.enter_async_context(state.lifespan()))
        self.place = self.run(Place.make(state, self.clock))
        self.connections = [Connection(process.port) for process in self.processes]
        self.counts["examples"] += 1

    @override
    def teardown(self) -> None:
        for connection in getattr(self, "connections", ()):
            connection.close()
        super().teardown()

    @override
    def ask(self, process: int, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        token = self.place.token(USER if path.startswith("/api") else Token())
        sent = {"authorization": f"Bearer {token}", **headers}
        content = None if body is None else json.dumps(body).encode()
        answer = self.run(self.connections[process].ask(method, self.place.fill(path), sent, content))
        assert answer.status < 500
        self.counts["requests"] += 1
        found = {name.decode(): value.decode() for name, value in answer.headers.items()}
        return Answer(answer.status, found, answer.body)


def check_any_order(database_url: str, directory: Path, *, examples: int, minutes: float = 0.0) -> Counter[str]:
    """Check that state is what a dictionary would hold; return how many examples and requests there were.

    Args:
        database_url: Of a database that has its tables.
        directory: For the clock and the output of the servers.
        examples: At once; again and again for as long as there are minutes.
    """
    path = directory / "clock"
    clock = SharedClock(path)
    variables = {VARIABLE: f"{path}", "STATEMOUNT_DIRECTORY": "database", "STATEMOUNT_SWEEP_INTERVAL_SECONDS": "0"}
    app = "tests.processes.shared_clock:make_app"
    started = [
        Process(database_url, directory, server=server, app=app, options=["--factory"], variables=variables)
        for server in ("uvicorn", "granian")
    ]

    class Machine(ServedStateMachine):
        url = database_url
        processes = started
        shared = clock

    Machine.counts = Counter()
    rules = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=[*HealthCheck],
    )
    end = time.monotonic() + minutes * 60
    try:
        asyncio.run(_start(started))
        run_state_machine_as_test(Machine, settings=rules)
        while time.monotonic() < end:
            run_state_machine_as_test(Machine, settings=rules)
        asyncio.run(_stop(started))
    finally:
        for process in started:
            process.kill()
    assert [process.complaints for process in started] == [[], []]
    return Machine.counts


async def _start(processes: Sequence[Process]) -> None:
    await asyncio.gather(*(process.start() for process in processes))


async def _stop(processes: Sequence[Process]) -> None:
    await asyncio.gather(*(process.stop() for process in processes))


def main() -> None:
    """Go on for long."""
    parser = argparse.ArgumentParser(
        "python -m tests.processes.stateful",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="on each database; default: 10")
    arguments = parser.parse_args()
    for kind, named in requested_urls().items():
        if kind == "memory":
            continue
        server = server_of(kind, named)
        with tempfile.TemporaryDirectory() as folder:
            url = server.create(Path(folder))
            try:
                run_apart(lambda: upgrade(url))  # noqa: B023 - awaited right here
                counts = check_any_order(url, Path(folder), examples=_ROUND, minutes=arguments.minutes)
            finally:
                server.drop(url)
        print(f"{NAMES[kind]}: {counts['examples']:,} sequences, {counts['requests']:,} requests", flush=True)


if __name__ == "__main__":
    main()
