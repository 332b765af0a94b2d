"""In the plugins folder of Airflow 3.1 or 3.2: state for its tasks, under /statemount of the API server."""

from statemount.airflow.plugin import StatePlugin

__all__ = ["StatePlugin"]
