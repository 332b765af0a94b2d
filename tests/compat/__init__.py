"""The client of Airflow's Task SDK, as it is published, against the app: ``python -m tests.compat``."""
