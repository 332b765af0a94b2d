"""Whether ``statemount clean`` holds requests up: ``python -m tests.benchmarks.cleaning``.

Gets arrive at a constant rate, first with nothing else going on, then while a second process removes expired entries.
The app's own sweeper is off, so that it does not do the work first. The second process runs where the system puts it:
on the core of the app or on that of the load generator.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from statemount.database.schema import TableNames
from tests.benchmarks.bulk import value
from tests.benchmarks.cleaner import cleaning
from tests.benchmarks.dataset import Dataset
from tests.benchmarks.foreign import warning
from tests.benchmarks.jobs import Job, Latencies
from tests.benchmarks.masses import add_expired, fill_tasks
from tests.benchmarks.places import database
from tests.benchmarks.ratio import Ratio, spread
from tests.benchmarks.serving import ServedApp
from tests.benchmarks.stages import SERVERS, kinds, say, some_of, stages
from tests.benchmarks.surroundings import environment, heading
from tests.benchmarks.turns import Stage, Turn, again, next_seed
from tests.databases import NAMES

_EXPIRED_KEYS = 5


@dataclass(frozen=True)
class _Seen:
    """What was seen before and while entries were removed.

    Args:
        seconds: How long it took, or went on before it was broken off.
        removed: Entries.
        expired: Entries that there were to be removed.
        cpu_seconds: CPU time of the process that removed them.
    """

    idle: Sequence[tuple[Turn, Latencies]]
    busy: Sequence[tuple[Turn, Latencies]]
    seconds: float
    removed: int
    expired: int
    cpu_seconds: float


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.cleaning", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = tuple(kind for kind in kinds() if kind != "mysql")
    add = parser.add_argument
    add("--databases", type=some_of(kinds()), default=known, help=f"of {', '.join(kinds())}")
    add("--server", choices=SERVERS, default=SERVERS[0])
    add("--loop", choices=("uvloop", "asyncio"), default="uvloop", help="the event loop of the app")
    add("--expired", type=int, default=1_000_000, help="entries that are removed")
    add("--tasks", type=int, default=10_000, help="task instances with five entries each that are asked for")
    add("--rate", type=float, default=2000.0, help="gets/s")
    add("--turns", type=int, default=3, help="before anything is removed")
    add("--seconds", type=float, default=5.0, help="of a turn")
    add("--longest", type=float, default=240.0, help="seconds after which the removal is broken off")
    add("--connections", type=int, default=64)
    return parser


def _expired(url: str) -> int:
    now = time.time_ns() // 1000
    return int(value(url, f"SELECT count(*) FROM {TableNames().entry} WHERE expires_at <= {now}"))


def _measure(stage: Stage, options: argparse.Namespace) -> _Seen:
    dataset = Dataset.uniform(options.tasks, _EXPIRED_KEYS)
    with database(stage.kind, stage.host.directory) as url:
        say(f"{stage.kind}: filling")
        fill_tasks(url, dataset)
        add_expired(url, dataset, options.expired, _EXPIRED_KEYS)
        variables = {
            "STATEMOUNT_DATABASE_URL": url,
            "STATEMOUNT_JWT_SECRET": stage.issuer.secret,
            "STATEMOUNT_SWEEP_INTERVAL_SECONDS": "0",
        }
        with stage.host.serving("statemount.asgi:app", variables) as app:
            job = Job("get", dataset, stage.issuer, app.port, options.connections, options.seconds, next_seed())
            stage.turn(app, again(job, rate=options.rate))
            say(f"{stage.kind}: idle")
            idle = [_turn(stage, app, job, options.rate) for _ in range(options.turns)]
            before = _expired(url)
            say(f"{stage.kind}: {before:,} expired entries are removed")
            busy: list[tuple[Turn, Latencies]] = []
            with cleaning(url, stage.host.directory, stage.cores) as cleaner:
                while cleaner.is_at_work() and cleaner.seconds < options.longest:
                    turn = _turn(stage, app, job, options.rate)
                    if cleaner.is_at_work() or not busy:
                        busy.append(turn)
                seconds = cleaner.seconds
                cleaner.stop()
            return _Seen(idle, busy, seconds, before - _expired(url), before, cleaner.cpu_seconds)


def _turn(stage: Stage, app: ServedApp, job: Job, rate: float) -> tuple[Turn, Latencies]:
    turn, told = stage.turn(app, again(job, rate=rate))
    assert told.latencies is not None
    return turn, told.latencies


def _report(stage: Stage, seen: _Seen, options: argparse.Namespace) -> list[str]:
    removal = (
        f"{seen.removed:,} of {seen.expired:,} expired entries were removed in {seen.seconds:.1f} s,"
        f" {seen.removed / seen.seconds:,.0f}/s, with {1_000_000 * seen.cpu_seconds / max(1, seen.removed):.0f} µs of"
        f" the removing process's CPU time each; meanwhile {options.rate:,.0f} gets/s arrived."
    )
    lines = [
        f"## {NAMES[stage.kind]} on {stage.host.server}",
        "",
        removal,
        "",
        "| gets | turns | p50 ms | p99 ms | p99.9 ms | longest ms | app busy |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, turns in (("idle", seen.idle), ("during the removal", seen.busy)):
        figures = [
            spread([getattr(latencies, field) for _, latencies in turns], ".2f")
            for field in ("p50", "p99", "p99_9", "longest")
        ]
        busy = spread([turn.app_busy for turn, _ in turns], ".0%")
        lines.append(f"| {name} | {len(turns)} | {' | '.join(figures)} | {busy} |")
    idle = median(latencies.p99 for _, latencies in seen.idle)
    ratio = Ratio.of([latencies.p99 for _, latencies in seen.busy], [idle] * len(seen.busy))
    lines += ["", f"p99 during the removal to the median p99 of the idle turns: {ratio}", ""]
    return [*lines, *(f"- {text}" for text in warning("gets", [turn.foreign for turn, _ in (*seen.idle, *seen.busy)]))]


def main() -> None:
    """Run the command."""
    options = _parser().parse_args()
    lines = heading("Cleaning", environment(vars(options)))
    with stages(options.databases, [options.server], options.loop) as given:
        for stage in given:
            lines += [*_report(stage, _measure(stage, options), options), ""]
    lines.append(
        "Median of the turns, with the smallest and the largest. Latencies are counted from when a get was due."
    )
    print("\n".join(lines))


if __name__ == "__main__":
    main()
