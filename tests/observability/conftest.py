"""A running app with metrics, on every kind of store that the run is asked to use."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from statemount.auth import JWTAuth
from statemount.mount import StateMount
from tests.contract.world import SECRET, Place, StillClock


@pytest.fixture
def clock() -> StillClock:
    """Return the clock of every part."""
    return StillClock()


@pytest.fixture
async def state(backend_url: str | None, clock: StillClock) -> AsyncIterator[StateMount]:
    """Return a running app that sweeps all the time."""
    app = StateMount(
        backend_url or "memory://",
        auth=JWTAuth(secret=SECRET, watchers=True, clock=clock),
        clock=clock,
        metrics=True,
        sweep_interval_seconds=0.01,
    )
    async with app.lifespan():
        yield app


@pytest.fixture
async def place(state: StateMount, clock: StillClock) -> Place:
    """Return a task instance and assets of that app."""
    return await Place.make(state, clock)
