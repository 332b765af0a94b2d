"""Every test runs on every server: with a worker of its own, and the Task SDK's client."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

import pytest
from airflow.sdk.api.client import Client
from worker import SERVERS, Worker


def pytest_report_header() -> str:
    """Say which client it is."""
    return f"apache-airflow-task-sdk {version('apache-airflow-task-sdk')} on {'; '.join(SERVERS)}"


@pytest.fixture(scope="session", params=list(SERVERS.values()), ids=list(SERVERS))
def server(request: pytest.FixtureRequest) -> str:
    """Return the URL of each server in turn."""
    return str(request.param)


@pytest.fixture
def worker(server: str) -> Worker:
    """Return a worker that nobody else has used."""
    return Worker.hire(server)


@pytest.fixture
def client(worker: Worker) -> Iterator[Client]:
    """Return the Task SDK's client for the worker."""
    with worker.client() as client:
        yield client
