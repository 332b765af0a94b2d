"""Reading successes. What cannot be read ends in a KeyError, a TypeError or a ValueError."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from statemount.client.calls import Answer
from statemount.client.errors import UnexpectedAnswerError
from statemount.client.values import (
    AssetPage,
    BatchOutcome,
    HistoryPage,
    OperationResult,
    StateChange,
    StateEntry,
    StatePage,
    StateValue,
)
from statemount.model import Asset, JsonValue, TaskInstance, TaskScope, Writer

_LINK = re.compile(r"<[^>?]*\?([^>]*)>\s*;\s*(rel=[^,;]*)")
_REVISION = re.compile(r'(?:W/)?"(\d{1,19})"')  # weak once a proxy compresses


def revision_in(headers: Mapping[str, str]) -> int | None:
    """Return the revision that an ``ETag`` names; None = there is none."""
    found = _REVISION.fullmatch(headers.get("etag", ""))
    return None if found is None else int(found[1])


def unconditional() -> UnexpectedAnswerError:
    """Return the error for a server that knows of no revisions."""
    return UnexpectedAnswerError("the server gives no revision, and so heeds no condition: Airflow's knows neither")


def nothing(answer: Answer) -> None:
    """Accept an empty body, or null."""
    if answer.body not in (b"", b"null"):
        raise ValueError("an empty body was expected")


def written(answer: Answer) -> int | None:
    """Return the revision of what was written; None = the server does not tell."""
    nothing(answer)
    return revision_in(answer.headers)


def written_on_condition(answer: Answer) -> int:
    """Return the revision of what was written, if its condition held.

    Raises:
        UnexpectedAnswerError: The server knows of no revisions, and so has not looked at the condition.
    """
    nothing(answer)
    return _revision(answer)


def value(answer: Answer) -> JsonValue:
    """Return a value as workers get it."""
    return json.loads(answer.body)["value"]


def value_with_revision(answer: Answer) -> StateValue:
    """Return a value as workers get it, with its revision.

    Raises:
        UnexpectedAnswerError: The server knows of no revisions.
    """
    return StateValue(json.loads(answer.body)["value"], _revision(answer))


def batch(answer: Answer) -> BatchOutcome:
    """Return what came of a batch."""
    document = json.loads(answer.body)
    return BatchOutcome(int(document["revision"]), tuple(map(_result, document["results"])))


def entry(answer: Answer) -> StateEntry:
    """Return an entry."""
    document = json.loads(answer.body)
    return replace(_entry({**document, "value": document["value"]}), revision=revision_in(answer.headers))


def page(name: str) -> Callable[[Answer], StatePage]:
    """Return what reads a list of entries that has this name."""

    def read(answer: Answer) -> StatePage:
        document = json.loads(answer.body)
        return StatePage(
            tuple(map(_entry, document[name])),
            int(document["total_entries"]),
            revision_in(answer.headers),
            _next(answer.headers, "cursor"),
        )

    return read


def history(answer: Answer) -> HistoryPage:
    """Return a part of a history."""
    document = json.loads(answer.body)
    before = _next(answer.headers, "before")
    return HistoryPage(
        tuple(map(_change, document["changes"])),
        int(document["revision"]),
        bool(document["complete"]),
        None if before is None else int(before),
    )


def past_entry(answer: Answer) -> StateEntry:
    """Return an entry as it was."""
    document = json.loads(answer.body)
    return _entry({**document, "value": document["value"], "last_updated_by": document["writer"]})


def asset(answer: Answer) -> Asset:
    """Return an asset."""
    return _asset(json.loads(answer.body))


def assets(answer: Answer) -> AssetPage:
    """Return a list of assets."""
    document = json.loads(answer.body)
    return AssetPage(tuple(map(_asset, document["assets"])), int(document["total_entries"]))


def task_instance(answer: Answer) -> TaskInstance:
    """Return a task instance as it is registered."""
    document = json.loads(answer.body)
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
        document.get("value"),
        moment_of(document["updated_at"]),
        None if expires_at is None else moment_of(expires_at),
        None if writer is None else writer_of(writer),
        document.get("revision"),
    )


def _result(document: dict[str, Any]) -> OperationResult:
    expires_at = document.get("expires_at")
    return OperationResult(
        document["op"],
        document["key"],
        document["status"],
        document["revision"],
        document.get("value"),
        None if expires_at is None else moment_of(expires_at),
    )


def _change(document: dict[str, Any]) -> StateChange:
    expires_at, writer = document["expires_at"], document["writer"]
    return StateChange(
        document["revision"],
        document["operation"],
        document["key"],
        moment_of(document["at"]),
        None if writer is None else writer_of(writer),
        document["size"],
        None if expires_at is None else moment_of(expires_at),
        "value" in document,
        document.get("value"),
    )


def _next(headers: Mapping[str, str], name: str) -> str | None:
    """Return a parameter of the link to the next part; None = there is none."""
    for link in _LINK.finditer(headers.get("link", "")):
        if "next" in link[2].split('"')[1:2]:
            found = parse_qs(link[1]).get(name)
            return found[-1] if found else None
    return None


def _revision(answer: Answer) -> int:
    revision = revision_in(answer.headers)
    if revision is None:
        raise unconditional()
    return revision


def moment_of(text: str) -> datetime:
    """Return a time.

    Raises:
        ValueError: It is none, or has no time zone.
    """
    # Before Python 3.11 the Z is not understood.
    moment = datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)
    if moment.utcoffset() is None:
        raise ValueError("a time without a time zone")
    return moment


def writer_of(document: dict[str, Any]) -> Writer:
    """Return who wrote."""
    return Writer(
        document["kind"],
        document.get("dag_id"),
        document.get("run_id"),
        document.get("task_id"),
        document.get("map_index"),
        document.get("subject"),
    )


def _asset(document: dict[str, Any]) -> Asset:
    return Asset(document["asset_id"], document["name"], document["uri"], document["group"], document["active"])
