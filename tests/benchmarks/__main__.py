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
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.dataset import Dataset
from tests.benchmarks.generator import generator_process
from tests.benchmarks.measuring import APPS, OURS, Bench, Load, bench
from tests.benchmarks.operations import OPERATIONS
from tests.benchmarks.places import EMBEDDED, on_core
from tests.benchmarks.report import Section, as_json, environment, markdown
from tests.benchmarks.serving import Host
from tests.benchmarks.tokens import Issuer
from tests.databases import requested_urls

_SERVERS = ("granian", "uvicorn")
_APP_CORE, _OTHERS_CORE = 0, 1


def _some_of(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        if unknown := set(names) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(known)}")
        return names

    return read


def _parser() -> argparse.ArgumentParser:
    kinds = tuple(dict.fromkeys([EMBEDDED, *(kind for kind in requested_urls() if kind != "memory")]))
    load = Load()
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--databases", type=_some_of(kinds), default=kinds, help=f"of {', '.join(kinds)}")
    add("--servers", type=_some_of(_SERVERS), default=_SERVERS, help=f"of {', '.join(_SERVERS)}")
    add("--operations", type=_some_of(tuple(OPERATIONS)), default=tuple(OPERATIONS), help=f"of {', '.join(OPERATIONS)}")
    add("--apps", type=_some_of(APPS), default=APPS, help=f"of {', '.join(APPS)}; ours is always measured")
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
def _benches(options: argparse.Namespace) -> Iterator[Iterator[tuple[str, str, bool, Bench]]]:
    """Give one bench after the other: database, server, whether the database server is on its core."""
    apps = tuple(app for app in APPS if app == OURS or app in options.apps)
    variables = dict(pair.split("=", 1) for pair in options.set)
    issuer = Issuer(secrets.token_hex(32), int(time.time()) - 60)
    dataset = Dataset(value_bytes=options.value_bytes)
    has_cores = {_APP_CORE, _OTHERS_CORE} <= os.sched_getaffinity(0)
    app_core, others_core = (_APP_CORE, _OTHERS_CORE) if has_cores else (None, None)
    if others_core is not None:
        os.sched_setaffinity(0, {others_core})

    def each(generator_stack: ExitStack, directory: Path) -> Iterator[tuple[str, str, bool, Bench]]:
        generator = generator_stack.enter_context(generator_process(others_core))
        for kind in options.databases:
            with on_core(kind, others_core) as is_pinned:
                for server in options.servers:
                    _say(f"{kind}, {server}: filling")
                    host = Host(server, options.loop, app_core, directory)
                    with bench(kind, host, generator, issuer, dataset=dataset, apps=apps, variables=variables) as made:
                        yield kind, server, is_pinned, made

    with TemporaryDirectory(prefix="statemount-benchmarks-") as directory, ExitStack() as stack:
        yield each(stack, Path(directory))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Run the command."""
    options = _parser().parse_args()
    sections: list[Section] = []
    with _benches(options) as benches:
        for kind, server, is_pinned, made in benches:
            measured = []
            for operation in options.operations:
                for connections in options.connections:
                    _say(f"{kind}, {server}: {operation}, {connections} connections")
                    measured.append(made.measure(operation, _load(options, connections)))
            sections.append(Section(kind, server, measured, is_pinned))
    surroundings = environment({name: str(value) for name, value in vars(options).items()})
    print(markdown(surroundings, sections))
    if options.json:
        options.json.write_text(json.dumps(as_json(surroundings, sections), indent=1) + "\n")


if __name__ == "__main__":
    main()
