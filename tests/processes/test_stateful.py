"""State through two servers is what a dictionary would hold."""

from __future__ import annotations

from pathlib import Path

from tests.processes.stateful import check_any_order

EXAMPLES = 5


def test_any_order(database_url: str, tmp_path: Path) -> None:
    """Whatever comes in whatever order through whichever server, state is what a dictionary would hold."""
    counts = check_any_order(database_url, tmp_path, examples=EXAMPLES)
    assert counts["examples"] >= EXAMPLES
    assert counts["requests"] > EXAMPLES
