"""One turn of an app: load on it, and what the app, the machine and the generator show meanwhile."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.benchmarks.foreign import ForeignLoad
from tests.benchmarks.generator import GeneratorProcess
from tests.benchmarks.jobs import Job, Told
from tests.benchmarks.processes import flushes
from tests.benchmarks.serving import Host, ServedApp
from tests.benchmarks.tokens import Issuer

_HEADROOM = 1.5
_LEAST = 2000
_seeds = itertools.count(1)


@dataclass(frozen=True)
class Turn:
    """What one turn of an app showed.

    Args:
        cpu_microseconds: CPU time of the app's processes for one request.
        app_busy: CPU time of the app's processes by the time that went by.
        generator_busy: The same of the generator.
        flushes: Flush requests/s that the disk completed, everybody's.
        rss_mebibytes: At the end.
        foreign: CPU time of others on the cores in use by the time that went by.
    """

    per_second: float
    cpu_microseconds: float
    app_busy: float
    generator_busy: float
    flushes: float
    rss_mebibytes: float
    foreign: float


@dataclass(frozen=True)
class Stage:
    """Where turns are taken: how apps are served, what makes load, and which database server there is.

    Args:
        kind: Of database.
        is_pinned: Whether the database server is on its core.
        roots: The database server's process, if it is known.
        cores: Those that are used.
    """

    kind: str
    host: Host
    generator: GeneratorProcess
    issuer: Issuer
    is_pinned: bool
    roots: Sequence[int]
    cores: Sequence[int]

    def turn(self, app: ServedApp, job: Job) -> tuple[Turn, Told]:
        """Let an app have its turn.

        Raises:
            VoidRunError: It says nothing.
        """
        foreign = ForeignLoad(self.cores, self.roots)
        before: list[float] = []

        def look() -> None:
            foreign.since()
            before[:] = [app.cpu_seconds, flushes(self.host.directory)]

        told = self.generator.run(job, look)
        cpu, flushed = app.cpu_seconds - before[0], flushes(self.host.directory) - before[1]
        turn = Turn(
            told.per_second,
            cpu * 1_000_000 / told.answers,
            cpu / told.seconds,
            told.busy,
            flushed / told.seconds,
            app.rss_mebibytes,
            foreign.since() / told.seconds,
        )
        return turn, told


def next_seed() -> int:
    """Return a seed unlike that of every other job."""
    return next(_seeds)


def again(job: Job, *, seconds: float | None = None, rate: float | None = None) -> Job:
    """Return the like of a job, with tokens that were not seen before."""
    return replace(job, seed=next_seed(), seconds=seconds or job.seconds, rate=rate)


def prepared_for(job: Job, told: Told) -> Job:
    """Return the job with requests for somewhat more than an app was found to answer."""
    return replace(job, most=max(_LEAST, int(told.per_second * _HEADROOM)))
