"""The application's routes, with state behind them."""

from __future__ import annotations

import httpx
import pytest

from statemount.client import AsyncStateClient
from statemount.errors import KeyNotFoundError
from statemount.testing import FakeClock, WorkerFactory

pytestmark = pytest.mark.anyio


async def test_progress_is_what_a_worker_wrote(browser: httpx.AsyncClient, statemount_worker: WorkerFactory) -> None:
    """The page shows the watermark that a worker has set."""
    assert (await browser.get("/progress")).json() == {"loaded_until": None}
    worker = await statemount_worker(dag_id="etl", run_id="monday", task_id="load", outlets=["orders"])
    await worker.asset(name="orders").set("watermark", "2026-01-05")
    assert (await browser.get("/progress")).json() == {"loaded_until": "2026-01-05"}


async def test_a_run_gets_a_token_that_works(browser: httpx.AsyncClient) -> None:
    """Who starts a run gets what its worker needs."""
    run = (await browser.post("/runs/monday")).json()
    headers = {"Authorization": f"Bearer {run['token']}"}
    url = f"/state/execution/store/ti/{run['task_instance_id']}/job_id"
    assert (await browser.put(url, json={"value": "job-42"}, headers=headers)).status_code == 204


async def test_what_a_person_sets_expires(
    statemount_worker: WorkerFactory, statemount_client: AsyncStateClient, statemount_clock: FakeClock
) -> None:
    """A note for a task is gone after the thirty days for which the server keeps it."""
    worker = await statemount_worker(dag_id="etl", run_id="monday", task_id="load")
    task = statemount_client.public.task(dag_id="etl", run_id="monday", task_id="load")
    await task.set("note", "looked at by alice")
    statemount_clock.advance(29 * 24 * 60 * 60)
    assert await worker.state.get("note") == "looked at by alice"
    statemount_clock.advance(24 * 60 * 60)
    with pytest.raises(KeyNotFoundError):
        await worker.state.get("note")
