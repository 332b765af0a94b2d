"""A store of each kind that the run is asked for, and what follows its logs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from statemount.interfaces import Store
from tests.clock import FakeClock
from tests.watching.support import open_store


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that is moved by hand."""
    return FakeClock()


@pytest.fixture
async def store(backend_url: str | None, clock: FakeClock) -> AsyncIterator[Store]:
    """Return an open, empty store, of every kind in turn."""
    async with open_store(backend_url, clock) as opened:
        yield opened
