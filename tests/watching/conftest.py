"""A store of each kind that the run is asked for, and a database whose processes can be heard."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from statemount.interfaces import Store
from tests.clock import FakeClock
from tests.databases import Databases, requested_urls
from tests.watching.support import open_store

_HEARD = "postgresql"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of PostgreSQL in a run that is not asked for it; its last lines say so."""
    if _HEARD not in requested_urls():
        left_out = [item for item in items if "heard_url" in getattr(item, "fixturenames", ())]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def heard_url(databases: Databases) -> str:
    """Return the URL of a database of the one kind on which processes hear each other."""
    return databases.clean(_HEARD)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that is moved by hand."""
    return FakeClock()


@pytest.fixture
async def store(backend_url: str | None, clock: FakeClock) -> AsyncIterator[Store]:
    """Return an open, empty store, of every kind in turn."""
    async with open_store(backend_url, clock) as opened:
        yield opened
