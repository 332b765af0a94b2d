"""What the tests are given: the servers, tokens, and the tools that were installed for them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

WORLD: dict[str, Any] = json.loads(os.environ["CLIENTS"])
"""``servers`` (URLs by name), ``worker`` and ``public`` (tokens), ``task_instance_id``, ``node`` (a folder)."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run be longer than CI has time for."""
    parser.addoption("--sequences", type=int, default=8, help="how many there are (with =); default: 8")


@pytest.fixture(scope="session")
def world() -> dict[str, Any]:
    """Return what the run has started and made."""
    return WORLD


@pytest.fixture(scope="session", params=list(WORLD["servers"].values()), ids=list(WORLD["servers"]))
def server(request: pytest.FixtureRequest) -> str:
    """Return the URL of the state on each server in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def tools() -> Path:
    """Return the folder of the commands that this virtual environment has."""
    return Path(sys.executable).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let schemathesis come last: it may remove what the others need."""
    items.sort(key=lambda item: "schemathesis" in item.path.name)
