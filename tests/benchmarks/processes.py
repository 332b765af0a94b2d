"""What the system tells of processes: CPU time and memory, and where they run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def tree(pid: int) -> list[int]:
    """Return a process and everything that descends from it."""
    children: dict[int, list[int]] = {}
    for directory in _PROC.iterdir():
        if directory.name.isdecimal():
            try:
                parent = int(_stat(int(directory.name))[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(directory.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def _stat(pid: int) -> list[str]:
    """Return the fields of ``/proc/<pid>/stat`` from the third one on: the second may have spaces in it."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the CPU time, in user and system mode, of processes with all their threads."""
    return sum(int(ticks) for pid in pids for ticks in _stat(pid)[11:13]) / _TICKS


def cpu_seconds_with_ended(pids: Iterable[int]) -> float:
    """Return the CPU time of processes and of their children that have ended; none of a process that is gone."""
    ticks = 0
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            ticks += sum(int(each) for each in _stat(pid)[11:15])
    return ticks / _TICKS


def rss_mebibytes(pids: Iterable[int]) -> float:
    """Return the resident memory of the largest of some processes: the one that serves."""
    page = os.sysconf("SC_PAGE_SIZE")
    return max(int((_PROC / str(pid) / "statm").read_text().split()[1]) for pid in pids) * page / 2**20


def anonymous_mebibytes(pids: Iterable[int]) -> float:
    """Return the resident memory, without pages of files, of the largest of some processes."""
    return max(_kibibytes(pid, "RssAnon") for pid in pids) / 1024


def _kibibytes(pid: int, name: str) -> int:
    lines = (_PROC / str(pid) / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


@contextmanager
def pinned(pids: Iterable[int], core: int) -> Iterator[None]:
    """Keep processes, with all their threads, on a core until the end of the block.

    Raises:
        PermissionError: They are another user's.
    """
    before: dict[int, set[int]] = {}
    try:
        for thread in _threads(pids):
            before[thread] = os.sched_getaffinity(thread)
            os.sched_setaffinity(thread, {core})
        yield
    finally:
        usual = set().union(*before.values())
        for thread in _threads(pids):
            os.sched_setaffinity(thread, before.get(thread, usual))


def _threads(pids: Iterable[int]) -> list[int]:
    found = []
    for pid in pids:
        try:
            found += [int(directory.name) for directory in (_PROC / str(pid) / "task").iterdir()]
        except FileNotFoundError:
            continue
    return found


def flushes(path: Path) -> int:
    """Return how many flush requests the device below a path has completed: what fsync and fdatasync come to.

    It counts everybody's on this machine (field 16 of the block layer's statistics, Linux 5.5).
    """
    number = path.stat().st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()
    if (device / "partition").exists():
        device = device.parent
    return int((device / "stat").read_text().split()[15])
