"""Workers that are killed at random moments, and a journal of what they did that outlives them."""

from __future__ import annotations

import os
import random
import select
import signal
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

_FAILED = 70
_READY = b"."
_END = "."
"""The last word of each line: a kill may cut a line short."""


class Event(NamedTuple):
    """A line of the journal.

    Args:
        what: Such as ``submitted``.
        words: What is said of it.
    """

    what: str
    words: tuple[str, ...]


class Journal:
    """Lines in a file, in the order in which processes wrote them. What a killed process has written whole stays."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def write(self, what: str, *words: object, is_synced: bool = False) -> None:
        """Add a line; on the disk before this returns, if it is to be synced."""
        os.write(self._file, f"\n{' '.join(map(str, (what, *words, _END)))}\n".encode())
        if is_synced:
            os.fsync(self._file)

    def read(self) -> list[Event]:
        """Return the whole lines."""
        return events_of(self._path)


def events_of(path: Path) -> list[Event]:
    """Return the whole lines of a journal."""
    lines = (line.split(" ") for line in path.read_text().splitlines())
    return [Event(what, tuple(words)) for what, *words, _ in filter(_is_whole, lines)]


def _is_whole(words: list[str]) -> bool:
    return len(words) > 1 and words[-1] == _END


class Killer:
    """Forks one worker after the other from this process, which is prepared and has no threads, and kills them.

    Args:
        journal: Where each start and each end goes.

    Attributes:
        kills: How many workers were killed before their end.
    """

    def __init__(self, journal: Journal, chances: random.Random) -> None:
        self.kills = 0
        self._journal = journal
        self._chances = chances

    def run(self, work: Callable[[], int], longest: float | None) -> int | None:
        """Let a worker work; return its exit code, or None if it was killed.

        Args:
            work: What it does; returns the exit code.
            longest: Seconds after which it is killed at the latest; None = it is not killed from here.

        Raises:
            RuntimeError: The worker failed by itself.
        """
        return self._end(*self._begin(work), longest)

    def run_at_once(self, works: Sequence[Callable[[], int]], longest: float | None) -> list[int | None]:
        """Let workers work at the same time, and kill the first of them; return what ``run`` does for each."""
        workers = [self._begin(work) for work in works]
        return [self._end(*worker, None if number else longest) for number, worker in enumerate(workers)]

    def _begin(self, work: Callable[[], int]) -> tuple[int, int]:
        """Fork a worker; return its process id, and what is readable once it ends."""
        reader, writer = os.pipe()
        worker = os.fork()
        if worker == 0:
            os.close(reader)
            _work(work, writer)
        os.close(writer)
        os.read(reader, len(_READY))
        return worker, reader

    def _end(self, worker: int, reader: int, longest: float | None) -> int | None:
        if longest is not None:
            select.select([reader], [], [], self._chances.uniform(0, longest))  # ends with the worker, too
            os.kill(worker, signal.SIGKILL)
        status = os.waitpid(worker, 0)[1]
        os.close(reader)
        code = None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        if code == _FAILED:
            raise RuntimeError("a worker failed; its traceback is above")
        if code is None:
            self.kills += 1
            self._journal.write("killed")
        return code


def _work(work: Callable[[], int], ready: int) -> None:
    """Be a worker, and end the process as one."""
    try:
        os.write(ready, _READY)
        os._exit(work())
    except BaseException:
        traceback.print_exc()
        os._exit(_FAILED)
