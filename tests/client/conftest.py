"""The app that the client is tested with, on every kind of database, and each way to ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from statemount.mount import StateMount
from tests.client.support import AUTH, SOCKETS, WAYS, Way, World, running


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Return how the client asks."""
    found: Way = request.param
    return found


@pytest.fixture(params=SOCKETS)
def socket_way(request: pytest.FixtureRequest) -> Way:
    """Return how the client asks, where it takes a socket."""
    found: Way = request.param
    return found


@pytest.fixture
async def world(way: Way) -> AsyncIterator[World]:
    """Return a running app in memory."""
    async with running(StateMount("memory://", auth=AUTH), way) as found:
        yield found


@pytest.fixture
async def stored_world(way: Way, backend_url: str | None) -> AsyncIterator[World]:
    """Return a running app on a store of every kind in turn."""
    async with running(StateMount(backend_url or "memory://", auth=AUTH), way) as found:
        yield found


@pytest.fixture
async def socket_world(socket_way: Way) -> AsyncIterator[World]:
    """Return a running app in memory, on a socket, so that a rival may reach it from a thread."""
    async with running(StateMount("memory://", auth=AUTH), socket_way) as found:
        yield found
