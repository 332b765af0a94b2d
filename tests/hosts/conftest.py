"""What these tests collect."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.hosts.checks", "tests.hosts.hosts", "tests.hosts.servers", "tests.hosts.writers")

from tests.hosts.cells import Cell  # noqa: E402
from tests.hosts.frameworks import FRAMEWORKS  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the checks out that a framework cannot pass: that it cannot is a test of its own."""
    items[:] = [item for item in items if not (_is_here(item) and _is_lacking(getattr(item, "callspec", None)))]


def _is_here(item: pytest.Item) -> bool:
    return Path(__file__).parent in item.path.parents


def _is_lacking(callspec: pytest.Item | None) -> bool:
    parameters = getattr(callspec, "params", {})
    if "process" in parameters:
        cell: Cell = parameters["process"]
        framework = cell.framework
    elif "host" in parameters:
        framework, _ = parameters["host"]
    else:
        return False
    return parameters["check"] in FRAMEWORKS[framework].lacks
