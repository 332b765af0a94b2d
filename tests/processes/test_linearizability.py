"""What clients are told of a key, through two servers, is what one key would have told them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.processes.linearizability import race
from tests.processes.tables import read_scopes

pytestmark = pytest.mark.anyio

SECONDS = 4.0
CALLS = 500


async def test_every_answer_can_be_explained(database_url: str, tmp_path: Path) -> None:
    """Gets, sets, compare-and-sets and deletes of the same keys by many clients, through two servers, of which one is
    killed, and whose connections are broken: for each key there is an order that explains what everybody was told.
    """
    journal = await race(database_url, tmp_path, seconds=SECONDS, disturbances=2)
    statuses = journal.statuses
    assert sum(statuses.values()) > CALLS
    assert all(statuses[status] > CALLS / 50 for status in ("done", "refused", "found", "missing"))
    journal.check()
    await read_scopes(database_url)
