"""The app on every store that the run is asked to use, and another one beside it on the same database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from statemount.mount import StateMount
from tests.contract.world import StillClock, make_state
from tests.databases import Databases


@pytest.fixture(scope="module")
def clock() -> StillClock:
    """Return the clock of every part."""
    return StillClock()


@pytest.fixture(scope="module")
def url(backend_kind: str, databases: Databases) -> str | None:
    """Return the URL of a database, or None for memory, of every kind in turn."""
    return None if backend_kind == "memory" else databases.clean(backend_kind)


@pytest.fixture(scope="module")
async def state(url: str | None, clock: StillClock) -> AsyncIterator[StateMount]:
    """Return a running app."""
    app = make_state(url, clock)
    async with app.lifespan():
        yield app


@pytest.fixture(scope="module")
async def rival(state: StateMount, url: str | None, clock: StillClock) -> AsyncIterator[StateMount]:
    """Return another app on the same database, with connections of its own; in memory there is only one."""
    if url is None:
        yield state
        return
    app = make_state(url, clock)
    async with app.lifespan():
        yield app
