"""How a driver marks the parameters of a statement. What is written with ``?`` becomes its own style."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TypeAlias

Style: TypeAlias = Callable[[str], str]
"""Takes a statement with ``?`` for each parameter, and no ``?`` elsewhere."""


def qmark(sql: str) -> str:
    """As it is: SQLite."""
    return sql


def numbered(sql: str) -> str:
    """``$1``, ``$2`` ...: PostgreSQL."""
    first, *others = sql.split("?")
    return first + "".join(f"${number}{part}" for number, part in zip(count(1), others))


def percent(sql: str) -> str:
    """``%s``: MariaDB and MySQL."""
    return sql.replace("?", "%s")


_STYLES: dict[str, Style] = {"sqlite": qmark, "postgresql": numbered, "mysql": percent}


def style_of(dialect: str) -> Style:
    """Return the style of ``sqlite``, ``postgresql`` or ``mysql``."""
    return _STYLES[dialect]
