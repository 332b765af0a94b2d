"""A task that dies after it has submitted a job, and finds the job again in its next try."""

import os
import signal
from datetime import timedelta

from airflow.sdk import Asset, dag, task

from statemount.airflow import current_worker
from statemount.worker import resumable_job

orders = Asset("orders", uri="s3://lake/orders")


def submit(label: str) -> str:
    """Stand for a call to a warehouse that runs jobs."""
    print(f"submitting a job with the label {label}")
    return f"job-{label}"


@dag(schedule=None, catchup=False)
def report() -> None:
    """Load the new orders."""

    @task(retries=1, retry_delay=timedelta(seconds=1), outlets=[orders])
    def load(ti=None) -> None:
        with current_worker() as worker:
            job = resumable_job(worker.task_state, submit)
            print(f"waiting for {job}")
            if ti.try_number == 1:
                os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does where memory runs out
            watermark = worker.asset_state(name="orders")
            print(f"new orders since {watermark.get('watermark')}")
            watermark.set("watermark", "2026-11-28")

    load()


report()
