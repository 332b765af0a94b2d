"""Lists of scopes that are too large for the short way, on every database."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TypedDict

import pytest

from statemount.model import Entry, TaskScope
from statemount.operations import Set
from statemount.store.listing import _FEW
from tests.clock import FakeClock
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
