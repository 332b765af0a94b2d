"""Parts of lists that come as one row each, with a text or an array for each column of the entries.

A row of its own for each entry costs the program most of the time that a list takes. What somebody else has written
into a table may not fit into such a row, or not come out as it went in: this is seen, and the part is read row by row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, get_args

from statemount.database.rows import EntryColumns
from statemount.model import EntryColumn

MOST_BYTES = 16 * 1024 * 1024
"""Larger scopes are not listed in this way: the row would be one piece of memory at each end."""

COLUMNS: Mapping[EntryColumn, str] = {
    "updated_at": "updated_at",
    "revisions": "revision",
    "expires_at": "expires_at",
    "writers": "writer",
    "values": "value",
}
"""What they are called in the tables, in the order in which they stand in a row: the longest is the last."""


class UnpackableError(ValueError):
    """A part of a list is to be read row by row."""


def wanted_of(columns: Collection[EntryColumn]) -> list[EntryColumn]:
    """Return columns in the order of a row."""
    return [column for column in COLUMNS if column in columns]


def names_of(columns: Collection[EntryColumn]) -> list[str]:
    """Return what columns are called in the tables, in the order of a row."""
    return [name for column, name in COLUMNS.items() if column in columns]


def decoded(keys: Iterable[bytes]) -> list[str]:
    """Return keys as texts.

    Raises:
        UnpackableError: One is no text.
    """
    try:
        return list(map(bytes.decode, keys))
    except ValueError as error:
        raise UnpackableError("a key is no text") from error


def columns_of(
    total: int, revision: int, count: int, keys: Sequence[str], found: Mapping[EntryColumn, Sequence[Any]]
) -> EntryColumns:
    """Return columns, of whose rows the keys tell the order.

    Args:
        count: How many entries there are.

    Raises:
        UnpackableError: One has more or fewer rows, or the order is not that of the keys.
    """
    if {count} != {len(keys), *map(len, found.values())}:
        raise UnpackableError("a text holds what separates texts, or was cut")
    if sorted(keys) != keys:
        raise UnpackableError("the rows are in another order")
    return EntryColumns(total, revision, keys, *[found.get(column, ()) for column in get_args(EntryColumn)])
