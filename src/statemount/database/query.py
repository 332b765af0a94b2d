"""A transaction as a script: it yields queries and is sent their rows.

So that a transaction is written once, and runs on a thread for SQLite and on the event loop for the servers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

T = TypeVar("T")

Row: TypeAlias = Sequence[Any]


class Query(NamedTuple):
    """One statement, to be run as it is.

    Args:
        sql: In the dialect's own parameter style.
        args: Its parameters; a sequence of such for ``each`` and ``many``.
        mode: ``one``: run it, and send its rows. ``each``: run it for each element, and send the rows of all.
            ``many``: run it for each element; no rows. ``packed``: run it, and send what ``unpack`` makes of the one
            column of its one row (NULL: no rows). A dialect yields only what its driver does well.
        unpack: Raises ValueError for a text that this program cannot have packed.
        fallback: Is run instead where a text cannot be unpacked.
    """

    sql: str
    args: Sequence[Any] = ()
    mode: Literal["one", "each", "many", "packed"] = "one"
    unpack: Callable[[str], Sequence[Row]] | None = None
    fallback: Query | None = None


Script: TypeAlias = Generator[Query, Sequence[Row], T]
"""The steps of one transaction; its return value is the transaction's."""


def only(query: Query) -> Script[Sequence[Row]]:
    """Make a script of one query, which returns its rows."""
    return (yield query)


ScriptFactory: TypeAlias = Callable[[], Script[T]]
"""Makes a fresh script: a transaction that was rolled back is run again from its start."""
