"""When the write-ahead log of a SQLite file is to be copied to the database.

SQLite does so within the COMMIT that makes the log too long, which then takes ten times as long as the others. Here it
is done on a connection that reads, beside those who write, and what they have added meanwhile, which is little,
between two of their transactions; after that the log begins anew.

How long the log is stands in a file that must not be opened: to close it again would end the locks of every connection
of the process. So it is worked out from the rows that were written, and from what SQLite says after each copy.
"""

from __future__ import annotations

from statemount.database.query import Query

CHECKPOINT = Query("PRAGMA wal_checkpoint(PASSIVE)")
"""Copies what there is; neither waits for anybody, nor does anybody wait for it. Its row says whether somebody else is
doing so just now, how many frames the log has, and how many of them are copied."""

LONG_FRAMES = 500
"""Pages of 4 KiB: 2 MiB. A page that is written often is copied once for all of them. More of them are copied at less
cost, but the processor is busy with it for longer, while others wait for theirs."""

FEW_ROWS = 50
"""So little is copied in no time."""

_FIRST_ROWS = 250
_LEAST_ROWS, _MOST_ROWS = 100, 5000


class LogLength:
    """Estimates how long the log is.

    Rows are counted as SQLite counts them: all that a connection has written so far.
    """

    def __init__(self) -> None:
        self._copied = 0
        self._due = _FIRST_ROWS

    def is_due(self, rows: int) -> bool:
        """Tell whether the log is so long that it is to be copied."""
        if rows < self._copied:  # another connection, which counts anew
            self._copied = 0
        return rows - self._copied >= self._due

    def note(self, rows: int, frames: int) -> None:
        """Take in how many frames the log had when it was copied."""
        written = rows - self._copied
        if frames > 0 and written > 0:
            self._due = min(max(written * LONG_FRAMES // frames, _LEAST_ROWS), _MOST_ROWS)
        self._copied = rows
