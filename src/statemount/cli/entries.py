"""How entries are printed: as a table for people, as JSON for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from statemount.client import StateEntry, StatePage
from statemount.model import JsonValue, Writer

_PAGE = 100  # what a server gives at most
_WIDTH = 60  # of a value in a table, in characters


@dataclass(frozen=True, slots=True)
class EntryForm:
    """How the entries of a kind of scope are shown.

    Args:
        heading: Of the last column.
        cell: What stands in it.
        field: In JSON, the name of what it is about.
        content: Its value in JSON.
    """

    heading: str
    cell: Callable[[StateEntry], str]
    field: str
    content: Callable[[StateEntry], Any]

    def print_list(self, entries: Iterable[StateEntry], *, as_json: bool) -> None:
        """Print several entries."""
        if as_json:
            click.echo(json.dumps([self._document(entry) for entry in entries], indent=2))
            return
        rows = [("KEY", "VALUE", "UPDATED", self.heading), *map(self._cells, entries)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def print_one(self, entry: StateEntry, *, as_json: bool, is_raw: bool) -> None:
        """Print an entry's value as JSON; or all of the entry; or the value without quotes if it is a text.

        Raises:
            click.UsageError: Both are asked for.
            click.ClickException: The text cannot be written as it is.
        """
        if as_json and is_raw:
            raise click.UsageError("--json and --raw are not used together")
        if is_raw and isinstance(entry.value, str):
            _print_text(entry.value)
        else:
            click.echo(json.dumps(self._document(entry) if as_json else entry.value, indent=2))

    def _document(self, entry: StateEntry) -> Mapping[str, Any]:
        return {
            "key": entry.key,
            "value": entry.value,
            "updated_at": entry.updated_at.isoformat(),
            self.field: self.content(entry),
        }

    def _cells(self, entry: StateEntry) -> tuple[str, ...]:
        cells = (entry.key, _shortened(entry.value), _time(entry.updated_at), self.cell(entry))
        return tuple(map(_one_line, cells))


def entries_of(list_page: Callable[[int, int], StatePage], limit: int | None) -> Iterator[StateEntry]:
    """Return the first entries of a scope, asked for in as many parts as it takes.

    Args:
        list_page: Gives a part for a limit and an offset.
        limit: None = all of them.
    """
    offset = 0
    while limit is None or offset < limit:
        size = _PAGE if limit is None else min(_PAGE, limit - offset)
        entries = list_page(size, offset).entries
        yield from entries
        offset += len(entries)
        if len(entries) < size:
            return


def _print_text(text: str) -> None:
    try:
        text.encode(_encoding())
    except UnicodeEncodeError:
        raise click.ClickException("the text has characters that cannot be written here: leave out --raw") from None
    click.echo(text)


def _encoding() -> str:
    return sys.stdout.encoding or "utf-8"


def _shortened(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def _one_line(text: str) -> str:
    """Return a text with its control characters spelt out, and those that cannot be written here."""
    spelt = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    return spelt.encode(_encoding(), "backslashreplace").decode(_encoding())


def _time(moment: datetime) -> str:
    return moment.isoformat(" ", "seconds")


def _expires(entry: StateEntry) -> str:
    return "never" if entry.expires_at is None else _time(entry.expires_at)


def _expires_at(entry: StateEntry) -> str | None:
    return None if entry.expires_at is None else entry.expires_at.isoformat()


def _writer(entry: StateEntry) -> str:
    writer = entry.last_updated_by
    if writer is None:
        return "-"
    return writer.kind if writer.kind != "task" else "/".join(map(str, _ids(writer).values()))


def _last_updated_by(entry: StateEntry) -> dict[str, Any] | None:
    writer = entry.last_updated_by
    if writer is None:
        return None
    return {"kind": writer.kind, **(_ids(writer) if writer.kind == "task" else {})}


def _ids(writer: Writer) -> dict[str, Any]:
    return {
        "dag_id": writer.dag_id,
        "run_id": writer.run_id,
        "task_id": writer.task_id,
        "map_index": writer.map_index,
    }


TASK_ENTRIES: EntryForm = EntryForm("EXPIRES", _expires, "expires_at", _expires_at)
"""Of task instances."""

ASSET_ENTRIES: EntryForm = EntryForm("WRITTEN BY", _writer, "last_updated_by", _last_updated_by)
"""Of assets."""
