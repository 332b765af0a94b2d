"""How fast the app is, beside the server itself and beside what one would write instead.

``python -m tests.benchmarks`` measures every operation on every server and database that the environment names (see
``tests/databases.py``), and prints requests/s, latencies, CPU time, memory and flushes as Markdown; ``--json FILE``
keeps every figure. It takes hours; a short look is::

    python -m tests.benchmarks --databases sqlite --servers granian --operations get,put --pairs 2 --seconds 3

Four apps take turns, on one worker each, with the same server, flags, event loop and answers:

- ``ours``, with the settings that it is shipped with;
- ``baseline``: a Starlette app with one route;
- ``plain``: what one would write instead, with FastAPI, `databases` and PyJWT;
- ``raw``: an ASGI function.

Apps run on core 0; the load generator and the database servers on core 1. A wrong answer ends everything. Nothing else
should run on the machine.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.benchmarks.dataset import Dataset
from tests.benchmarks.measuring import APPS, OURS, Bench, Load, bench
from tests.benchmarks.operations import OPERATIONS
from tests.benchmarks.report import Section, as_json, markdown
from tests.benchmarks.stages import SERVERS, kinds, say, some_of, stages
from tests.benchmarks.surroundings import environment
from tests.benchmarks.turns import Stage


def _parser() -> argparse.ArgumentParser:
    load, known = Load(), kinds()
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--databases", type=some_of(known), default=known, help=f"of {', '.join(known)}")
    add("--servers", type=some_of(SERVERS), default=SERVERS, help=f"of {', '.join(SERVERS)}")
    add("--operations", type=some_of(tuple(OPERATIONS)), default=tuple(OPERATIONS), help=f"of {', '.join(OPERATIONS)}")
    add("--apps", type=some_of(APPS), default=APPS, help=f"of {', '.join(APPS)}; ours is always measured")
    add("--loop", choices=("uvloop", "asyncio"), default="uvloop", help="the event loop of every app")
    add("--pairs", type=int, default=load.pairs, help="turns of every app")
    add("--seconds", type=float, default=load.seconds, help="of a turn at full speed")
    add("--warm-up", type=float, default=load.warm_up, help="seconds of load on every app before the first turn")
    add("--connections", type=_numbers, default=(load.connections,), help="as many; several, as in 64,512, one by one")
    add("--rate", type=float, help="requests/s for latencies; by default half of what our app reaches")
    add("--latency-seconds", type=float, help="of a turn at that rate; by default as at full speed, 0 = none")
    add("--value-bytes", type=int, default=200, help="of each stored text")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="an environment variable for our app")
    add("--json", type=Path, metavar="FILE", help="keep every figure in a file")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _load(options: argparse.Namespace, connections: int) -> Load:
    seconds: float | None = options.latency_seconds
    return Load(
        pairs=options.pairs,
        seconds=options.seconds,
        warm_up=options.warm_up,
        connections=connections,
        rate=options.rate,
        latency_seconds=options.seconds if seconds is None else seconds,
    )


@contextmanager
def _benches(options: argparse.Namespace) -> Iterator[Iterator[Bench]]:
    """Give one bench after the other."""
    apps = tuple(app for app in APPS if app == OURS or app in options.apps)
    variables = dict(pair.split("=", 1) for pair in options.set)
    dataset = Dataset(value_bytes=options.value_bytes)

    def each(given: Iterator[Stage]) -> Generator[Bench, None, None]:
        for stage in given:
            say(f"{stage.kind}, {stage.host.server}: filling")
            with bench(stage, dataset=dataset, apps=apps, variables=variables) as made:
                yield made

    with stages(options.databases, options.servers, options.loop) as given:
        benches = each(given)
        with closing(benches):
            yield benches


def main() -> None:
    """Run the command."""
    options = _parser().parse_args()
    sections: list[Section] = []
    with _benches(options) as benches:
        for made in benches:
            kind, server = made.stage.kind, made.stage.host.server
            measured = []
            for operation in options.operations:
                for connections in options.connections:
                    say(f"{kind}, {server}: {operation}, {connections} connections")
                    measured.append(made.measure(operation, _load(options, connections)))
            sections.append(Section(kind, server, measured, made.stage.is_pinned))
    surroundings = environment(vars(options))
    print(markdown(surroundings, sections))
    if options.json:
        options.json.write_text(json.dumps(as_json(surroundings, sections), indent=1) + "\n")


if __name__ == "__main__":
    main()
