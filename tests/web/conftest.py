"""A running app in memory, with something registered."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from statemount.mount import StateMount
from tests.contract.world import Place, StillClock, make_state


@pytest.fixture
def clock() -> StillClock:
    """Return the clock of every part."""
    return StillClock()


@pytest.fixture
async def state(clock: StillClock) -> AsyncIterator[StateMount]:
    """Return a running app."""
    app = make_state(None, clock)
    async with app.lifespan():
        yield app


@pytest.fixture
async def place(state: StateMount, clock: StillClock) -> Place:
    """Return a task instance and assets of that app."""
    return await Place.make(state, clock)
