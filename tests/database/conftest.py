"""Databases of the servers alone, for what an embedded database has no counterpart of."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.database.support import outsider
from tests.databases import Databases, requested_urls, run_apart

SERVERS = ("postgresql", "mysql")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once on every server that the run is asked to use."""
    if "server_kind" in metafunc.fixturenames:
        metafunc.parametrize("server_kind", [kind for kind in SERVERS if kind in requested_urls()], scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of servers in a run that is asked for none; its last lines say so."""
    if not set(SERVERS) & set(requested_urls()):
        left_out = [item for item in items if "server_kind" in getattr(item, "fixturenames", ())]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def server_url(server_kind: str, databases: Databases) -> str:
    """Return the URL of a server's database with all tables and no rows, of every server in turn."""
    return databases.clean(server_kind)


@pytest.fixture(scope="session")
def scratch(databases: Databases) -> Callable[[str], str]:
    """Return what gives the URL of a database in which tests may make the tables ``t`` and ``u``: neither is there."""
    urls: dict[str, str] = {}

    async def clean(url: str) -> None:
        async with outsider(url) as other:
            for table in ("u", "t"):
                await other.run(f"DROP TABLE IF EXISTS {table}")

    def give(kind: str) -> str:
        if kind == "sqlite":
            return databases.empty(kind)
        if kind not in urls:
            urls[kind] = databases.empty(kind)
        run_apart(lambda: clean(urls[kind]))
        return urls[kind]

    return give


@pytest.fixture
def scratch_url(database_kind: str, scratch: Callable[[str], str]) -> str:
    """Return the URL of a database without tables ``t`` and ``u``, of every kind in turn."""
    return scratch(database_kind)


@pytest.fixture
def server_scratch_url(server_kind: str, scratch: Callable[[str], str]) -> str:
    """Return the URL of a server's database without tables ``t`` and ``u``, of every server in turn."""
    return scratch(server_kind)
