"""A process that forks workers, each following a recipe, and kills them: ``python -m tests.processes.recipe_workers``.

The other system, to which jobs are submitted, is the journal.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import statistics
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from statemount.worker import JobInDoubtError, Worker, checkpoint, resumable_job, watermark
from tests.processes.killed import Journal, Killer

EVERY = 0.005
"""Seconds between two saves of a checkpoint, unless a save takes longer: then all that is reported would be saved."""

LONGEST = 0.03
"""Seconds after which a worker is killed at the latest whose work has no end, unless the machine is slow."""

RIVALS = 40
"""Pairs of workers that want one job at once."""

WAIT = 0.25
"""Seconds that one of them gives the other."""

DONE, ASKED = 0, 3
_CALIBRATIONS = 5
_REPORTS = 20  # from one save to the next


@dataclass(frozen=True)
class Plan:
    """What the process is told.

    Args:
        recipe: One of :data:`RECIPES`.
        url: Of the server.
        token: The worker's.
        ti_id: The task instance.
        asset: The name of an asset that the task writes.
        kills: How many workers are to be killed.
        journal: Where the journal is.
    """

    recipe: str
    url: str
    token: str
    ti_id: str
    asset: str
    kills: int
    journal: str


class Office:
    """What workers of all recipes share; made once, before they are forked."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.journal = Journal(Path(plan.journal))
        self.chances = random.Random(0)
        self.killer = Killer(self.journal, self.chances)
        # Without certificates, which no worker needs and which take longer to load than its work.
        self.worker = Worker(plan.url, token=plan.token, ti_id=plan.ti_id, transport=httpx.HTTPTransport(verify=False))

    def is_open(self) -> bool:
        """Return whether there are workers left to be killed."""
        return self.killer.kills < self.plan.kills

    def submit(self, job: str, label: str) -> str:
        """Submit a job to the other system; return its id."""
        job_id = os.urandom(8).hex()
        self.journal.write("submitted", job, label, job_id, is_synced=True)
        return job_id

    def find(self, label: str) -> str | None:
        """Ask the other system for the job with a label."""
        found = [
            event.words[2] for event in self.journal.read() if event.what == "submitted" and event.words[1] == label
        ]
        return found[0] if found else None

    def run_job(self, job: str, *, has_answer: bool, dies: bool = False, wait: float = 0) -> int:
        """Be a worker that wants a job.

        Args:
            has_answer: Whether it may ask the other system.
            dies: Whether it is killed right after the submission.
            wait: Seconds that it gives another worker.
        """

        def submit(label: str) -> str:
            job_id = self.submit(job, label)
            if dies:
                os.kill(os.getpid(), signal.SIGKILL)
            return job_id

        try:
            find = self.find if has_answer else None
            job_id = resumable_job(self.worker.task_state, submit, find=find, key=job, wait=wait)
        except JobInDoubtError as error:
            self.journal.write("asked", job, error.label)
            return ASKED
        self.journal.write("got", job, job_id)
        return DONE


def jobs(office: Office) -> None:
    """Kill workers that want a job, until one has it; then on to the next job."""
    numbers = itertools.count()
    longest = 1.2 * _time_of_job(office)
    while office.is_open():
        job, code, has_answer = f"job-{next(numbers)}", None, False
        while code != DONE:
            work = partial(office.run_job, job, has_answer=has_answer)
            code = office.killer.run(work, longest if office.is_open() else None)
            has_answer = has_answer or code == ASKED


def rivals(office: Office) -> None:
    """Let two workers want a job at once, and kill the first in every second pair; then one that asks."""
    longest = 1.2 * _time_of_job(office)
    for number in range(RIVALS):
        job = f"rivals-{number}"
        work = partial(office.run_job, job, has_answer=False, wait=WAIT)
        codes = office.killer.run_at_once([work, work], longest if number % 2 else None)
        if ASKED in codes:
            office.killer.run(partial(office.run_job, job, has_answer=True), None)


def window(office: Office) -> None:
    """Kill a worker between submission and saving: one that saves by hand, and one that follows the recipe."""

    def by_hand(*, dies: bool) -> int:
        state = office.worker.task_state
        if state.get("by-hand") is None:
            job_id = office.submit("by-hand", "none")
            if dies:
                os.kill(os.getpid(), signal.SIGKILL)
            state.set("by-hand", job_id)
        return DONE

    for dies in (True, False, False):
        office.killer.run(partial(by_hand, dies=dies), None)
    office.killer.run(partial(office.run_job, "by-recipe", has_answer=False, dies=True), None)
    for has_answer in (False, False, True, False):
        office.killer.run(partial(office.run_job, "by-recipe", has_answer=has_answer), None)


def checkpoints(office: Office) -> None:
    """Kill workers that count and report each number."""
    every = max(EVERY, _time_of_job(office))
    office.journal.write("every", repr(every))
    longest = max(LONGEST, 6 * every)
    while office.is_open():
        office.killer.run(partial(_count, office, every), longest)


def watermarks(office: Office) -> None:
    """Kill workers that advance a watermark, sometimes to where it has been."""
    longest = max(LONGEST, 2 * _time_of_job(office))
    while office.is_open():
        steps = [office.chances.choice((-2, 0, 1, 1, 5)) for _ in range(1000)]
        office.killer.run(partial(_advance, office, steps), longest)


def _time_of_job(office: Office) -> float:
    """Return the seconds in which a worker gets a job that nobody kills: a read and two writes."""

    def time_of(job: str) -> float:
        began = time.monotonic()
        office.killer.run(partial(office.run_job, job, has_answer=False), None)
        return time.monotonic() - began

    return statistics.median(time_of(f"whole-{number}") for number in range(_CALIBRATIONS))


def _count(office: Office, every: float) -> int:
    read = [0.0]

    def clock() -> float:
        read[0] = time.monotonic()
        return read[0]

    progress = checkpoint(office.worker.task_state, every=every, default=0, clock=clock)
    office.journal.write("resumed", progress.value)
    for number in itertools.count(progress.value + 1):
        office.journal.write("done", number)
        is_saved = progress.save(number)
        office.journal.write("saved" if is_saved else "reported", number, repr(read[0]))
        time.sleep(every / _REPORTS)
    return DONE


def _advance(office: Office, steps: list[int]) -> int:
    mark = watermark(office.worker.asset_state(name=office.plan.asset), default=0)
    office.journal.write("read", mark.value)
    for step in steps:
        wanted = mark.value + step
        has_moved = mark.advance(wanted)
        office.journal.write("advanced" if has_moved else "stayed", wanted, mark.value)
    return DONE


RECIPES = {"checkpoints": checkpoints, "jobs": jobs, "rivals": rivals, "watermarks": watermarks, "window": window}


if __name__ == "__main__":
    told = Plan(**json.loads(sys.argv[1]))
    RECIPES[told.recipe](Office(told))
