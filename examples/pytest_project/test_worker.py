"""The worker's code, which does not await, as it runs in production."""

from __future__ import annotations

import pytest
from orders_worker import load

from statemount.client import StateClient
from statemount.errors import ForbiddenError
from statemount.testing import SyncWorkerFactory


def test_a_retry_finds_the_job(statemount_sync_worker: SyncWorkerFactory, statemount_sync_client: StateClient) -> None:
    """A worker that is started again finds the job that the first one has submitted."""
    submitted: list[str] = []

    def submit(until: str) -> str:
        submitted.append(until)
        return f"job-{len(submitted)}"

    for try_number in (1, 2):
        worker = statemount_sync_worker(task_id="load", try_number=try_number, outlets=["orders"])
        assert load(worker.client, worker.id, submit, "2026-01-05") == "job-1"
    assert submitted == ["2026-01-05"]
    (asset,) = statemount_sync_client.directory.assets().assets
    assert statemount_sync_client.public.asset(asset.asset_id).get("watermark").value == "2026-01-05"


def test_an_asset_that_is_not_the_tasks_is_refused(statemount_sync_worker: SyncWorkerFactory) -> None:
    """A task that is not registered with the orders cannot move their watermark."""
    statemount_sync_worker(task_id="load", outlets=["orders"])
    worker = statemount_sync_worker(task_id="report")
    with pytest.raises(ForbiddenError):
        load(worker.client, worker.id, lambda until: "job", "2026-01-05")
