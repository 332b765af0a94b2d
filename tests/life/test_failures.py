"""Errors that nobody expects, seen from outside the host app."""

from __future__ import annotations

import logging

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount
from typing_extensions import override

from statemount.clock import system_clock
from statemount.errors import UnavailableError
from statemount.model import Entry, Scope
from statemount.store.memory import MemoryStore
from tests.life.support import KEY, client_of, make_state, round_trip

pytestmark = pytest.mark.anyio


class FaultyStore(MemoryStore):
    """A host's own store with a fault: its first read fails."""

    def __init__(self, error: Exception) -> None:
        super().__init__(clock=system_clock)
        self._errors = [error]

    @override
    async def read(self, scope: Scope, key: str) -> Entry | None:
        if self._errors:
            raise self._errors.pop()
        return await super().read(scope, key)


async def test_an_unexpected_exception_is_our_500_inside_the_hosts_middleware(caplog: pytest.LogCaptureFixture) -> None:
    """A fault in a host's store is a 500 without internals, with the host's CORS headers, logged with its traceback."""
    state = make_state(store=FaultyStore(ZeroDivisionError("internal detail")))
    cors = Middleware(CORSMiddleware, allow_origins=["https://ui.example"])
    host = Starlette(routes=[Mount("/state", state)], middleware=[cors])
    async with client_of(host) as client:
        response = await client.get("/state" + KEY, headers={"origin": "https://ui.example"})
    assert response.status_code == 500
    assert response.json() == {"detail": "Internal Server Error"}
    assert response.headers["access-control-allow-origin"] == "https://ui.example"
    logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.exc_info is not None for record in logged] == [True]
    assert "internal detail" in caplog.text
    assert "Traceback" in caplog.text
    await round_trip(host, "/state")
    await state.stop()


async def test_a_database_that_goes_away_is_a_503() -> None:
    """A store that cannot answer now is a 503 with Retry-After; the next request works."""
    state = make_state(store=FaultyStore(UnavailableError("gone", retry_after=3)))
    async with client_of(state) as client:
        response = await client.get(KEY)
        assert (response.status_code, response.headers["retry-after"]) == (503, "3")
    await round_trip(state)
    await state.stop()


async def test_without_authentication_every_request_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """An app that was not told how to authenticate serves nobody, and its log says what is missing."""
    state = make_state(auth=None)
    async with client_of(state) as client:
        assert (await client.get(KEY)).status_code == 503
        assert (await client.get("/ready")).status_code == 200
    assert "nothing says how callers are authenticated" in caplog.text
    await state.stop()
