"""The client and the servers that people run: what they make of a path."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from statemount.client import StateClient
from statemount.errors import KeyNotFoundError
from tests.client.support import AUTH, SECRET
from tests.client.test_state import KEYS
from tests.servers import serving


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
@pytest.mark.parametrize("contract", ["airflow33", "aip103"])
def test_every_key_arrives_intact(server: str, contract: str, tmp_path: Path) -> None:
    """Through a server of its own, in a process of its own, a key of any characters is still the same one."""
    variables = {
        "STATEMOUNT_DATABASE_URL": "memory://",
        "STATEMOUNT_DIRECTORY": "claims",
        "STATEMOUNT_JWT_SECRET": SECRET,
    }
    ti_id = UUID(int=1)
    claims = {"dag_id": "dag", "run_id": "run", "task_id": "task", "outlets": ["an asset/.."]}
    token = AUTH.tokens.worker(ti_id, claims=claims)
    user = AUTH.tokens.public("somebody", ["state:read"])
    with (
        serving("--server", server, directory=tmp_path, variables=variables) as running,
        StateClient(running.url, token=token, contract=contract) as client,  # type: ignore[arg-type]
        StateClient(running.url, token=user, contract=contract) as reader,  # type: ignore[arg-type]
    ):
        own, asset = client.task_instance(ti_id), client.asset(name="an asset/..")
        for key in KEYS:
            own.set(key, key)
            asset.set(key, f"asset's {key}")
            assert (own.get(key), asset.get(key)) == (key, f"asset's {key}")
        page = reader.public.task(dag_id="dag", run_id="run", task_id="task").list(limit=100)
        assert [entry.key for entry in page.entries] == sorted(KEYS, key=str.encode)
        for key in KEYS:
            own.delete(key)
            with pytest.raises(KeyNotFoundError):
                own.get(key)
