"""Entries as JSON: times and writers as pydantic writes them."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from statemount.model import AssetScope, Columns, Entry, TaskScope, Writer, from_datetime, to_datetime
from statemount.web.answers import AssetStateStoreResponse, TaskStateStoreResponse
from statemount.web.entries import asset_entry, asset_entry_with_writer, is_json, task_entry, time_text
from statemount.web.pages import page_response

_DATETIME: TypeAdapter[datetime] = TypeAdapter(datetime)
_TASK = TaskScope("d", "r", "t")
_ASSET = AssetScope(1)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 20, 12, tzinfo=timezone.utc), "2026-11-20T12:00:00Z"),
        (datetime(2026, 11, 20, 12, 0, 0, 1, tzinfo=timezone.utc), "2026-11-20T12:00:00.000001Z"),
        (datetime(2026, 11, 20, 12, 0, 0, 500_000, tzinfo=timezone.utc), "2026-11-20T12:00:00.500000Z"),
        (datetime(1970, 1, 1, tzinfo=timezone.utc), "1970-01-01T00:00:00Z"),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone.utc), "1969-12-31T23:59:59.999999Z"),
        (datetime(1, 1, 1, tzinfo=timezone.utc), "0001-01-01T00:00:00Z"),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone.utc), "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_times(moment: datetime, text: str) -> None:
    """A time is ISO 8601 in UTC with a Z, with six digits after the second or none."""
    assert time_text(from_datetime(moment)) == f'"{text}"'


@given(moment=st.datetimes(timezones=st.just(timezone.utc)))
def test_times_are_as_pydantic_writes_them(moment: datetime) -> None:
    """Any time is written as pydantic, and so Airflow, writes it."""
    assert time_text(from_datetime(moment)).encode() == _DATETIME.dump_json(moment)


@pytest.mark.parametrize(
    "timestamp", [-(2**63), 2**63 - 1, from_datetime(datetime.max.replace(tzinfo=timezone.utc)) + 1]
)
def test_impossible_times(timestamp: int) -> None:
    """A time that no calendar has is shown as one that a client can read."""
    shown = _DATETIME.validate_json(time_text(timestamp))
    assert shown.year == (1 if timestamp < 0 else 9999)


@pytest.mark.parametrize("expires_at", [None, 1_795_176_000_000_000])
@pytest.mark.parametrize("value", [1, "x", [None, {"ä": 1.5}], {}])
def test_entry_of_a_task_instance(value: Any, expires_at: int | None) -> None:
    """An entry is JSON with the described fields, whatever characters its key has."""
    entry = Entry('k"\\\n\0ä😀', json.dumps(value), 1_795_176_000_000_001, 7, expires_at)
    shown = json.loads(task_entry(_TASK, entry))
    assert shown == {
        "key": 'k"\\\n\0ä😀',
        "value": value,
        "updated_at": "2026-11-20T12:00:00.000001Z",
        "expires_at": None if expires_at is None else "2026-11-20T12:00:00Z",
    }
    read = TaskStateStoreResponse.model_validate(shown)
    assert read.updated_at == to_datetime(entry.updated_at)


@pytest.mark.parametrize(
    "writer",
    [
        None,
        Writer("api", subject="ann"),
        Writer("watcher", subject="x"),
        Writer("task", 'd"', "r\\", "tä\n", 3),
        Writer.of_task(_TASK),
    ],
)
def test_entry_of_an_asset(writer: Writer | None) -> None:
    """An asset's entry says who wrote it, but not under which name; the older contract version says nothing."""
    entry = Entry("k", "1", 0, 1, writer=writer)
    shown = AssetStateStoreResponse.model_validate_json(asset_entry_with_writer(_ASSET, entry)).last_updated_by
    names = ("kind", "dag_id", "run_id", "task_id", "map_index")
    if writer is None:
        assert shown is None
    else:
        assert shown is not None
        assert {name: getattr(shown, name) for name in names} == {name: getattr(writer, name) for name in names}
    assert json.loads(asset_entry(_ASSET, entry)) == {"key": "k", "value": 1, "updated_at": "1970-01-01T00:00:00Z"}


def test_page() -> None:
    """A list has its name, its entries in their order, and how many there are in all."""
    page = Columns(17, 3, ["a", "b"], ["1", "{}"], [0, 1])
    response = page_response("things", _TASK, page)
    assert json.loads(response.body) == {
        "things": [
            {"key": "a", "value": 1, "updated_at": "1970-01-01T00:00:00Z"},
            {"key": "b", "value": {}, "updated_at": "1970-01-01T00:00:00.000001Z"},
        ],
        "total_entries": 17,
    }
    assert json.loads(page_response("things", _TASK, Columns(0, 0)).body) == {"things": [], "total_entries": 0}


@pytest.mark.parametrize(
    "values",
    [
        ["1", "2"],
        ["1", "[1", "2]", "3,4"],
        ['{"a":1', "2}", "3,4"],
        ['"', '"', "1,2"],
        ["", "1,2"],
        ["1,2,3", "4"],
        ["1 ", " 2"],
        ["[", "]", "1,2"],
        ["[" * 400 + "]" * 400],
        ["1e999", "NaN"],
    ],
)
def test_values_of_a_list_that_are_no_json(values: list[str]) -> None:
    """Each value is looked at for itself, whatever the values beside it are."""
    keys = [f"{number}" for number in range(len(values))]
    response = page_response("things", _TASK, Columns(len(values), 1, keys, values, [0] * len(values)))
    found = json.loads(response.body)["things"]
    assert [(entry["key"], entry["value"] is None) for entry in found] == [
        (key, not is_json(value)) for key, value in zip(keys, values, strict=True)
    ]
