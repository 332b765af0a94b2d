"""What every benchmark command sets up: cores, the load generator, and one kind of database after the other."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from tests.benchmarks.generator import generator_process
from tests.benchmarks.places import EMBEDDED, on_core, server_processes
from tests.benchmarks.serving import Host
from tests.benchmarks.tokens import Issuer
from tests.benchmarks.turns import Stage
from tests.databases import requested_urls

SERVERS = ("granian", "uvicorn")
_APP_CORE, _OTHERS_CORE = 0, 1


def kinds() -> tuple[str, ...]:
    """Return the kinds of database that the environment names, and SQLite."""
    return tuple(dict.fromkeys([EMBEDDED, *(kind for kind in requested_urls() if kind != "memory")]))


def some_of(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """Return what reads an option that names several of these, separated by commas."""

    def read(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        if unknown := set(names) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(known)}")
        return names

    return read


@contextmanager
def stages(chosen: Sequence[str], servers: Sequence[str], loop: str) -> Iterator[Iterator[Stage]]:
    """Give one stage after the other: for each kind of database, one for each server.

    A process that is told to stop ends the apps and drops the databases, as one that is interrupted does.

    Args:
        loop: ``uvloop`` or ``asyncio``.
    """
    signal.signal(signal.SIGTERM, _exit)
    everywhere = os.sched_getaffinity(0)
    has_cores = {_APP_CORE, _OTHERS_CORE} <= everywhere
    app_core, others_core = (_APP_CORE, _OTHERS_CORE) if has_cores else (None, None)
    cores = (_APP_CORE, _OTHERS_CORE) if has_cores else sorted(everywhere)
    if others_core is not None:
        os.sched_setaffinity(0, {others_core})
    issuer = Issuer(secrets.token_hex(32), int(time.time()) - 60)
    with TemporaryDirectory(prefix="statemount-benchmarks-") as directory, generator_process(others_core) as generator:

        def each() -> Generator[Stage, None, None]:
            for kind in chosen:
                with on_core(kind, others_core) as is_pinned:
                    for server in servers:
                        host = Host(server, loop, app_core, Path(directory))
                        yield Stage(kind, host, generator, issuer, is_pinned, server_processes(kind), cores)

        given = each()
        try:
            yield given
        finally:
            given.close()
            os.sched_setaffinity(0, everywhere)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def say(text: str) -> None:
    """Tell how far a command is."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
