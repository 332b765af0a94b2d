"""A plugin of pytest that notes the outcomes of the tests of hosts. It is loaded before anything of ours may be."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "HOSTS_OUTCOMES"
"""Environment variable: the file for the outcomes, a list of framework, server, check, and whether it has passed."""

IN_PROCESS = "in process"

_outcomes: dict[tuple[str, str, str], bool] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Note how one phase of a test went: a check has passed if it has everywhere, with a root path and without."""
    report: Any = yield
    parameters: dict[str, Any] = item.callspec.params if hasattr(item, "callspec") else {}
    key = None
    if "process" in parameters:
        cell = parameters["process"]
        key = cell.framework, cell.server, parameters["check"]
    elif "host" in parameters:
        key = parameters["host"][0], IN_PROCESS, parameters["check"]
    if key is not None:
        _outcomes[key] = _outcomes.get(key, True) and report.passed
    return report


def pytest_sessionfinish() -> None:
    """Write them."""
    Path(os.environ[VARIABLE]).write_text(json.dumps([[*key, passed] for key, passed in _outcomes.items()]))


def read(path: Path) -> dict[tuple[str, str, str], bool]:
    """Return the outcomes that a run has written."""
    return {(framework, server, check): passed for framework, server, check, passed in json.loads(path.read_text())}
