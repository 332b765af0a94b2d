"""A database with very many expired entries, and what must be left of it when it is clean."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from statemount.clock import system_clock
from statemount.database.rows import EntryRow, WriteSet
from statemount.database.schema import TableNames
from statemount.database.statements import make_store_statements
from statemount.mount import StateMount
from tests.database.support import ask, connected
from tests.processes.workers import task

SCOPES = 400
EXPIRED_PER_SCOPE = 250
EXPIRED = SCOPES * EXPIRED_PER_SCOPE
ETERNAL = "eternal"
TASK = "overdue"
_TABLES = TableNames()
_HOUR = 3_600_000_000
_BATCH = 2000
_IMMINENT = 1000


def expired_key(number: int) -> str:
    """Return one of the keys that are expired in every scope."""
    return f"expired-{number}"


async def seed(url: str) -> None:
    """Fill a database: in each scope are many entries that expired within the last hour, and one that never does."""
    state = StateMount(url, sweep_interval_seconds=0)
    eternal = (
        state.service.tasks.set(task(TASK, number).scope, ETERNAL, "value", expires_at=None) for number in range(SCOPES)
    )
    await asyncio.gather(*eternal)
    await state.stop()
    async with connected(url) as connections:
        statements = make_store_statements(connections.url.dialect, _TABLES)
        scopes = await connections.read(ask(f"SELECT id FROM {_TABLES.scope}"))
        rows = _expired_rows([row[0] for row in scopes], system_clock())
        while batch := list(islice(rows, _BATCH)):
            await connections.write(lambda: statements.write(WriteSet(upserts=batch)))
        entries = EXPIRED_PER_SCOPE + 1
        size = entries * len('"value"')
        await connections.write(ask(f"UPDATE {_TABLES.scope} SET entries = {entries}, size = {size}"))


def _expired_rows(scope_ids: Sequence[int], now: int) -> Iterator[EntryRow]:
    for number in range(EXPIRED_PER_SCOPE):
        for place, scope_id in enumerate(scope_ids):
            # In no order, so that each batch meets many scopes.
            expires_at = now - (number * 7919 + place * 104_729) % _HOUR - 1
            yield EntryRow(scope_id, expired_key(number).encode(), '"value"', now - 2 * _HOUR, 1, expires_at, None)


class Imminent:
    """The expired entries that are next to be removed.

    Attributes:
        keys: Map indices and keys; those that come first may be gone by now.
    """

    def __init__(self, url: str) -> None:
        self.keys: list[tuple[int, str]] = []
        self._url = url

    async def follow(self, goes_on: Callable[[], bool]) -> None:
        """Look again and again, as long as a condition holds."""
        async with connected(self._url) as connections:
            statements = make_store_statements(connections.url.dialect, _TABLES)
            rows = await connections.read(ask(f"SELECT id, map_index FROM {_TABLES.scope}"))
            scopes = {row[0]: row[1] for row in rows}
            while goes_on():
                query = statements.expired(system_clock(), _IMMINENT)
                rows = await connections.read(ask(query.sql, query.args))
                self.keys = [(scopes[row[0]], bytes(row[1]).decode()) for row in rows]
                await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Left:
    """What is in the tables.

    Args:
        entries: The stored texts by map index and key.
        expiries: How many changes are expiries.
    """

    entries: Mapping[int, Mapping[str, str]]
    expiries: int


async def read_left(url: str) -> Left:
    """Read everything, and check that counters and logs agree with the entries."""
    async with connected(url) as connections:

        async def rows(sql: str) -> Sequence[Sequence[Any]]:
            return await connections.read(ask(sql))

        scopes = await rows(f"SELECT id, map_index, revision, entries, size FROM {_TABLES.scope}")
        stored = await rows(f"SELECT * FROM {_TABLES.entry}")
        logs = await rows(
            f"SELECT scope_id, count(*), min(revision), max(revision) FROM {_TABLES.change} GROUP BY scope_id"
        )
        expiries = await rows(f"SELECT count(*) FROM {_TABLES.change} WHERE kind = 'expire'")
    entries: dict[int, dict[str, str]] = {row[0]: {} for row in scopes}
    for row in stored:
        entries[row[0]][bytes(row[1]).decode()] = row[2]
    lengths = {scope_id: sum(map(len, texts.values())) for scope_id, texts in entries.items()}
    log_of = {row[0]: tuple(row[1:]) for row in logs}
    for scope_id, _, revision, counted, size in scopes:
        assert (counted, size) == (len(entries[scope_id]), lengths[scope_id])
        count, first, last = log_of[scope_id]
        assert (last, last - first + 1) == (revision, count), "each change has its own revision, and none is missing"
    return Left({row[1]: entries[row[0]] for row in scopes}, expiries[0][0])
