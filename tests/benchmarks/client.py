"""What a get through the client costs beside a bare call of httpx: ``python -m tests.benchmarks.client``.

Both ask one server for the same URL over one connection each, in turns. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import httpx

from statemount.client import StateClient
from tests.client.support import AUTH, SECRET
from tests.servers import serving

ROUNDS = 20
CALLS = 200


def measure(rounds: int, calls: int) -> tuple[list[float], list[float]]:
    """Return the seconds of each call, through the client and bare.

    Args:
        rounds: Turns of each of the two.
        calls: In a turn.
    """
    ti_id = UUID(int=1)
    token = AUTH.tokens.worker(ti_id, claims={"dag_id": "dag", "run_id": "run", "task_id": "task"})
    variables = {
        "STATEMOUNT_DATABASE_URL": "memory://",
        "STATEMOUNT_DIRECTORY": "claims",
        "STATEMOUNT_JWT_SECRET": SECRET,
    }
    ours: list[float] = []
    bare: list[float] = []
    with (
        TemporaryDirectory(prefix="statemount-benchmarks-") as directory,
        serving("--server", "uvicorn", directory=Path(directory), variables=variables) as running,
        StateClient(running.url, token=token) as client,
        httpx.Client(headers={"authorization": f"Bearer {token}"}) as http,
    ):
        state = client.task_instance(ti_id)
        state.set("key", {"id": "job-42"})
        url = f"{running.url}/execution/store/ti/{ti_id}/key"
        if http.get(url).json()["value"] != state.get("key"):
            raise RuntimeError("the two do not ask for the same")
        for _ in range(rounds):
            ours += _timed(lambda: state.get("key"), calls)
            bare += _timed(lambda: http.get(url).raise_for_status(), calls)
    return ours, bare


def _timed(call: Callable[[], object], times: int) -> list[float]:
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return seconds


def main() -> None:
    """Print the medians, the minima and their ratios."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks.client", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns of each of the two")
    parser.add_argument("--calls", type=int, default=CALLS, help="in a turn")
    options = parser.parse_args()
    ours, bare = measure(options.rounds, options.calls)
    for name, of in (("median", statistics.median), ("minimum", min)):
        mine, other = of(ours), of(bare)
        print(f"{name:8} {mine * 1e6:6.0f} us through the client, {other * 1e6:6.0f} us bare: {mine / other:.2f} times")


if __name__ == "__main__":
    main()
