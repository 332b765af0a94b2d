"""Databases for one run of the benchmarks: made, filled, pinned to a core, and dropped at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.benchmarks.bulk import value
from tests.benchmarks.processes import pinned, tree
from tests.databases import requested_urls, server_of

EMBEDDED = "sqlite"


def server_url(kind: str) -> str:
    """Return where databases of a kind are made.

    Raises:
        KeyError: The environment does not name a server of this kind: see ``tests/databases.py``.
    """
    return "sqlite://" if kind == EMBEDDED else requested_urls()[kind]


@contextmanager
def database(kind: str, directory: Path) -> Iterator[str]:
    """Make an empty database and drop it at the end of the block.

    Args:
        directory: For SQLite's file.
    """
    server = server_of(kind, server_url(kind))
    url = server.create(directory)
    try:
        yield url
    finally:
        server.drop(url)


def plain_url(url: str) -> str:
    """Return a database's URL as `databases` takes it."""
    return url.replace("mysql://", "mysql+asyncmy://", 1)


@contextmanager
def on_core(kind: str, core: int | None) -> Iterator[bool]:
    """Keep a database server on a core until the end of the block; tell whether that is so.

    It is not for a server on another machine or of another user; an embedded database has no process.
    """
    with ExitStack() as stack:
        is_pinned = False
        if kind != EMBEDDED and core is not None:
            try:
                stack.enter_context(pinned(tree(_server_pid(kind)), core))
                is_pinned = True
            except (OSError, ValueError):
                is_pinned = False
        yield is_pinned


def server_processes(kind: str) -> list[int]:
    """Return the process that a database server descends from; none if that is not to be known."""
    if kind == EMBEDDED:
        return []
    try:
        return [_server_pid(kind)]
    except (OSError, ValueError):
        return []


def _server_pid(kind: str) -> int:
    if kind == "postgresql":
        data_directory = value(server_url(kind), "SHOW data_directory")
        return int((Path(data_directory) / "postmaster.pid").read_text().splitlines()[0])
    return int(Path(value(server_url(kind), "SELECT @@pid_file")).read_text())
