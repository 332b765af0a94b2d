"""What a task's environment says of the task: its task instance, its ids, and how long its entries are kept."""

from __future__ import annotations

import os
from datetime import timedelta

from statemount.errors import ConfigurationError
from statemount.model import NOT_MAPPED, TaskScope
from statemount.worker.retention import DEFAULT_RETENTION, NEVER_EXPIRE

TASK_INSTANCE_ID = "STATEMOUNT_TASK_INSTANCE_ID"
DAG_ID = "STATEMOUNT_DAG_ID"
RUN_ID = "STATEMOUNT_RUN_ID"
TASK_ID = "STATEMOUNT_TASK_ID"
MAP_INDEX = "STATEMOUNT_MAP_INDEX"
RETENTION_DAYS = "STATEMOUNT_DEFAULT_RETENTION_DAYS"


def task_instance_of_environment() -> str | None:
    """Return the id of the task instance, if it is set."""
    return os.environ.get(TASK_INSTANCE_ID) or None


def scope_of_environment() -> TaskScope | None:
    """Return the ids of the task; None if none of them is set.

    Raises:
        ConfigurationError: Some of them are missing, or the map index is no integer.
    """
    dag_id, run_id, task_id = (os.environ.get(name, "") for name in (DAG_ID, RUN_ID, TASK_ID))
    if not (dag_id or run_id or task_id):
        return None
    missing = [name for name, value in ((DAG_ID, dag_id), (RUN_ID, run_id), (TASK_ID, task_id)) if not value]
    if missing:
        raise ConfigurationError(f"{' and '.join(missing)} must be set, too: they name the task together")
    map_index = os.environ.get(MAP_INDEX) or str(NOT_MAPPED)
    try:
        return TaskScope(dag_id, run_id, task_id, int(map_index))
    except ValueError as error:
        raise ConfigurationError(f"{MAP_INDEX} is an integer, but is {map_index!r}") from error


def retention_of_environment() -> timedelta:
    """Return the default retention; as on the server, 0 days = for ever.

    Raises:
        ConfigurationError: It is no number of days.
    """
    text = os.environ.get(RETENTION_DAYS)
    if not text:
        return DEFAULT_RETENTION
    try:
        retention = timedelta(days=float(text))
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(f"{RETENTION_DAYS} is a number of days, but is {text!r}") from error
    if retention < timedelta(0):
        raise ConfigurationError(f"{RETENTION_DAYS} is 0 (for ever) or more, but is {text!r}")
    return retention or NEVER_EXPIRE
