"""The task: it submits a job once, however often it is started, and moves the watermark of the orders on."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from statemount import KeyNotFoundError
from statemount.client import StateClient


def load(client: StateClient, task_instance_id: UUID, submit: Callable[[str], str], until: str) -> str:
    """Load the orders up to a day, and return the id of the job that does it.

    Args:
        submit: Submits the job to the system that runs it; returns its id.
    """
    state = client.task_instance(task_instance_id)
    try:
        job_id = str(state.get("job_id"))
    except KeyNotFoundError:
        job_id = submit(until)
        state.set("job_id", job_id)
    client.asset(name="orders").set("watermark", until)
    return job_id
