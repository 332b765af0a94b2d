"""The app with a clock that several processes read and a test moves."""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

from statemount.model import Timestamp
from statemount.mount import StateMount
from tests.contract.world import NOON, StillClock, make_state

VARIABLE = "PROCESSES_CLOCK"
"""Environment variable: the file of the clock."""

_TIME = struct.Struct("<q")


class SharedClock(StillClock):
    """A clock in a file that every process has in its memory.

    Args:
        path: The file, which is made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_TIME.pack(NOON))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _TIME.size)

    @property
    def now(self) -> Timestamp:
        """The time that it was set to."""
        moment: int = _TIME.unpack_from(self._memory)[0]
        return moment

    @now.setter
    def now(self, moment: Timestamp) -> None:
        _TIME.pack_into(self._memory, 0, moment)


def make_app() -> StateMount:
    """Return the app on the database and with the clock that the environment names."""
    return make_state(os.environ["STATEMOUNT_DATABASE_URL"], SharedClock(Path(os.environ[VARIABLE])))
