"""Many rows at once, by the shortest way that each database has."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.databases import run_apart, sqlite_path

_ROWS = 100_000
_SQLITE_CACHE_KIBIBYTES = 2 * 1024 * 1024  # rows go to random places of the indexes: they must be in memory
_MARIADB_ROWS = 1000  # of one statement: its text must stay below max_allowed_packet


def insert(url: str, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows.

    Args:
        url: As our app takes it.
    """
    if url.startswith("sqlite"):
        _insert_sqlite(url, table, columns, rows)
    elif url.startswith("postgresql"):
        run_apart(lambda: _copy_postgresql(url, table, columns, rows))
    else:
        run_apart(lambda: _insert_mariadb(url, table, columns, rows))


def execute(url: str, *statements: str) -> None:
    """Run statements without parameters, one by one."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(sqlite_path(url), isolation_level=None, timeout=60)
        for statement in statements:
            connection.execute(statement)
        connection.close()
    elif url.startswith("postgresql"):
        run_apart(lambda: _execute_postgresql(url, statements))
    else:
        run_apart(lambda: _execute_mariadb(url, statements))


def value(url: str, statement: str) -> str:
    """Return the one value that a statement gives, as a text."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(sqlite_path(url), timeout=60)
        (found,) = connection.execute(statement).fetchone()
        connection.close()
        return str(found)
    return run_apart(
        lambda: _value_postgresql(url, statement) if url.startswith("postgres") else _value_mariadb(url, statement)
    )


async def _value_postgresql(url: str, statement: str) -> str:
    import asyncpg

    connection = await asyncpg.connect(url)
    found = await connection.fetchval(statement)
    await connection.close()
    return str(found)


async def _value_mariadb(url: str, statement: str) -> str:
    connection = await _mariadb(url)
    async with connection.cursor() as cursor:
        await cursor.execute(statement)
        (found,) = await cursor.fetchone()
    await connection.ensure_closed()
    return str(found)


def _insert_sqlite(url: str, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    connection = sqlite3.connect(sqlite_path(url), timeout=60)
    connection.execute(f"PRAGMA cache_size = {-_SQLITE_CACHE_KIBIBYTES}")
    (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    with connection:
        places = ", ".join("?" * len(columns))
        connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.close()


async def _copy_postgresql(url: str, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    import asyncpg

    connection = await asyncpg.connect(url)
    remaining = iter(rows)
    while records := list(islice(remaining, _ROWS)):
        await connection.copy_records_to_table(table, records=records, columns=list(columns))
    await connection.close()


async def _execute_postgresql(url: str, statements: Sequence[str]) -> None:
    import asyncpg

    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def _mariadb(url: str) -> Any:
    import asyncmy

    parts = urlsplit(url)
    return await asyncmy.connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=unquote(parts.username or "root"),
        password=unquote(parts.password or ""),
        database=parts.path.strip("/"),
        autocommit=True,
    )


async def _insert_mariadb(url: str, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    connection = await _mariadb(url)
    remaining = iter(rows)
    row_places = f"({', '.join(['%s'] * len(columns))})"
    quoted = ", ".join(f"`{column}`" for column in columns)
    async with connection.cursor() as cursor:
        await cursor.execute("SET autocommit = 0")
        while some := list(islice(remaining, _MARIADB_ROWS)):
            places = ", ".join([row_places] * len(some))
            values = [value for row in some for value in row]
            await cursor.execute(f"INSERT INTO {table} ({quoted}) VALUES {places}", values)
        await cursor.execute("COMMIT")
    await connection.ensure_closed()


async def _execute_mariadb(url: str, statements: Sequence[str]) -> None:
    connection = await _mariadb(url)
    async with connection.cursor() as cursor:
        for statement in statements:
            await cursor.execute(statement)
    await connection.ensure_closed()
