"""Parts of lists that come as one row each, with a text or an array for each column of the entries.

A row of its own for each entry costs the program most of the time that a list takes. What somebody else has written
into a table may not fit into such a row, or not come out as it went in: this is seen, and the part is read row by row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, get_args

from statemount.database.rows import EntryColumns
from statemount.model import EntryColumn

MOST_BYTES = 4 * 1024 * 1024
"""Larger scopes are not listed in this way, so that no row is larger than a server sends."""

COLUMNS: Mapping[EntryColumn, str] = dict(
    zip(get_args(EntryColumn), ("value", "updated_at", "revision", "expires_at", "writer"), strict=True)
)
"""What they are called in the tables, in the order in which they stand in a row."""


class UnpackableError(ValueError):
    """A part of a list is to be read row by row."""


def names_of(columns: Collection[EntryColumn]) -> list[str]:
    """Return what columns are called in the tables, in the order of a row."""
    return [name for column, name in COLUMNS.items() if column in columns]


def columns_of(
    total: int, revision: int, count: int, keys: Sequence[str], found: Mapping[str, Sequence[Any]]
) -> EntryColumns:
    """Return columns, of whose rows the keys tell the order.

    Args:
        count: How many entries there are.
        found: The columns, by what they are called in the tables.

    Raises:
        UnpackableError: One has more or fewer rows, or the order is not that of the keys.
    """
    if len(keys) != count or any(len(column) != count for column in found.values()):
        raise UnpackableError("a text holds what separates texts, or was cut")
    if sorted(keys) != keys:
        raise UnpackableError("the rows are in another order")
    return EntryColumns(total, revision, keys, *[found.get(name, ()) for name in COLUMNS.values()])
