"""Rows of SQLite that come as one text, and statements for many rows at once.

Each step of a statement gives the interpreter's lock away and takes it back, which costs more than the step itself
while the event loop is busy. So what a group reads is one row, and what it writes is a few statements.

A text has separators that JSON cannot hold. What somebody else has put into a table may hold them: such a text has
other numbers of fields, or is refused by the statement that packs it, and is then read row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, TypeVar

from pydantic_core import from_json

ROW = "\x1e"
"""Between rows: the record separator."""

FIELD = "\x1f"
"""Between fields: the unit separator."""

_LARGEST = 256

_RowT = TypeVar("_RowT", bound=Sequence[Any])


def pieces(rows: Sequence[_RowT]) -> Iterator[Sequence[_RowT]]:
    """Cut rows into pieces of which each is one statement's."""
    for begin in range(0, len(rows), _LARGEST):
        yield rows[begin : begin + _LARGEST]


def filled(statement: Callable[[int], str], rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """Return the statement for so many rows, with its arguments.

    It is made for a power of two, so that few statements are prepared; the rows that are missing then have a scope id
    of 0, which no scope has.
    """
    size = 1 << (len(rows) - 1).bit_length()
    args = list(chain.from_iterable(rows))
    if size > len(rows):
        args += [0, *[None] * (len(rows[0]) - 1)] * (size - len(rows))
    return statement(size), args


def sized(head: str, row: str, tail: str = "") -> Callable[[int], str]:
    """Return what makes a statement with a list of so many rows, each once.

    Args:
        row: One row of the list; ``{}`` stands for its number, from 0 on.
    """

    @lru_cache(maxsize=32)
    def make(count: int) -> str:
        return head + ", ".join(row.replace("{}", str(number)) for number in range(count)) + tail

    return make


def rows_of(text: str, width: int) -> list[list[str]]:
    """Return the fields of each row.

    Args:
        width: How many fields a row has.

    Raises:
        ValueError: A row has more, or fewer.
    """
    rows = [row.split(FIELD) for row in text.split(ROW)]
    if any(len(row) != width for row in rows):
        raise ValueError("somebody else's row")
    return rows


def number(text: str) -> int | None:
    """Return a number, None for an empty text."""
    return int(text) if text else None


def texts_of(text: str) -> list[str]:
    """Return the fields of a text that is nothing but fields."""
    return text.split(FIELD)


def integers_of(text: str) -> list[int | None]:
    """Return integers that are separated by commas, None for ``null``.

    Raises:
        ValueError: Something among them is neither.
    """
    numbers: list[int | None] = from_json(f"[{text}]")
    if not _INTEGERS.issuperset(map(type, numbers)):
        raise ValueError("somebody else's row")
    return numbers


_INTEGERS = frozenset([int, type(None)])
