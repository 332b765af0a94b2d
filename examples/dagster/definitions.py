"""An asset whose step finds its job again when the run that died is executed again."""

import os
import signal

import httpx
from dagster import AssetExecutionContext, Definitions, asset, define_asset_job

from statemount.worker import Worker, resumable_job

SERVER = f"http://127.0.0.1:{os.environ.get('PORT', '3000')}"


def state_worker(context: AssetExecutionContext) -> Worker:
    """Return the worker of the step that runs here."""
    step = context.op_execution_context.get_step_execution_context().step
    answer = httpx.post(f"{SERVER}/steps/{context.run.run_id}/{step.key}")
    answer.raise_for_status()
    return Worker(f"{SERVER}/state", token=answer.json()["token"], ti_id=answer.json()["id"])


def submit(label: str) -> str:
    """Stand for a call to a warehouse that runs jobs."""
    print(f"submitting a job with the label {label}")
    return f"job-{label}"


@asset
def orders() -> None:
    """The orders."""


@asset(deps=[orders])
def report(context: AssetExecutionContext) -> None:
    """A report of the orders."""
    with state_worker(context) as worker:
        job = resumable_job(worker.task_state, submit)
        print(f"waiting for {job}", flush=True)
        if context.run.parent_run_id is None:
            os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does where memory runs out
        watermark = worker.asset_state(name="report")
        print(f"new orders since {watermark.get('watermark')}")
        watermark.set("watermark", "2026-11-28")


defs = Definitions(assets=[orders, report], jobs=[define_asset_job("nightly", selection=[orders, report])])
