"""A flow whose task finds its job again: in its next attempt, and when the flow run is run again."""

import os
import signal

import httpx
from prefect import flow, task
from prefect.context import FlowRunContext, TaskRunContext
from prefect.settings import get_current_settings

from statemount.worker import Worker, resumable_job


def state_worker(assets: list[str], *, map_index: int = -1) -> Worker:
    """Return the worker of the task run that runs here.

    Args:
        assets: Keys of the assets that it writes.
        map_index: Its number, where the flow runs the task several times; the same when the flow run is run again.
    """
    settings = get_current_settings().api
    server = settings.url.removesuffix("/api")
    task_run, flow_run = TaskRunContext.get().task_run, FlowRunContext.get().flow_run
    answer = httpx.post(
        f"{server}/task-runs",
        auth=tuple(settings.auth_string.get_secret_value().split(":", 1)) if settings.auth_string else None,
        json={
            "task_run_id": str(task_run.id),
            "flow_run_id": str(flow_run.id),
            "task": task_run.task_key,
            "map_index": map_index,
            "assets": assets,
        },
    )
    answer.raise_for_status()
    return Worker(f"{server}/state", token=answer.json()["token"], ti_id=task_run.id)


def submit(label: str) -> str:
    """Stand for a call to a warehouse that runs jobs."""
    print(f"submitting a job with the label {label}")
    return f"job-{label}"


@task(retries=1)
def load() -> None:
    """Load the new orders."""
    flow_run, attempt = FlowRunContext.get().flow_run, TaskRunContext.get().task_run.run_count
    with state_worker(["s3://lake/orders"]) as worker:
        job = resumable_job(worker.task_state, submit)
        print(f"flow run {flow_run.run_count}, attempt {attempt}: waiting for {job}")
        if attempt == 1:
            raise RuntimeError("the warehouse did not answer")
        if flow_run.run_count == 1:
            os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does where memory runs out
        watermark = worker.asset_state(name="s3://lake/orders")
        print(f"new orders since {watermark.get('watermark')}")
        watermark.set("watermark", "2026-11-28")


@flow
def report() -> None:
    """Load."""
    load()


if __name__ == "__main__":
    report()
