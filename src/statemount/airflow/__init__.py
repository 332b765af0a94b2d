"""Inside Airflow 3.1 and 3.2, which have no state of their own: a plugin for the API server, and a task's worker.

``statemount.airflow.plugin`` is for the plugins folder, :func:`current_worker` for tasks. Airflow 3.3 and later have
these endpoints themselves.
"""

from __future__ import annotations

from statemount.airflow.task import current_worker

__all__ = ["current_worker"]
