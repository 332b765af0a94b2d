"""The guide's worker does what its page says, against a server of its own."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from statemount.client import Registration, StateClient
from statemount.model import TaskScope
from tests.client.support import AUTH, PERMISSIONS, SECRET
from tests.documents import ROOT
from tests.servers import clean_environment, serving
from tests.test_docs import check_shell


def test_shell_of_the_guide_runs(tmp_path: Path) -> None:
    """The worker of the page prints what the page says, with what its environment gives it."""
    variables = {"STATEMOUNT_DATABASE_URL": "memory://", "STATEMOUNT_JWT_SECRET": SECRET}
    task_instance = Registration(uuid4(), TaskScope("etl", "2026-01-01", "load"), outlets=["orders"])
    with serving(directory=tmp_path, variables=variables) as running:
        with StateClient(running.url, token=AUTH.tokens.public("orchestrator", PERMISSIONS)) as client:
            client.directory.register_asset(name="orders")
            client.directory.register_task_instance(task_instance)
        worker = {
            "STATEMOUNT_URL": running.url,
            "STATEMOUNT_TOKEN": AUTH.tokens.worker(task_instance.id),
            "TASK_INSTANCE_ID": str(task_instance.id),
        }
        check_shell(ROOT / "docs" / "how-to" / "use-the-client.md", tmp_path, clean_environment(worker))
