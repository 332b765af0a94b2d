"""In the plugins folder where the app runs beside Airflow: tokens for its tasks, and nothing else."""

from statemount.airflow.plugin import StateTokenPlugin

__all__ = ["StateTokenPlugin"]
