"""The app under test, on every kind of store that the run is asked to use."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from statemount.mount import StateMount
from tests.contract.world import Places, StillClock, make_state
from tests.databases import Databases


@pytest.fixture(scope="module")
def clock() -> StillClock:
    """Return the clock of every part."""
    return StillClock()


@pytest.fixture(scope="module")
async def state(backend_kind: str, databases: Databases, clock: StillClock) -> AsyncIterator[StateMount]:
    """Return a running app with nothing registered."""
    app = make_state(None if backend_kind == "memory" else databases.clean(backend_kind), clock)
    async with app.lifespan():
        yield app


@pytest.fixture(scope="module")
def places(state: StateMount, clock: StillClock) -> Places:
    """Return the places of rows."""
    return Places(state, clock)
