"""Whether memory grows with the number of requests: ``python -m tests.benchmarks.memory``.

Worker gets and puts take turns on every connection, one request in ten with a token not seen before. The report has
the resident memory of the serving process, which is without pages of files in its second column: SQLite maps its file.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.benchmarks.dataset import Dataset
from tests.benchmarks.filling import fill_ours
from tests.benchmarks.foreign import warning
from tests.benchmarks.jobs import Job
from tests.benchmarks.operations import MIXED
from tests.benchmarks.places import EMBEDDED, database
from tests.benchmarks.ratio import spread
from tests.benchmarks.stages import SERVERS, kinds, say, stages
from tests.benchmarks.surroundings import environment, heading
from tests.benchmarks.turns import Stage, next_seed
from tests.databases import NAMES


@dataclass(frozen=True)
class _Point:
    """The memory after so many requests, in MiB.

    Args:
        anonymous: Without pages of files.
        foreign: CPU time of others since the last point, by the time that went by.
    """

    requests: int
    resident: float
    anonymous: float
    per_second: float
    foreign: float


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.memory", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--database", choices=kinds(), default=EMBEDDED)
    add("--server", choices=SERVERS, default=SERVERS[0])
    add("--loop", choices=("uvloop", "asyncio"), default="uvloop", help="the event loop of the app")
    add("--requests", type=int, default=2_000_000)
    add("--warm-up", type=int, default=200_000, help="requests before the first look")
    add("--step", type=int, default=100_000, help="requests from one look to the next")
    add("--connections", type=int, default=64)
    return parser


def _measure(stage: Stage, options: argparse.Namespace) -> list[_Point]:
    """Return the memory after the warm-up, and after every step."""
    dataset = Dataset()
    with database(stage.kind, stage.host.directory) as url:
        say(f"{stage.kind}: filling")
        fill_ours(url, dataset)
        variables = {"STATEMOUNT_DATABASE_URL": url, "STATEMOUNT_JWT_SECRET": stage.issuer.secret}
        with stage.host.serving("statemount.asgi:app", variables) as app:
            job = Job(MIXED.name, dataset, stage.issuer, app.port, options.connections, 1.0, 0)
            points: list[_Point] = []
            while not points or points[-1].requests < options.requests:
                count = options.step if points else options.warm_up
                turn, told = stage.turn(app, replace(job, seed=next_seed(), requests=count))
                done = points[-1].requests + told.answers if points else 0
                points.append(_Point(done, turn.rss_mebibytes, app.anonymous_mebibytes, turn.per_second, turn.foreign))
                say(f"{done:,} requests: {turn.rss_mebibytes:.1f} MiB, {points[-1].anonymous:.1f} without files")
            return points


def _report(stage: Stage, points: Sequence[_Point], seconds: float) -> list[str]:
    first, *others = points
    resident, anonymous = ([getattr(point, name) for point in points] for name in ("resident", "anonymous"))
    lines = [
        f"## {NAMES[stage.kind]} on {stage.host.server}",
        "",
        "| | RSS, MiB | without pages of files, MiB |",
        "|---|--:|--:|",
        f"| after the warm-up | {first.resident:.1f} | {first.anonymous:.1f} |",
        f"| after {points[-1].requests:,} more requests | {resident[-1]:.1f} | {anonymous[-1]:.1f} |",
        f"| growth | {resident[-1] - resident[0]:.1f} | {anonymous[-1] - anonymous[0]:.1f} |",
        f"| all looks: median (smallest to largest) | {spread(resident, '.1f')} | {spread(anonymous, '.1f')} |",
        "",
        f"{spread([point.per_second for point in others])} requests/s; {seconds:.0f} s in all.",
        "",
        "| requests | RSS, MiB | without pages of files, MiB |",
        "|--:|--:|--:|",
        *(f"| {point.requests:,} | {point.resident:.1f} | {point.anonymous:.1f} |" for point in points),
        "",
    ]
    return [*lines, *(f"- {text}" for text in warning("requests", [point.foreign for point in points]))]


def main() -> None:
    """Run the command."""
    options = _parser().parse_args()
    lines = heading("Memory", environment(vars(options)))
    with stages([options.database], [options.server], options.loop) as given:
        for stage in given:
            began = time.perf_counter()
            lines += _report(stage, _measure(stage, options), time.perf_counter() - began)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
