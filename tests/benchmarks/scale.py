"""Whether much state slows anything down: ``python -m tests.benchmarks.scale``.

Two copies of our app take turns, one over few entries and one over many, with equally many in each scope; the report
has the ratios of neighbouring turns. Workers' tokens are of task instances drawn from all; lists are of any scope. Each
operation is measured once with as many task instances at work as the small database has, so that nothing but the
amount of state differs, and once with more of them (``--active``), as much state comes with many tasks.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.benchmarks.dataset import Dataset
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

_FEW, _MANY = "few", "many"
_OPERATIONS = ("get", "put", "list")


@dataclass(frozen=True)
class _Row:
    """What an operation showed, by size of the database, one turn after the other."""

    operation: str
    active: int
    turns: Mapping[str, Sequence[Turn]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = tuple(kind for kind in kinds() if kind != "mysql")
    add = parser.add_argument
    add("--databases", type=some_of(kinds()), default=known, help=f"of {', '.join(kinds())}")
    add("--server", choices=SERVERS, default=SERVERS[0])
    add("--loop", choices=("uvloop", "asyncio"), default="uvloop", help="the event loop of the apps")
    add("--operations", type=some_of(_OPERATIONS), default=_OPERATIONS, help=f"of {', '.join(_OPERATIONS)}")
    add("--entries", type=int, default=5_000_000, help="in the large database")
    add("--scopes", type=int, default=1_000_000, help="in the large database")
    add("--few", type=int, default=1000, help="entries in the small database")
    add("--active", type=int, default=10_000, help="task instances at work in the large database; 0 = as in the small")
    add("--pairs", type=int, default=3, help="turns of each")
    add("--seconds", type=float, default=5.0, help="of a turn")
    add("--warm-up", type=float, default=3.0, help="seconds of load on each before the first turn")
    add("--connections", type=int, default=64)
    return parser


@contextmanager
def _served(stage: Stage, datasets: Mapping[str, Dataset]) -> Iterator[dict[str, ServedApp]]:
    with ExitStack() as stack:
        apps = {}
        for name, dataset in datasets.items():
            url = stack.enter_context(database(stage.kind, stage.host.directory))
            say(f"{stage.kind}: filling, {dataset.entries:,} entries in {dataset.tasks:,} scopes")
            fill_tasks(url, dataset)
            variables = {"STATEMOUNT_DATABASE_URL": url, "STATEMOUNT_JWT_SECRET": stage.issuer.secret}
            apps[name] = stack.enter_context(stage.host.serving("statemount.asgi:app", variables))
        yield apps


def _measure(
    stage: Stage,
    apps: Mapping[str, ServedApp],
    datasets: Mapping[str, Dataset],
    operation: str,
    options: argparse.Namespace,
) -> _Row:
    say(f"{stage.kind}: {operation}, {datasets[_MANY].active_tasks:,} task instances at work")
    jobs: dict[str, Job] = {}
    for name, app in apps.items():
        job = Job(operation, datasets[name], stage.issuer, app.port, options.connections, options.seconds, next_seed())
        _, told = stage.turn(app, again(job, seconds=options.warm_up))
        jobs[name] = prepared_for(job, told)
    turns: dict[str, list[Turn]] = {name: [] for name in apps}
    for _, name in itertools.product(range(options.pairs), apps):
        turns[name].append(stage.turn(apps[name], again(jobs[name]))[0])
    return _Row(operation, datasets[_MANY].active_tasks, turns)


def _report(stage: Stage, rows: Sequence[_Row]) -> list[str]:
    columns = (
        *("operation", "task instances at work", "requests/s, few", "requests/s, many", "throughput, many to few"),
        *("CPU µs/request, few", "CPU µs/request, many"),
    )
    lines = [
        f"## {NAMES[stage.kind]} on {stage.host.server}",
        "",
        f"| {' | '.join(columns)} |",
        f"|---|{'--:|' * (len(columns) - 1)}",
    ]
    warnings = []
    for row in rows:
        few, many = row.turns[_FEW], row.turns[_MANY]
        ratio = Ratio.of([turn.per_second for turn in many], [turn.per_second for turn in few])
        figures = [spread([turn.per_second for turn in turns]) for turns in (few, many)]
        cpu = [spread([turn.cpu_microseconds for turn in turns]) for turns in (few, many)]
        lines.append(f"| {row.operation} | {row.active:,} | {' | '.join(figures)} | {ratio} | {' | '.join(cpu)} |")
        warnings += warning(f"{row.operation}, {row.active:,} at work", [turn.foreign for turn in (*few, *many)])
    return [*lines, "", *(f"- {text}" for text in warnings), ""]


def main() -> None:
    """Run the command."""
    options = _parser().parse_args()
    keys = options.entries // options.scopes
    small = Dataset.uniform(options.few // keys, keys)
    lines = heading("Scale", environment(vars(options)))
    with stages(options.databases, [options.server], options.loop) as given:
        for stage in given:
            rows = []
            large = [Dataset.uniform(options.scopes, keys, active=small.tasks)]
            if options.active:
                large.append(Dataset.uniform(options.scopes, keys, active=options.active))
            with _served(stage, {_FEW: small, _MANY: large[0]}) as apps:
                for dataset, operation in itertools.product(large, options.operations):
                    if operation == "list" and dataset is not large[0]:
                        continue  # it is of any scope, whoever is at work
                    rows.append(_measure(stage, apps, {_FEW: small, _MANY: dataset}, operation, options))
            lines += _report(stage, rows)
    lines.append("Median of all turns, with the smallest and the largest; ratios are of neighbouring turns.")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
