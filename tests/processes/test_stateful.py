"""Random requests of both route sets and versions, through two servers, do to state what they would do to a dict."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import initialize, run_state_machine_as_test
from typing_extensions import override

from tests.contract.rows import USER, Token
from tests.contract.test_stateful import StateMachine
from tests.contract.transports import Answer
from tests.contract.world import Place, make_state
from tests.processes.serving import Process
from tests.processes.shared_clock import VARIABLE, SharedClock
from tests.processes.workers import Connection

EXAMPLES = 5
STEPS = 30


class ServedStateMachine(StateMachine):
    """Two servers next to a dictionary for each thing that has state.

    Whatever one of them has written is read through the other one at once.
    """

    processes: Sequence[Process] = ()
    shared: SharedClock

    @initialize()
    @override
    def start(self) -> None:
        """Register what each example has for itself, in this process; no request comes here."""
        self.clock = self.shared
        state = make_state(self.url, self.clock)
        self.run(self.stack.enter_async_context(state.lifespan()))
        self.place = self.run(Place.make(state, self.clock))
        self.connections = [Connection(process.port) for process in self.processes]

    @override
    def teardown(self) -> None:
        for connection in getattr(self, "connections", ()):
            connection.close()
        super().teardown()

    @override
    def ask(self, process: int, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        token = self.place.token(USER if path.startswith("/api") else Token())
        content = None if body is None else json.dumps(body).encode()
        sending = self.connections[process].ask(
            method, self.place.fill(path), {"authorization": f"Bearer {token}", **headers}, content
        )
        answer = self.run(sending)
        assert answer.status < 500
        return Answer(
            answer.status,
            {name.decode(): value.decode() for name, value in answer.headers.items()},
            answer.body,
        )


def test_any_order(database_url: str, tmp_path: Path) -> None:
    """Whatever comes in whatever order through whichever server, state is what a dictionary would hold."""
    path = tmp_path / "clock"
    clock = SharedClock(path)
    variables = {VARIABLE: f"{path}", "STATEMOUNT_DIRECTORY": "database", "STATEMOUNT_SWEEP_INTERVAL_SECONDS": "0"}
    processes = [
        Process(
            database_url,
            tmp_path,
            server=server,
            app="tests.processes.shared_clock:make_app",
            options=["--factory"],
            variables=variables,
        )
        for server in ("uvicorn", "granian")
    ]

    class Machine(ServedStateMachine):
        url = database_url
        shared = clock

    Machine.processes = processes
    rules = settings(
        max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=[*HealthCheck]
    )
    try:
        asyncio.run(_start(processes))
        run_state_machine_as_test(Machine, settings=rules)
        asyncio.run(_stop(processes))
    finally:
        for process in processes:
            process.kill()
    assert [process.complaints for process in processes] == [[], []]


async def _start(processes: Sequence[Process]) -> None:
    await asyncio.gather(*(process.start() for process in processes))


async def _stop(processes: Sequence[Process]) -> None:
    await asyncio.gather(*(process.stop() for process in processes))
