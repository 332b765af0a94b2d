"""How changes are printed, of a history and as they happen: lines for people, JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import click

from statemount.cli.entries import one_line, print_table, shortened, time_text, writer_document, writer_text
from statemount.client import StateChange, StateEvent

_NOT_KEPT = "-"


def print_changes(changes: Iterable[StateChange], *, as_json: bool) -> None:
    """Print a history."""
    if as_json:
        click.echo(json.dumps([_change_document(change) for change in changes], indent=2))
        return
    rows = (
        (
            str(change.revision),
            time_text(change.at),
            change.operation,
            "-" if change.key is None else change.key,
            shortened(change.value) if change.has_value else _NOT_KEPT,
            writer_text(change.writer),
        )
        for change in changes
    )
    print_table(("REVISION", "AT", "WHAT", "KEY", "VALUE", "BY"), rows)


def print_event(event: StateEvent, *, as_json: bool) -> None:
    """Print one event in a line, at once."""
    if as_json:
        click.echo(json.dumps(_event_document(event)))
        return
    words = [str(event.revision), event.kind]
    if event.key is not None:
        words.append(event.key)
    if event.has_value:
        words.append(shortened(event.value))
    if event.writer is not None:
        words.append(f"({writer_text(event.writer)})")
    click.echo(one_line("  ".join(words)))


def _change_document(change: StateChange) -> dict[str, Any]:
    return {
        "revision": change.revision,
        "operation": change.operation,
        "key": change.key,
        "at": change.at.isoformat(),
        "size": change.size,
        "expires_at": None if change.expires_at is None else change.expires_at.isoformat(),
        "writer": writer_document(change.writer),
        **({"value": change.value} if change.has_value else {}),
    }


def _event_document(event: StateEvent) -> dict[str, Any]:
    document: dict[str, Any] = {"event": event.kind, "revision": event.revision}
    if event.at is not None:
        document |= {"key": event.key, "at": event.at.isoformat(), "writer": writer_document(event.writer)}
    if event.kind == "set":
        document |= {
            "size": event.size,
            "expires_at": None if event.expires_at is None else event.expires_at.isoformat(),
        }
    return {**document, "value": event.value} if event.has_value else document
