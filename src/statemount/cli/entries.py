"""How entries are printed: as a table for people, as JSON for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

    def print_list(self, entries: Iterable[StateEntry], *, as_json: bool, keys_only: bool = False) -> None:
        """Print several entries, with their values unless keys alone were asked for."""
        has_values = not keys_only
        if as_json:
            click.echo(json.dumps([self._document(entry, has_value=has_values) for entry in entries], indent=2))
            return
        headings = ("KEY", "VALUE", "UPDATED", self.heading) if has_values else ("KEY", "UPDATED", self.heading)
        print_table(headings, (self._cells(entry, has_value=has_values) for entry in entries))

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

    def _document(self, entry: StateEntry, *, has_value: bool = True) -> Mapping[str, Any]:
        return {
            "key": entry.key,
            **({"value": entry.value} if has_value else {}),
            "revision": entry.revision,
            "updated_at": entry.updated_at.isoformat(),
            self.field: self.content(entry),
        }

    def _cells(self, entry: StateEntry, *, has_value: bool) -> tuple[str, ...]:
        value = (shortened(entry.value),) if has_value else ()
        return (entry.key, *value, time_text(entry.updated_at), self.cell(entry))


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


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, one line for each row."""
    table = [tuple(map(one_line, row)) for row in (headings, *rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_text(text: str) -> None:
    try:
        text.encode(_encoding())
    except UnicodeEncodeError:
        raise click.ClickException("the text has characters that cannot be written here: leave out --raw") from None
    click.echo(text)


def _encoding() -> str:
    return sys.stdout.encoding or "utf-8"


def shortened(value: JsonValue) -> str:
    """Return a value as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def one_line(text: str) -> str:
    """Return a text with its control characters spelt out, and those that cannot be written here."""
    spelt = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    return spelt.encode(_encoding(), "backslashreplace").decode(_encoding())


def time_text(moment: datetime) -> str:
    """Return a time for people."""
    return moment.isoformat(" ", "seconds")


def _expires(entry: StateEntry) -> str:
    return "never" if entry.expires_at is None else time_text(entry.expires_at)


def _expires_at(entry: StateEntry) -> str | None:
    return None if entry.expires_at is None else entry.expires_at.isoformat()


def writer_text(writer: Writer | None) -> str:
    """Return who wrote, for people."""
    if writer is None:
        return "-"
    if writer.kind == "task":
        return "/".join(map(str, _ids(writer).values()))
    return writer.kind if writer.subject is None else f"{writer.kind} {writer.subject}"


def writer_document(writer: Writer | None) -> dict[str, Any] | None:
    """Return who wrote, for scripts."""
    if writer is None:
        return None
    subject = {} if writer.subject is None else {"subject": writer.subject}
    return {"kind": writer.kind, **(_ids(writer) if writer.kind == "task" else {}), **subject}


def _ids(writer: Writer) -> dict[str, Any]:
    return {
        "dag_id": writer.dag_id,
        "run_id": writer.run_id,
        "task_id": writer.task_id,
        "map_index": writer.map_index,
    }


TASK_ENTRIES: EntryForm = EntryForm("EXPIRES", _expires, "expires_at", _expires_at)
"""Of task instances."""

ASSET_ENTRIES: EntryForm = EntryForm(
    "WRITTEN BY",
    lambda entry: writer_text(entry.last_updated_by),
    "last_updated_by",
    lambda entry: writer_document(entry.last_updated_by),
)
"""Of assets."""
