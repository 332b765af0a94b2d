"""Fixtures for every test: the event loop, and a clean database of each kind that the run is asked to use."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.databases import EXAMPLES, NAMES, VARIABLE, Databases, requested_urls, run_apart, server_of, untested

# How long an example takes says more about the machine than about the code.
settings.register_profile("statemount", deadline=None)
settings.load_profile("statemount")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio."""
    return "asyncio"


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse to begin while a database that the run is asked to use cannot be reached."""
    try:
        urls = requested_urls()
    except ValueError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
    for kind, url in urls.items():
        try:
            server_of(kind, url).check()
        except Exception as error:
            pytest.exit(f"{NAMES[kind]} at {url} cannot be reached: {error!r}", returncode=pytest.ExitCode.USAGE_ERROR)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once on every kind of database that it can use and that the run is asked to use."""
    kinds = list(requested_urls())
    if "database_kind" in metafunc.fixturenames:
        metafunc.parametrize("database_kind", [kind for kind in kinds if kind != "memory"], scope="session")
    if "backend_kind" in metafunc.fixturenames:
        metafunc.parametrize("backend_kind", kinds, scope="session")


# What is about databases runs on each of them. What only has one below it runs on the embedded ones, and on one server.
_ON_EVERY_SERVER = ("database", "directory", "life", "processes", "service", "store", "watching")
_SERVERS = ("postgresql", "mysql")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave a test to one of two servers, always the same one, if it is not about databases."""
    if not set(_SERVERS) <= set(requested_urls()):
        return
    others = set(filter(_is_for_another_server, items))
    config.hook.pytest_deselected(items=list(others))
    items[:] = [item for item in items if item not in others]


def _is_for_another_server(item: pytest.Item) -> bool:
    directory = item.path.relative_to(Path(__file__).parent).parts[0]
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    kind = parameters.get("database_kind", parameters.get("backend_kind"))
    if directory in _ON_EVERY_SERVER or kind not in _SERVERS:
        return False
    name = item.nodeid.replace(kind, "")
    return _SERVERS[zlib.crc32(name.encode()) % len(_SERVERS)] != kind


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Return what makes this session's databases, and remove them at its end."""
    made = Databases(tmp_path_factory.mktemp("databases"), _migrate)
    yield made
    made.drop_all()


@pytest.fixture
def database_url(database_kind: str, databases: Databases) -> str:
    """Return the URL of a database with all tables and no rows, of every kind in turn."""
    return databases.clean(database_kind)


@pytest.fixture
def empty_database_url(database_kind: str, databases: Databases) -> str:
    """Return the URL of a new database with no tables at all, of every kind in turn."""
    return databases.empty(database_kind)


@pytest.fixture
def backend_url(backend_kind: str, databases: Databases) -> str | None:
    """Return what :func:`database_url` does, and None in the turn of the memory store."""
    return None if backend_kind == "memory" else databases.clean(backend_kind)


def _migrate(url: str) -> None:
    from statemount.database.migrations import upgrade

    run_apart(lambda: upgrade(url))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what was not tested, and how to add it."""
    if kinds := untested():
        terminalreporter.section("not tested")
        every = " ".join(requested_urls().get(kind, example) for kind, example in EXAMPLES.items())
        terminalreporter.line(f"This run did not use {' and '.join(NAMES[kind] for kind in kinds)}.")
        terminalreporter.line("To add what is missing, name a role that may create databases on each server:")
        terminalreporter.line(f"    export {VARIABLE}='{every}'")
