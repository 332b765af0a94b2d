"""What the package for Airflow does without Airflow; ``tests.orchestrators`` runs it in a real one."""
