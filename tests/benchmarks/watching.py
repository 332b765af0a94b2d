"""What watches cost: ``python -m tests.benchmarks.watching``.

First what they cost those who write: puts at full speed, in turns with nobody watching and with a thousand watches of
the same process, which are of task instances that nobody writes to; each of one that is written to; or a hundred each
of ten that everybody writes to. Then what idle watches cost: memory and CPU time of the serving process with nobody
and with ten thousand, each of a task instance of its own.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.audience import Audience, Seats, audience_process
from tests.benchmarks.dataset import Dataset, active_tasks
from tests.benchmarks.foreign import warning
from tests.benchmarks.jobs import Job
from tests.benchmarks.masses import fill_tasks
from tests.benchmarks.places import database
from tests.benchmarks.ratio import Ratio, spread
from tests.benchmarks.serving import ServedApp
from tests.benchmarks.stages import SERVERS, kinds, say, some_of, stages
from tests.benchmarks.surroundings import environment, heading
from tests.benchmarks.turns import Stage, Turn, again, next_seed, prepared_for
from tests.databases import NAMES

_KEYS = 5
_CROWDED = 10
_SETTLE_SECONDS = 2.0


@dataclass(frozen=True)
class _Row:
    """What writers had with watches and without, in turns.

    Args:
        name: What is watched.
        without: One more than the others: each turn with watches is between two without.
        told: How many events everybody was told in each turn with watches.
    """

    name: str
    without: list[Turn]
    having: list[Turn]
    told: list[float]


@dataclass(frozen=True)
class _Idle:
    """What the serving process takes, with so many watches that are told nothing.

    Args:
        busy: CPU time by the time that went by.
    """

    watches: int
    mebibytes: float
    busy: float


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.watching", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--databases", type=some_of(kinds()), default=kinds(), help=f"of {', '.join(kinds())}")
    add("--server", choices=SERVERS, default=SERVERS[0])
    add("--loop", choices=("uvloop", "asyncio"), default="uvloop", help="the event loop of the app")
    add("--watches", type=int, default=1000, help="while others write")
    add("--idle", type=int, default=10_000, help="while nobody does; 0 = leave this out")
    add("--pairs", type=int, default=5, help="turns with watches; 0 = leave the writers out")
    add("--seconds", type=float, default=5.0, help="of a turn")
    add("--warm-up", type=float, default=2.0, help="seconds of the same load before each turn")
    add("--idle-seconds", type=float, default=30.0, help="of a look at idle watches: two heartbeats")
    add("--connections", type=int, default=64, help="of those who write")
    return parser


class _Bench:
    """One app on one database, with an audience."""

    def __init__(self, stage: Stage, app: ServedApp, audience: Audience, options: argparse.Namespace) -> None:
        self._stage = stage
        self._app = app
        self._audience = audience
        self._options = options

    def writers(self, name: str, dataset: Dataset, watched: Sequence[int]) -> _Row:
        """Let writers have their turns, without watches and with them.

        Args:
            watched: The task instance of each watch.
        """
        say(f"{self._stage.kind}: {len(watched):,} watches {name}")
        options = self._options
        job = Job("put", dataset, self._stage.issuer, self._app.port, options.connections, options.seconds, next_seed())
        _, told = self._stage.turn(self._app, job)
        job = prepared_for(job, told)
        row = _Row(name, [self._warm_turn(job)], [], [])
        for _ in range(options.pairs):
            self._sit(watched)
            row.having.append(self._warm_turn(job))
            time.sleep(_SETTLE_SECONDS)
            row.told.append(self._audience.told())
            self._audience.leave()
            time.sleep(_SETTLE_SECONDS)
            row.without.append(self._warm_turn(job))
        return row

    def _warm_turn(self, job: Job) -> Turn:
        """Let writers have a turn, once they have been at it for a while: what was saved up in peace is spent then."""
        if self._options.warm_up:
            self._stage.turn(self._app, again(job, seconds=self._options.warm_up))
        return self._stage.turn(self._app, again(job))[0]

    def idle(self, watched: Sequence[int]) -> list[_Idle]:
        """Look at the serving process while nobody writes, without watches and with them."""
        say(f"{self._stage.kind}: {len(watched):,} idle watches")
        looks = [self._look(0)]
        self._sit(watched)
        time.sleep(_SETTLE_SECONDS)
        looks += [self._look(len(watched)) for _ in range(2)]
        self._audience.leave()
        return looks

    def _sit(self, watched: Sequence[int]) -> None:
        self._audience.sit(Seats(self._stage.issuer, self._app.port, watched, next_seed()))
        self._audience.told()

    def _look(self, watches: int) -> _Idle:
        cpu, began = self._app.cpu_seconds, time.perf_counter()
        time.sleep(self._options.idle_seconds)
        busy = (self._app.cpu_seconds - cpu) / (time.perf_counter() - began)
        return _Idle(watches, self._app.anonymous_mebibytes, busy)


def _measure(stage: Stage, audience: Audience, options: argparse.Namespace) -> tuple[list[_Row], list[_Idle]]:
    tasks = max(2 * options.watches, options.idle)
    spread_out = Dataset.uniform(tasks, _KEYS, active=options.watches)
    crowded = Dataset.uniform(tasks, _KEYS, active=_CROWDED)
    with database(stage.kind, stage.host.directory) as url:
        say(f"{stage.kind}: filling")
        fill_tasks(url, spread_out)
        variables = {
            "STATEMOUNT_DATABASE_URL": url,
            "STATEMOUNT_JWT_SECRET": stage.issuer.secret,
            "STATEMOUNT_MAX_WATCHES": str(tasks),
            "STATEMOUNT_MAX_WATCHES_PER_IDENTITY": str(tasks),
        }
        with stage.host.serving("statemount.asgi:app", variables) as app:
            bench = _Bench(stage, app, audience, options)
            rows: list[_Row] = []
            if options.pairs:
                written = list(active_tasks(spread_out))
                others = sorted(set(range(tasks)).difference(written))[: options.watches]
                few = list(active_tasks(crowded))
                rows = [
                    bench.writers("of what nobody writes to", spread_out, others),
                    bench.writers("of what is written to, one each", spread_out, written),
                    bench.writers(f"of {_CROWDED} that all write to", crowded, few * (options.watches // _CROWDED)),
                ]
            return rows, bench.idle(range(options.idle)) if options.idle else []


def _report(stage: Stage, rows: Sequence[_Row], looks: Sequence[_Idle], options: argparse.Namespace) -> list[str]:
    lines = [f"## {NAMES[stage.kind]} on {stage.host.server}", ""]
    if rows:
        lines += [
            f"| {options.watches:,} watches | puts/s without | with | ratio | CPU µs/put | with | events told/s |",
            f"|---|{'--:|' * 6}",
        ]
    warnings = []
    for row in rows:
        without, having = ([turn.per_second for turn in turns] for turns in (row.without, row.having))
        cpu = [spread([turn.cpu_microseconds for turn in turns]) for turns in (row.without, row.having)]
        told = [count / (options.warm_up + options.seconds + _SETTLE_SECONDS) for count in row.told]
        neighbours = [(before + after) / 2 for before, after in itertools.pairwise(without)]
        figures = spread(without), spread(having), Ratio.of(having, neighbours), *cpu, spread(told)
        lines.append(f"| {row.name} | {' | '.join(map(str, figures))} |")
        warnings += warning(row.name, [turn.foreign for turn in (*row.without, *row.having)])
    if looks:
        lines += ["", "| idle watches | MiB without pages of files | KiB each | CPU |", "|--:|--:|--:|--:|"]
        for look in looks:
            each = (look.mebibytes - looks[0].mebibytes) * 1024 / look.watches if look.watches else 0.0
            lines.append(f"| {look.watches:,} | {look.mebibytes:.1f} | {each:.1f} | {look.busy:.1%} |")
    return [*lines, "", *(f"- {text}" for text in warnings), ""]


def main() -> None:
    """Run the command."""
    options = _parser().parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # each watch is a file for both sides
    lines = heading("Watching", environment(vars(options)))
    core = 1 if len(os.sched_getaffinity(0)) > 1 else None
    with stages(options.databases, [options.server], options.loop) as given, audience_process(core) as audience:
        for stage in given:
            rows, looks = _measure(stage, audience, options)
            lines += _report(stage, rows, looks, options)
    lines.append(
        "Median of all turns, with the smallest and the largest; ratios are to the mean of the turns before and after."
    )
    print("\n".join(lines))


if __name__ == "__main__":
    main()
