"""The accessors that tasks use, through the Task SDK's own supervisor.

Between an accessor and the client stands the supervisor of the task's process. The Task SDK can run it in the same
process, by its own code; what is left out is the pipe between the two processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta

import psutil
import pytest
import structlog
from airflow.sdk import NEVER_EXPIRE
from airflow.sdk.api.client import Client
from airflow.sdk.definitions.asset import AssetNameRef, AssetUriRef
from airflow.sdk.execution_time.context import AssetStateStoreAccessors, TaskStateStoreAccessor
from airflow.sdk.execution_time.supervisor import (
    InProcessSupervisorComms,
    InProcessTestSupervisor,
    set_supervisor_comms,
)
from airflow.sdk.state import TaskScope
from worker import VALIDATION_ERROR, Worker, refusal_of


@pytest.fixture(autouse=True)
def supervisor(client: Client, worker: Worker) -> Iterator[None]:
    """Let a supervisor with the worker's client handle what accessors ask for."""
    supervisor = InProcessTestSupervisor(
        id=worker.id,
        pid=os.getpid(),
        process=psutil.Process(),
        process_log=structlog.get_logger(),
        client=client,
    )
    supervisor.comms = InProcessSupervisorComms(supervisor=supervisor)
    with set_supervisor_comms(supervisor.comms):
        yield


@pytest.fixture
def task_state(worker: Worker) -> TaskStateStoreAccessor:
    """Return what a task finds as ``context["task_state_store"]``."""
    return TaskStateStoreAccessor(worker.id, TaskScope("dag", "run", worker.task_id))


def test_a_task_keeps_state(task_state: TaskStateStoreAccessor) -> None:
    """A task sets, gets, deletes and clears; what is missing is the default."""
    assert task_state.get("job/id") is None
    assert task_state.get("job/id", "none yet") == "none yet"
    task_state.set("job/id", {"id": 17})
    assert task_state.get("job/id", "none yet") == {"id": 17}
    task_state.delete("job/id")
    assert task_state.get("job/id") is None
    task_state.set("a", 1)
    task_state.set("b", 2)
    task_state.clear()
    assert (task_state.get("a"), task_state.get("b")) == (None, None)


def test_a_task_says_how_long(task_state: TaskStateStoreAccessor) -> None:
    """The retention that a task names is kept to."""
    task_state.set("for ever", 1, retention=NEVER_EXPIRE)
    task_state.set("an hour", 2, retention=timedelta(hours=1))
    task_state.set("over", 3, retention=timedelta(seconds=-1))
    assert [task_state.get(key) for key in ("for ever", "an hour", "over")] == [1, 2, None]


@pytest.mark.parametrize("by", ["name", "uri"])
def test_a_task_keeps_the_state_of_its_assets(worker: Worker, by: str) -> None:
    """A task reaches its inlets and its outlets, by name or by URI."""
    inlet, outlet = (
        AssetNameRef(name=asset.name) if by == "name" else AssetUriRef(uri=asset.uri)
        for asset in (worker.inlet, worker.outlet)
    )
    assets = AssetStateStoreAccessors([inlet], [outlet])
    assert assets[inlet].get("watermark", "none yet") == "none yet"
    assets[inlet].set("watermark", "2026-01-01")
    assets[outlet].set("watermark", "2026-01-02")
    assert (assets[inlet].get("watermark"), assets[outlet].get("watermark")) == ("2026-01-01", "2026-01-02")
    assets[inlet].delete("watermark")
    assets[outlet].clear()
    assert (assets[inlet].get("watermark"), assets[outlet].get("watermark")) == (None, None)


def test_a_refusal_reaches_the_task(task_state: TaskStateStoreAccessor, worker: Worker) -> None:
    """What we refuse is an error for the task, not the default."""
    refusal_of(lambda: task_state.get("k" * 513, "default"), 422, VALIDATION_ERROR)
    foreign = AssetStateStoreAccessors([], [AssetNameRef(name=worker.foreign.name)])
    refusal_of(lambda: foreign.get("key", "default"), 403, "Asset not registered with this task")
