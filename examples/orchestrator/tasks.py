"""The tasks of the small orchestrator: what one process of it does, by the task's name."""

from __future__ import annotations

import sys
from pathlib import Path

from statemount.worker import Worker, checkpoint, resumable_job, watermark

JOBS = Path("jobs.txt")  # stands for a warehouse that exports orders, one line for each job


def say(line: str) -> None:
    """Tell the scheduler, and wait for its nod: a kill comes at the same place whenever you try."""
    print(line, flush=True)
    sys.stdin.readline()


def submit(label: str) -> str:
    """Submit a job to the warehouse; return its id."""
    with JOBS.open("a") as jobs:
        jobs.write(f"{label}\n")
    return f"job-{len(JOBS.read_text().splitlines())}"


def export(worker: Worker) -> None:
    """Have the warehouse export the orders; after a kill, wait for the job that is there."""
    job_id = resumable_job(worker.task_state, submit)
    say(f"wait for {job_id}")
    say(f"{job_id} is done")


def load(worker: Worker) -> None:
    """Load six rows, and go on after the last one that is surely done."""
    with checkpoint(worker.task_state, every=0, default=0) as progress:
        for row in range(progress.value + 1, 7):
            say(f"row {row}")
            progress.save(row)


def publish(worker: Worker) -> None:
    """Publish what is new since the last run."""
    orders = [int(line) for line in Path("orders.txt").read_text().split()]
    mark = watermark(worker.asset_state(name="orders"), default=0)
    new = [order for order in orders if order > mark.value]
    say(f"{len(new)} new orders after {mark.value}")
    if new:
        mark.advance(max(new))


if __name__ == "__main__":
    with Worker.from_environment() as worker:
        {"export": export, "load": load, "publish": publish}[sys.argv[1]](worker)
