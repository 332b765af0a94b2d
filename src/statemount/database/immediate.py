"""Look-ups that take less time than a hop to another thread, made at once on the thread of the event loop.

A row of SQLite that is found by its primary key takes a few microseconds; a thread that fetches it costs both threads
ten times as much. Where that is not so, because the disk is slow or the pages are not in memory, or where anything
else is not as usual, nothing is answered here, and whoever asks goes the other way.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence

from statemount.database.drivers.sqlite import MAPPED_BYTES
from statemount.database.query import Query, Row

_SLOW_SECONDS = 0.001
_SLOW_SECONDS_EACH = 0.00005  # of a look-up among several
_SLOW_READS = 3  # in a row: a single one has only been interrupted
_REST_FACTOR = 10  # so that what is slow takes a tenth of the event loop's time at most
_REST_SECONDS = 1.0

_DATA_VERSION = Query("PRAGMA data_version")


class ImmediateReads:
    """A connection of its own that only reads, and never waits for a lock.

    Args:
        file: The path of the database.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._openings = 0
        self._slow = 0
        self._rests_until = 0.0

    def rows(self, query: Query, count: int = 1) -> Sequence[Row] | None:
        """Return the rows of look-ups by key; None = ask in another way.

        Args:
            query: Of the mode ``one``.
            count: How many look-ups it is.
        """
        began = time.perf_counter()
        if began < self._rests_until:
            return None
        try:
            connection = self._connection or self._open()
            rows = connection.execute(query.sql, query.args).fetchall()
        except sqlite3.Error:  # whoever asks in the other way is told
            self.close()
            self._rests_until = time.perf_counter() + _REST_SECONDS
            return None
        ended = time.perf_counter()
        if ended - began < _SLOW_SECONDS + count * _SLOW_SECONDS_EACH:
            self._slow = 0
        else:
            self._slow += 1
            if self._slow >= _SLOW_READS:
                self._rests_until = ended + _REST_FACTOR * (ended - began)
        return rows

    def pulse(self) -> object | None:
        """Return what is equal from one call to the next if no connection has written anything; None = it is not known.

        It is SQLite's count of what others have committed, which each connection has of its own.
        """
        rows = self.rows(_DATA_VERSION)
        return None if rows is None or self._connection is None else (self._openings, rows[0][0])

    def _open(self) -> sqlite3.Connection:
        # It may be closed by another thread, once its event loop is no more.
        self._openings += 1
        self._connection = sqlite3.connect(self._file, timeout=0, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA query_only = ON")
        self._connection.execute(f"PRAGMA mmap_size = {MAPPED_BYTES}")
        return self._connection

    def close(self) -> None:
        """Close the connection, if it is open."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
