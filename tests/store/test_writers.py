"""Writers as texts: what is written is read, and what somebody else has written stands in nobody's way."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from statemount.model import TaskScope, Writer
from statemount.store.writers import read_writer, writer_text


@dataclass(frozen=True)
class Case:
    """A writer, and what ``json.dumps`` would write for it."""

    writer: Writer
    fields: dict[str, object]


CASES = [
    Case(Writer("api"), {"kind": "api"}),
    Case(
        Writer("api", subject='a "b" \\ é \N{PILE OF POO}\n'),
        {"kind": "api", "subject": 'a "b" \\ é \N{PILE OF POO}\n'},
    ),
    Case(Writer("watcher", subject="half \ud800"), {"kind": "watcher", "subject": "half \ud800"}),
    Case(
        Writer.of_task(TaskScope("d", "r", "t", -1)),
        {"kind": "task", "dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1},
    ),
]


@pytest.mark.parametrize("case", CASES)
def test_round_trip(case: Case) -> None:
    """The text is JSON as json.dumps writes it, and means the same writer."""
    text = writer_text(case.writer)
    assert text == json.dumps(case.fields)
    assert read_writer(text) == case.writer


def test_nobody() -> None:
    """No writer has no text."""
    assert writer_text(None) is None
    assert read_writer(None) is None


@pytest.mark.parametrize("text", ["", "null", "7", "[]", "{}", '{"kind": "api"', '{"kind": "api", "other": 1}', '{"a"'])
def test_of_somebody_else(text: str) -> None:
    """A text that is no writer of ours means none."""
    assert read_writer(text) is None
