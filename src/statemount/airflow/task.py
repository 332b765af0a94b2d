"""A task's worker, from what Airflow says of the task that runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from threading import Lock
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from statemount.airflow.names import CONNECTION_ID, CONNECTION_TYPE, PREFIX
from statemount.client.environment import URL
from statemount.errors import ConfigurationError
from statemount.model import TaskScope
from statemount.worker import Worker, worker_backend
from statemount.worker.environment import retention_of_environment

_EXECUTION = "/execution"
_SPENT = 0.7  # of a token's life, after which another one is asked for


def current_worker(**options: Any) -> Worker:
    """Return the worker of the task that runs in this process.

    Its token is asked for now, and again when it has grown old, through the task's supervisor: call it in the task,
    not at the top of a dag file, and not in a trigger.

    Args:
        options: Of :class:`~statemount.worker.Worker`, such as ``retries``.

    Raises:
        ConfigurationError: No task runs here, or Airflow's API server gives out no tokens: it lacks the plugin.
    """
    task_instance = _task_instance()
    token = TaskToken(_ask)
    token()
    options = {"backend": worker_backend(), "default_retention": retention_of_environment(), **options}
    return Worker(
        os.environ.get(URL) or state_url(_execution_url()),
        token=token,
        ti_id=task_instance.id,
        scope=TaskScope(
            task_instance.dag_id, task_instance.run_id, task_instance.task_id, _map_index(task_instance.map_index)
        ),
        **options,
    )


def _map_index(value: int | None) -> int:
    return -1 if value is None else value


def state_url(execution_url: str) -> str:
    """Return where the plugin mounts the app on the API server with this Execution API.

    Raises:
        ConfigurationError: That is not below ``/execution``, so it cannot be told.
    """
    parts = urlsplit(execution_url)
    path = parts.path.rstrip("/")
    if not path.endswith(_EXECUTION):
        raise ConfigurationError(
            f"the Execution API's URL does not end with {_EXECUTION}: set {URL} to where the app is mounted"
        )
    return urlunsplit(parts._replace(path=path.removesuffix(_EXECUTION) + PREFIX, query="", fragment=""))


class TaskToken:
    """Gives the token of this task, and asks for another one before it ends.

    Args:
        ask: Returns a token and how many seconds it lives.
        clock: In seconds; only differences count.
    """

    def __init__(self, ask: Callable[[], tuple[str, float]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = Lock()
        self._token = ""
        self._until = float("-inf")

    def __call__(self) -> str:
        """Return it."""
        with self._lock:
            if self._clock() >= self._until:
                asked = self._clock()
                self._token, lifetime = self._ask()
                self._until = asked + _SPENT * lifetime
            return self._token


def _task_instance() -> Any:
    try:
        from airflow.sdk import get_current_context
    except ImportError as error:
        raise ConfigurationError("Airflow's Task SDK is not installed here") from error
    try:
        return get_current_context()["ti"]
    except RuntimeError as error:
        raise ConfigurationError("no task of Airflow's runs here: call this inside of a task") from error


def _ask() -> tuple[str, float]:
    from airflow.sdk import Connection

    try:
        connection = Connection.get(CONNECTION_ID)
    except Exception as error:
        raise ConfigurationError(
            f"Airflow gives no connection {CONNECTION_ID!r}: does its API server have the plugin of statemount?"
        ) from error
    if connection.conn_type != CONNECTION_TYPE or not connection.password:
        raise ConfigurationError(f"the connection {CONNECTION_ID!r} is not the plugin's: it must not be defined")
    return connection.password, float(connection.extra_dejson["lifetime"])


def _execution_url() -> str:
    """Return the Execution API's URL, found as the executors of Airflow find it."""
    from airflow.configuration import conf

    base = conf.get("api", "base_url", fallback="/") or "/"
    if base.startswith("/"):
        base = f"http://localhost:8080{base}"
    default = f"{base.rstrip('/')}{_EXECUTION}/"
    return str(conf.get("core", "execution_api_server_url", fallback=None) or default)
