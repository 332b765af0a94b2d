"""Reading the bodies of successes. What cannot be read ends in a KeyError, a TypeError or a ValueError."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from statemount.client.values import AssetPage, StateEntry, StatePage
from statemount.model import Asset, JsonValue, TaskInstance, TaskScope, Writer


def nothing(body: bytes) -> None:
    """Accept an empty body, or null."""
    if body not in (b"", b"null"):
        raise ValueError("an empty body was expected")


def value(body: bytes) -> JsonValue:
    """Return a value as workers get it."""
    return json.loads(body)["value"]


def entry(body: bytes) -> StateEntry:
    """Return an entry."""
    return _entry(json.loads(body))


def page(name: str) -> Callable[[bytes], StatePage]:
    """Return what reads a list of entries that has this name."""

    def read(body: bytes) -> StatePage:
        document = json.loads(body)
        return StatePage(tuple(map(_entry, document[name])), int(document["total_entries"]))

    return read


def asset(body: bytes) -> Asset:
    """Return an asset."""
    return _asset(json.loads(body))


def assets(body: bytes) -> AssetPage:
    """Return a list of assets."""
    document = json.loads(body)
    return AssetPage(tuple(map(_asset, document["assets"])), int(document["total_entries"]))


def task_instance(body: bytes) -> TaskInstance:
    """Return a task instance as it is registered."""
    document = json.loads(body)
    return TaskInstance(
        UUID(document["id"]),
        TaskScope(document["dag_id"], document["run_id"], document["task_id"], document["map_index"]),
        document["try_number"],
        frozenset(document["inlets"]),
        frozenset(document["outlets"]),
    )


def _entry(document: dict[str, Any]) -> StateEntry:
    expires_at = document.get("expires_at")
    writer = document.get("last_updated_by")
    return StateEntry(
        document["key"],
        document["value"],
        _moment(document["updated_at"]),
        None if expires_at is None else _moment(expires_at),
        None if writer is None else _writer(writer),
    )


def _moment(text: str) -> datetime:
    # Before Python 3.11 the Z is not understood.
    moment = datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)
    if moment.utcoffset() is None:
        raise ValueError("a time without a time zone")
    return moment


def _writer(document: dict[str, Any]) -> Writer:
    return Writer(
        document["kind"],
        document.get("dag_id"),
        document.get("run_id"),
        document.get("task_id"),
        document.get("map_index"),
    )


def _asset(document: dict[str, Any]) -> Asset:
    return Asset(document["asset_id"], document["name"], document["uri"], document["group"], document["active"])
