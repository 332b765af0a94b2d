"""The pages about task state and recipes do what they say, against a server of their own."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from statemount.client import Registration, StateClient
from statemount.model import TaskScope
from tests.client.support import AUTH, PERMISSIONS, SECRET
from tests.documents import ROOT
from tests.servers import clean_environment, serving
from tests.test_docs import check_shell


@pytest.mark.parametrize("page", ["keep-task-state", "recipes"])
def test_shell_of_a_page_runs(page: str, tmp_path: Path) -> None:
    """The tasks of a page print what the page says, with what their environment gives them."""
    variables = {"STATEMOUNT_DATABASE_URL": "memory://", "STATEMOUNT_JWT_SECRET": SECRET}
    task_instance = Registration(uuid4(), TaskScope("etl", "2026-01-01", "load"), outlets=["orders"])
    with serving(directory=tmp_path, variables=variables) as running:
        with StateClient(running.url, token=AUTH.tokens.public("orchestrator", PERMISSIONS)) as client:
            client.directory.register_asset(name="orders")
            client.directory.register_task_instance(task_instance)
        worker = {
            "STATEMOUNT_URL": running.url,
            "STATEMOUNT_TOKEN": AUTH.tokens.worker(task_instance.id),
            "STATEMOUNT_TASK_INSTANCE_ID": str(task_instance.id),
        }
        check_shell(ROOT / "docs" / "how-to" / f"{page}.md", tmp_path, clean_environment(worker))
