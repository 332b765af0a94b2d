"""What a task uses: accessors of its state, recipes, and backends that keep large values on the worker's side.

It imports the client, the errors and the model, and nothing of the server. The object storage backend is in
``statemount.worker.object_storage``, so that its library is loaded by those who use it alone.
"""

from __future__ import annotations

from statemount.worker.accessor import StateAccessor
from statemount.worker.asset_state import AssetStateAccessor
from statemount.worker.asset_states import AssetStateAccessors
from statemount.worker.backends import BaseStateBackend, ThreadedStateBackend
from statemount.worker.errors import BackendError, MissingObjectError
from statemount.worker.loading import load_backend, worker_backend
from statemount.worker.recipes import (
    Checkpoint,
    JobInDoubtError,
    JobTakenOverError,
    Watermark,
    acheckpoint,
    aresumable_job,
    awatermark,
    checkpoint,
    resumable_job,
    watermark,
)
from statemount.worker.retention import DEFAULT_RETENTION, NEVER_EXPIRE
from statemount.worker.scoped import ScopedBackend
from statemount.worker.task_state import TaskStateAccessor
from statemount.worker.worker import Worker

__all__ = [
    "DEFAULT_RETENTION",
    "NEVER_EXPIRE",
    "AssetStateAccessor",
    "AssetStateAccessors",
    "BackendError",
    "BaseStateBackend",
    "Checkpoint",
    "JobInDoubtError",
    "JobTakenOverError",
    "MissingObjectError",
    "ScopedBackend",
    "StateAccessor",
    "TaskStateAccessor",
    "ThreadedStateBackend",
    "Watermark",
    "Worker",
    "acheckpoint",
    "aresumable_job",
    "awatermark",
    "checkpoint",
    "load_backend",
    "resumable_job",
    "watermark",
    "worker_backend",
]
