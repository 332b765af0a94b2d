"""SQLite's write-ahead log is copied to the database beside those who write, and does not grow for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from statemount.database.connections import Connections
from statemount.database.query import Query, Row, Script
from statemount.database.wal import CHECKPOINT, LONG_FRAMES, LogLength
from tests.database.support import ask, connected, outsider, scripts

pytestmark = pytest.mark.anyio

_PAGE = 4096 + 24
_ROWS = 100
_TABLE = "CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT)"


def _written(number: int) -> Any:
    """Return a script of rows that take a page for every two of them."""
    rows = [(number * _ROWS + row, "y" * 1900) for row in range(_ROWS)]
    return ask("INSERT INTO t VALUES (?, ?)", rows, "many")


async def _write(connections: Connections, transactions: range) -> None:
    for number in transactions:
        await connections.write(_written(number))


async def _settle(connections: Connections) -> None:
    while connections._copying is not None:  # noqa: ASYNC110 - there is nothing to be woken by
        await asyncio.sleep(0.001)


async def test_the_log_begins_anew(tmp_path: Path) -> None:
    """However much is written, the log stays about as long as it is meant to be."""
    log = tmp_path / "state.db-wal"
    async with connected(f"sqlite:///{tmp_path / 'state.db'}") as connections:
        await connections.write(ask(_TABLE))
        for number in range(60):  # 3,000 pages
            await _write(connections, range(number, number + 1))
            await _settle(connections)
        assert log.stat().st_size < 3 * LONG_FRAMES * _PAGE


async def test_what_is_written_meanwhile_is_copied_too(tmp_path: Path) -> None:
    """Those who write without a pause are not waited for, and lose nothing."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    async with connected(url) as connections:
        await connections.write(ask(_TABLE))
        await asyncio.gather(*(_write(connections, range(first, first + 20)) for first in range(0, 80, 20)))
        await _settle(connections)
        await connections.write(ask("INSERT INTO t VALUES (-1, '')"))
        ((_, frames, _),) = await connections.read(lambda: _only(CHECKPOINT))
        assert frames < 80 * _ROWS / 2 - LONG_FRAMES, "it has begun anew"
        assert (await connections.read(ask("SELECT count(*) FROM t")))[0][0] == 80 * _ROWS + 1
    async with connected(url) as connections:
        assert (await connections.read(ask("SELECT count(*) FROM t")))[0][0] == 80 * _ROWS + 1


async def test_somebody_still_reads_what_was(tmp_path: Path) -> None:
    """The log cannot begin anew while somebody reads its beginning; it does as soon as nobody does."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    async with connected(url) as connections:
        await connections.write(scripts(_TABLE, "INSERT INTO t VALUES (-1, '')"))
        async with outsider(url) as other:
            await other.run("BEGIN")
            assert len(await other.run("SELECT x FROM t")) == 1
            await _write(connections, range(20))
            await _settle(connections)
            assert len(await other.run("SELECT x FROM t")) == 1
            await other.run("COMMIT")
        for number in range(20, 40):
            await _write(connections, range(number, number + 1))
            await _settle(connections)  # else all may be written before the copy has its turn
        ((_, frames, _),) = await connections.read(lambda: _only(CHECKPOINT))
        assert frames < 20 * _ROWS / 2, "it has begun anew"


async def test_a_copy_that_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody who writes is told; it is logged, and tried again once more is written."""
    caplog.set_level(logging.INFO, logger="statemount.database")
    async with connected(f"sqlite:///{tmp_path / 'state.db'}") as connections:
        await connections.write(ask(_TABLE))
        reading = connections.driver.read

        async def fail(raw: Any, factory: Any) -> Any:
            raise OSError("no disk")

        connections.driver.read = fail  # type: ignore[method-assign]
        await _write(connections, range(20))
        await _settle(connections)
        connections.driver.read = reading  # type: ignore[method-assign]
        assert "no disk" in caplog.text
        await _write(connections, range(20, 40))
        await _settle(connections)
        assert (await connections.read(lambda: _only(CHECKPOINT)))[0][1] < 20 * _ROWS / 2


def _only(query: Query) -> Script[Sequence[Row]]:
    return (yield query)


def test_how_long_it_is_is_learnt() -> None:
    """So many rows make it long as the frames say that it had."""
    length = LogLength()
    assert [length.is_due(rows) for rows in (249, 250)] == [False, True]
    length.note(250, LONG_FRAMES // 4)  # a frame for two rows
    assert [length.is_due(250 + rows) for rows in (999, 1000)] == [False, True]
    length.note(1250, 2 * LONG_FRAMES)
    assert [length.is_due(1250 + rows) for rows in (499, 500)] == [False, True]


def test_nothing_is_learnt_from_a_copy_that_failed() -> None:
    """It is tried again after as many rows."""
    length = LogLength()
    length.note(250, 0)
    length.note(500, -1)
    assert [length.is_due(500 + rows) for rows in (249, 250)] == [False, True]


def test_bounds_of_what_is_learnt() -> None:
    """A log of very many rows in a page, or of very few, does not lead too far."""
    length = LogLength()
    length.note(2000, 1)
    assert [length.is_due(2000 + rows) for rows in (4999, 5000)] == [False, True]
    length.note(7000, 10**9)
    assert [length.is_due(7000 + rows) for rows in (99, 100)] == [False, True]


def test_another_connection_counts_anew() -> None:
    """The rows of a connection that was lost are not missed for long."""
    length = LogLength()
    length.note(5000, 5000)
    assert not length.is_due(10)
    assert length.is_due(500)
