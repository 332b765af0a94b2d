"""Lists of scopes that are too large for the short way, on every database."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TypedDict

import pytest

from statemount.database.digests import scope_digest
from statemount.database.query import only
from statemount.database.rows import Part
from statemount.database.schema import TableNames
from statemount.database.statements.base import PartStatements
from statemount.database.url import DatabaseUrl
from statemount.model import ALL_COLUMNS, Columns, Entry, EntryColumn, Page, TaskScope, Writer
from statemount.operations import Clear, Set
from statemount.store.database import DatabaseStore
from statemount.store.listing import _FEW, _page_of
from tests.clock import FakeClock
from tests.database.support import outsider
from tests.store.test_operations import opened

pytestmark = pytest.mark.anyio


class Asked(TypedDict):
    """What a list is asked for."""

    limit: int
    offset: int
    prefix: str
    after: str | None
    keys_only: bool


ASKED: list[Asked] = [
    Asked(limit=limit, offset=offset, prefix=prefix, after=after, keys_only=keys_only)
    for limit, offset in ((0, 0), (7, 0), (100, 3), (1000, 0))
    for prefix in ("", "b/", "b/1", "\u00e9", "x")
    for after in (None, "a/7", "b/1", "b/10", "\u00e9/")
    for keys_only in (False, True)
]


def _expected(entries: list[Entry], asked: Asked) -> tuple[tuple[Entry, ...], int]:
    counted = [entry for entry in entries if entry.key.startswith(asked["prefix"])]
    after = asked["after"]
    listed = [entry for entry in counted if after is None or entry.key.encode() > after.encode()]
    part = listed[asked["offset"] :][: asked["limit"]]
    return tuple(entry._replace(value="") if asked["keys_only"] else entry for entry in part), len(counted)


async def test_parts_of_a_large_scope(database_url: str, clock: FakeClock) -> None:
    """Every part of a large scope, many of them asked for together, is what there is of it in Python."""
    scope = TaskScope("etl", "run-1", "load")
    keys = [f"{group}/{number}" for group in ("a", "b", "\u00e9") for number in range(_FEW // 2)]
    entries = [Set(key, f'"value of {key}"'.encode("unicode_escape").decode()) for key in keys]
    async with AsyncExitStack() as stack:
        store, _ = await opened(stack, database_url)
        for begin in range(0, len(entries), 100):
            await store.apply(scope, entries[begin : begin + 100], writer=None)
        everything = sorted([entry for key in keys if (entry := await store.read(scope, key))], key=_bytes)
        assert len(everything) == len(keys) > _FEW
        pages = await asyncio.gather(*(store.list(scope, **asked) for asked in ASKED))
        assert [(page.entries, page.total) for page in pages] == [_expected(everything, asked) for asked in ASKED]
        assert {page.revision for page in pages} == {clock.now + len(keys)}


def _bytes(entry: Entry) -> bytes:
    return entry.key.encode()


_CHANGES = {
    "sqlite": [
        "value = 'nonsense'",
        "value = '1' || char(31) || '2'",
        "value = x'31'",
        "key = x'6b33ff'",
        "key = 'k3'",
        "key = '\u00e9'",
        "key = x'6b331f6b'",
        "updated_at = '2026-01-01'",
        "updated_at = 1.5",
        "revision = 'x'",
        "revision = 1.5",
        "expires_at = '2026-01-01'",
        "expires_at = 1e300",
        "writer = 'x' || char(31)",
        "writer = '[]'",
        "writer = x'ff'",
    ],
    "postgresql": [
        "value = 'nonsense'",
        "value = E'1\\x1f2'",
        "key = '\\x6b33ff'",
        "key = '\\x6b331f6b'",
        "writer = E'x\\x1f'",
        "writer = '[]'",
        "updated_at = -4611686018427387904, expires_at = 9223372036854775807",
    ],
    "mysql": [
        "value = 'nonsense'",
        "value = '1\x1f2'",
        "`key` = x'6b33ff'",
        "`key` = x'6b331f6b'",
        "writer = 'x\x1f'",
        "writer = '[]'",
        "updated_at = -4611686018427387904, expires_at = 9223372036854775807",
    ],
}
_WHERE = {"sqlite": "key = x'6b33'", "postgresql": "key = '\\x6b33'", "mysql": "`key` = x'6b33'"}
_PARTS = [
    Part(50),
    Part(3, 2),
    Part(4),
    Part(2, 5),
    Part(50, 0, b"k"),
    Part(2, 0, b"", b"k3"),
    Part(50, keys_only=True),
    Part(0),
]
_CHOICES: list[frozenset[EntryColumn]] = [
    ALL_COLUMNS,
    frozenset({"values", "updated_at", "expires_at"}),
    frozenset({"values", "updated_at", "writers"}),
    frozenset({"updated_at", "revisions"}),
    frozenset(),
]


async def _by_rows(store: DatabaseStore, scope: TaskScope, part: Part, now: int) -> Page:
    query = store._statements.list_page(scope_digest(scope), now, part)
    return _page_of(await store._connections.read(lambda: only(query)))


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "with others"])
async def test_columns_are_those_of_the_rows(database_url: str, clock: FakeClock, *, alone: bool) -> None:
    """What somebody else has written comes out column by column as it does row by row, or is read row by row."""
    dialect = DatabaseUrl(database_url).dialect
    scope, other_scope = TaskScope("etl", "run-1", "load"), TaskScope("etl", "run-1", "other")
    sets = [Set(f"k{n}", f"{n}", None if n % 2 else clock.now + n - 3) for n in range(8)]
    async with AsyncExitStack() as stack:
        store, _ = await opened(stack, database_url)
        await store.apply(other_scope, sets, writer=Writer("api"))
        table, scopes = TableNames().entry, TableNames().scope
        where = f"{_WHERE[dialect]} AND scope_id = (SELECT id FROM {scopes} WHERE task_id = 'load')"
        changes = [f"UPDATE {table} SET {change} WHERE {where}" for change in _CHANGES[dialect]]
        changes.append(f"UPDATE {scopes} SET size = {2**40} WHERE task_id = 'load'")
        for change in changes:
            await store.apply(scope, [Clear(), *sets], writer=Writer("api", subject="ann"))
            async with outsider(database_url) as other:
                await other.run(change)
            for part in _PARTS:
                choices = [columns for columns in _CHOICES if part.keys_only == ("values" not in columns)]
                asked = [
                    store.list_columns(
                        one,
                        columns=columns,
                        limit=part.limit,
                        offset=part.offset,
                        prefix=part.prefix.decode(),
                        after=None if part.after is None else part.after.decode(),
                    )
                    for columns in choices
                    for one in ([scope] if alone else [scope, other_scope, scope])
                ]
                page = await _by_rows(store, scope, part, clock.now)
                found = await asyncio.gather(*asked)
                for number, columns in enumerate(choices):
                    expected = _plain(Columns.of_page(page, columns))
                    assert _plain(found[number if alone else 3 * number]) == expected, change
                    if not alone:
                        assert _plain(found[3 * number + 2]) == expected, change


def _plain(columns: Columns) -> list[object]:
    return [list(column) if isinstance(column, (list, tuple)) else column for column in columns]


async def test_rows_of_ours_are_not_read_row_by_row(
    database_url: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody else has touched comes column by column, whatever characters keys have."""
    scope = TaskScope("etl", "run-1", "load")
    keys = sorted(["a", "a/1", "\u00e9", "\U0001f600", "\uffff", "\n", '"', "\\", "a b", "\x7f"])
    async with AsyncExitStack() as stack:
        store, _ = await opened(stack, database_url)
        monkeypatch.setattr(store._statements, "list_page", None)
        for writer in (Writer("api", subject="\u00e9"), Writer.of_task(scope), None):
            sets = [Set(key, f'"{number}"', clock.now + 1) for number, key in enumerate(keys)]
            await store.apply(scope, sets, writer=writer)
            page = await store.list(scope, limit=8, offset=1)
            assert [entry.key for entry in page.entries] == keys[1:9]
            assert {entry.writer for entry in page.entries} == {writer}
            assert page.total == len(keys)
            if isinstance(store._statements, PartStatements):
                page = await store.list(scope, limit=8, prefix="a", keys_only=True)
                assert [entry.key for entry in page.entries] == ["a", "a b", "a/1"]
