"""Foreign load: the CPU time that others than the measured processes take from the cores in use."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.benchmarks.processes import cpu_seconds_with_ended, tree

_TICKS = os.sysconf("SC_CLK_TCK")
_KERNEL_THREADS = 2
_USER, _NICE, _SYSTEM, _STEAL = 0, 1, 2, 7
TOO_MUCH = 0.1
"""Part of a core from which on a reader is warned."""


class ForeignLoad:
    """Counts from one look to the next what others take: another program, or the host of a virtual machine.

    What the kernel does for everybody (its threads, interrupts) is nobody's.

    Args:
        cores: Those that are used.
        roots: Processes that are ours with all that descends from them, besides this one.
    """

    def __init__(self, cores: Iterable[int], roots: Sequence[int]) -> None:
        self._cores = {f"cpu{core}" for core in cores}
        self._roots = (os.getpid(), _KERNEL_THREADS, *roots)
        self._before = self._seconds()

    def _seconds(self) -> float:
        busy = 0
        for line in Path("/proc/stat").read_text().splitlines():
            name, *ticks = line.split()
            if name in self._cores:
                busy += sum(int(ticks[place]) for place in (_USER, _NICE, _SYSTEM, _STEAL))
        ours = sum(cpu_seconds_with_ended(tree(root)) for root in self._roots)
        return busy / _TICKS - ours

    def since(self) -> float:
        """Return the CPU seconds of others since the last look, zero or more."""
        before, self._before = self._before, self._seconds()
        return max(0.0, self._before - before)


def warning(what: str, parts: Sequence[float]) -> list[str]:
    """Return a line if others took too much during some of the turns.

    Args:
        parts: Of a core, in each turn.
    """
    disturbed = [part for part in parts if part > TOO_MUCH]
    if not disturbed:
        return []
    turns = f"{len(disturbed)} of {len(parts)} turns"
    return [f"{what}: others used up to {max(disturbed):.0%} of a core in {turns}: the machine was not ours alone."]
