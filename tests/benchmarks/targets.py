"""Whether the app is as fast as it is meant to be: ``python -m tests.benchmarks.targets``, within a quarter of an hour.

It makes the turns of ``python -m tests.benchmarks`` that the project's targets speak of, and no others, and prints how
far each target is met, before the figures themselves. Databases are those that the environment names. Nothing else
should run on the machine.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks.dataset import Dataset
from tests.benchmarks.measuring import BASELINE, OURS, PLAIN, Bench, Load, Measured, bench
from tests.benchmarks.ratio import Ratio
from tests.benchmarks.report import Section, as_json, markdown, ratios
from tests.benchmarks.stages import kinds, say, some_of, stages
from tests.benchmarks.surroundings import environment
from tests.databases import NAMES

SERVERS = {"sqlite": ("granian", "uvicorn"), "postgresql": ("granian",), "mysql": ("granian",)}

THROUGHPUT, CPU, PLAIN_APP, P99, ADDED, MANY = (
    "throughput to baseline",
    "CPU per request to baseline",
    "throughput to plain app",
    "p99 to baseline",
    "milliseconds added to baseline",
    "throughput to that with 64 connections",
)


@dataclass(frozen=True)
class Target:
    """What is asked of one ratio of a report.

    Args:
        ratio: Its name in the report.
        at_least: The least that it may be; None = there is none.
        at_most: The most that it may be; None = there is none.
    """

    operation: str
    connections: int
    ratio: str
    at_least: float | None = None
    at_most: float | None = None

    def is_met(self, found: Ratio) -> bool:
        """Tell whether the median is within the bounds."""
        return (self.at_least or 0) <= found.median <= (self.at_most or float("inf"))

    @property
    def wanted(self) -> str:
        """The bounds, for people."""
        return f">= {self.at_least}" if self.at_most is None else f"<= {self.at_most}"


_SQLITE = (
    Target("get", 64, THROUGHPUT, at_least=0.70),
    Target("put", 64, THROUGHPUT, at_least=0.50),
    Target("list", 64, THROUGHPUT, at_least=0.25),
    Target("get", 64, P99, at_most=3.0),
    Target("put", 64, P99, at_most=3.0),
    Target("get", 64, PLAIN_APP, at_least=10),
    Target("put", 64, PLAIN_APP, at_least=10),
    Target("get", 1, ADDED, at_most=0.15),
    Target("get", 512, MANY, at_least=0.8),
    Target("put", 512, MANY, at_least=0.8),
)
TARGETS: dict[str, tuple[Target, ...]] = {
    "sqlite": _SQLITE,
    "postgresql": (
        Target("get", 64, CPU, at_most=1.8),
        Target("put", 64, CPU, at_most=2.5),
        Target("list", 64, CPU, at_most=3.0),
        Target("get", 64, PLAIN_APP, at_least=3),
        Target("put", 64, PLAIN_APP, at_least=3),
        Target("get", 1, ADDED, at_most=0.5),
    ),
    "mysql": (
        Target("get", 64, CPU, at_most=2.5),
        Target("put", 64, CPU, at_most=3.5),
        Target("list", 64, CPU, at_most=4.0),
    ),
}
"""By kind of database."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.targets", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = tuple(kind for kind in kinds() if kind in TARGETS)
    add = parser.add_argument
    add("--databases", type=some_of(known), default=known, help=f"of {', '.join(known)}")
    add("--pairs", type=int, default=3, help="turns of every app")
    add("--seconds", type=float, default=5.0, help="of a turn")
    add("--warm-up", type=float, default=3.0, help="seconds of load on every app before the first turn")
    add("--json", type=Path, metavar="FILE", help="keep every figure in a file")
    return parser


def _measured(made: Bench, targets: Sequence[Target], options: argparse.Namespace) -> Iterator[Measured]:
    """Take the turns that the targets need, once each."""
    asked: dict[tuple[str, int], list[str]] = {}
    for target in targets:
        asked.setdefault((target.operation, target.connections), []).append(target.ratio)
    for (operation, connections), names in asked.items():
        say(f"{made.stage.kind}, {made.stage.host.server}: {operation}, {connections} connections")
        apps = [OURS, *([] if names == [MANY] else [BASELINE]), *([PLAIN] if PLAIN_APP in names else [])]
        latency_seconds = options.seconds if P99 in names else 0
        load = Load(options.pairs, options.seconds, options.warm_up, connections, latency_seconds=latency_seconds)
        with_apps = replace(made, apps=tuple(apps))
        yield with_apps.measure(operation, load)


def _verdicts(section: Section, targets: Sequence[Target]) -> Iterator[str]:
    found = {(each.operation, each.connections): ratios(each, section) for each in section.measured}
    for target in targets:
        ratio = found[target.operation, target.connections][target.ratio]
        cells = [
            f"{NAMES[section.database]} on {section.server}",
            target.operation,
            str(target.connections),
            target.ratio,
            target.wanted,
            str(ratio),
            "met" if target.is_met(ratio) else "not met",
        ]
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    """Run the command."""
    options = _parser().parse_args()
    sections: list[Section] = []
    lines = [
        "| where | operation | connections | what | wanted | found | |",
        "|---|---|--:|---|--:|--:|---|",
    ]
    for kind in options.databases:
        with ExitStack() as stack:
            given = stack.enter_context(stages([kind], SERVERS[kind], "uvloop"))
            for stage in given:
                first = stage.host.server == SERVERS[kind][0]
                targets = [target for target in TARGETS[kind] if first or target.ratio != PLAIN_APP]
                apps = (OURS, BASELINE, PLAIN) if first and kind != "mysql" else (OURS, BASELINE)
                say(f"{kind}, {stage.host.server}: filling")
                with bench(stage, dataset=Dataset(), apps=apps, variables={}) as made:
                    section = Section(kind, stage.host.server, list(_measured(made, targets, options)), stage.is_pinned)
                sections.append(section)
                lines += _verdicts(section, targets)
    surroundings = environment(vars(options))
    print("\n".join([*lines, "", markdown(surroundings, sections)]))
    if options.json:
        options.json.write_text(json.dumps(as_json(surroundings, sections), indent=1) + "\n")


if __name__ == "__main__":
    main()
