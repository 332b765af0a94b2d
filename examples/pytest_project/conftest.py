"""What all tests share: the application, with the state of statemount's fixtures mounted in it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from orders_app import create_app

from statemount import JWTAuth, StateMount


@pytest.fixture
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio."""
    return "asyncio"


@pytest.fixture
def app(statemount_state: StateMount, statemount_auth: JWTAuth) -> FastAPI:
    """Return the application under test."""
    return create_app(statemount_state, statemount_auth)


@pytest.fixture
def statemount_app(app: FastAPI) -> FastAPI:
    """Have workers go through the application, as they do in production."""
    return app


@pytest.fixture
def statemount_prefix() -> str:
    """Say where in the application the state is."""
    return "/state"


@pytest.fixture
async def browser(app: FastAPI, anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    """Return what asks the application's own routes."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
        yield client
