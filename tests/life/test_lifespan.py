"""Start and stop around a host app's own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from statemount.errors import ConfigurationError, SchemaError, UnavailableError
from statemount.web.middleware import StateMiddleware
from tests.life.support import HostStore, Lifespan, TestClient, client_of, make_state, round_trip

pytestmark = pytest.mark.anyio


class PlainHost:
    """A host app in plain ASGI that notes its own lifespan.

    Args:
        fails_at: ``startup`` or ``shutdown``: where it says that it has failed.
        raises_at: ``begin``, ``startup``, ``running`` or ``shutdown``: where it raises.
        returns_at: Likewise: where it ends without a word.
    """

    def __init__(self, diary: list[str], *, fails_at: str = "", raises_at: str = "", returns_at: str = "") -> None:
        self.diary = diary
        self.fails_at = fails_at
        self.raises_at = raises_at
        self.returns_at = returns_at

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        for phase in ("begin", "startup", "running", "shutdown"):
            if phase in ("startup", "shutdown"):
                message = await receive()
                assert message["type"] == f"lifespan.{phase}"
                self.diary.append(f"host {phase}")
            if phase == self.raises_at:
                raise RuntimeError("the host refuses")
            if phase == self.returns_at:
                return
            if phase == self.fails_at:
                await send({"type": f"lifespan.{phase}.failed", "message": "the host cannot"})
                return
            if phase in ("startup", "shutdown"):
                await send({"type": f"lifespan.{phase}.complete"})


async def run_lifespan(host: PlainHost) -> None:
    """Start and stop a host app with the middleware around it; everybody writes into the host's diary."""
    state = make_state(store=HostStore(host.diary))
    lifespan = Lifespan(StateMiddleware(host, state=state), host.diary)
    await lifespan.startup()
    await lifespan.shutdown()


async def test_the_middleware_wraps_the_hosts_lifespan() -> None:
    """Ours starts before the host's startup and stops after its shutdown; the server is answered once for each."""
    diary: list[str] = []
    await run_lifespan(PlainHost(diary))
    assert diary == ["opened", "host startup", "startup.complete", "host shutdown", "closed", "shutdown.complete"]


@pytest.mark.parametrize("phase", ["begin", "startup"])
@pytest.mark.parametrize("how", ["raises_at", "returns_at"])
async def test_a_host_that_refuses_the_lifespan_is_left_out(phase: str, how: str) -> None:
    """Where the host raises or returns without an answer, ours runs all the same and is answered for."""
    diary: list[str] = []
    await run_lifespan(PlainHost(diary, **{how: phase}))
    assert [line for line in diary if not line.startswith("host")] == [
        "opened",
        "startup.complete",
        "closed",
        "shutdown.complete",
    ]


async def test_a_host_that_returns_before_the_shutdown_is_answered_for() -> None:
    """A host that ends after its startup leaves the shutdown to us."""
    diary: list[str] = []
    await run_lifespan(PlainHost(diary, returns_at="running"))
    assert diary == ["opened", "host startup", "startup.complete", "closed", "shutdown.complete"]


async def test_a_host_that_leaves_the_shutdown_unanswered_is_answered_for() -> None:
    """A host that hears of the shutdown and says nothing does not keep the server waiting."""
    diary: list[str] = []
    await run_lifespan(PlainHost(diary, returns_at="shutdown"))
    assert diary == ["opened", "host startup", "startup.complete", "host shutdown", "closed", "shutdown.complete"]


async def test_a_failed_startup_of_the_host_is_passed_on() -> None:
    """When the host says that it cannot start, so does the whole, and ours is stopped."""
    diary: list[str] = []
    lifespan = Lifespan(
        StateMiddleware(PlainHost(diary, fails_at="startup"), state=make_state(store=HostStore(diary))), diary
    )
    await lifespan.startup()
    assert diary == ["opened", "host startup", "closed", "startup.failed: the host cannot"]


async def test_a_failed_shutdown_of_the_host_is_passed_on() -> None:
    """When the host says that it could not shut down, so does the whole, and ours is stopped."""
    diary: list[str] = []
    await run_lifespan(PlainHost(diary, fails_at="shutdown"))
    assert diary[-2:] == ["closed", "shutdown.failed: the host cannot"]


@pytest.mark.parametrize("phase", ["running", "shutdown"])
async def test_an_exception_of_a_running_host_goes_to_the_server(phase: str) -> None:
    """What the host raises once it has started reaches the server, after ours was stopped."""
    diary: list[str] = []
    with pytest.raises(RuntimeError, match="the host refuses"):
        await run_lifespan(PlainHost(diary, raises_at=phase))
    assert diary[-1] == "closed"


async def test_a_cancelled_lifespan_stops_everything() -> None:
    """A server that cancels the lifespan instead of ending it leaves nothing open."""
    diary: list[str] = []
    lifespan = Lifespan(StateMiddleware(PlainHost(diary), state=make_state(store=HostStore(diary))))
    await lifespan.startup()
    lifespan.task.cancel()
    await asyncio.wait([lifespan.task])
    assert diary == ["opened", "host startup", "closed"]


async def test_a_wrong_configuration_fails_the_startup_in_one_sentence() -> None:
    """With a configuration that can never work the host is not started; the server gets the sentence."""
    diary: list[str] = []
    errors: list[Exception] = [
        SchemaError("the schema is missing: run it"),
        SchemaError("the schema is too old: run it"),
    ]
    state = make_state(store=HostStore([], errors))
    for app in (StateMiddleware(PlainHost(diary), state=state), state):
        await Lifespan(app, diary).startup()
    assert diary == [
        "startup.failed: the schema is missing: run it",
        "startup.failed: the schema is too old: run it",
    ]


@pytest.mark.parametrize("error", [UnavailableError("the database is down"), OSError("something else")])
async def test_everything_starts_while_the_database_is_down(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """A store that cannot be opened now is logged, and opened by the first request after that."""
    diary: list[str] = []
    store = HostStore(diary, [error])
    state = make_state(store=store)
    lifespan = Lifespan(state, diary)
    await lifespan.startup()
    assert diary == ["failed", "startup.complete"]
    assert "will try again" in caplog.text
    assert str(error) in caplog.text
    await round_trip(state)
    await lifespan.shutdown()
    assert diary == ["failed", "startup.complete", "opened", "closed", "shutdown.complete"]


async def test_requests_get_503_until_the_database_is_back() -> None:
    """Each request tries to start; 503 with Retry-After until one can, then all is well."""
    state = make_state(store=HostStore([], [UnavailableError("down", retry_after=7), UnavailableError("down")]))
    async with client_of(state) as client:
        response = await client.get("/ready")
        assert (response.status_code, response.headers["retry-after"]) == (503, "7")
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/ready")).status_code == 503
        assert (await client.get("/ready")).status_code == 200
    await state.stop()


async def test_a_lifespan_for_starlette() -> None:
    """``Starlette(lifespan=state.lifespan)`` starts and stops with the host."""
    diary: list[str] = []
    state = make_state(store=HostStore(diary))
    host = Starlette(routes=[Mount("/state", state)], lifespan=state.lifespan)
    lifespan = Lifespan(host, diary)
    await lifespan.startup()
    await round_trip(host, "/state")
    await lifespan.shutdown()
    assert diary == ["opened", "startup.complete", "closed", "shutdown.complete"]


async def test_a_lifespan_that_is_composed_with_the_hosts_own() -> None:
    """Ours goes around the host's; what the host's yields is in its requests' state, in process it finds us started."""
    diary: list[str] = []
    state = make_state(store=HostStore(diary))

    @asynccontextmanager
    async def own(app: Starlette) -> AsyncIterator[dict[str, str]]:
        await state.service.store.check()
        diary.append("host begins")
        yield {"name": "of the host"}
        await state.service.store.check()
        diary.append("host ends")

    def name(request: Request) -> JSONResponse:
        return JSONResponse(request.state.name)

    host = Starlette(routes=[Route("/name", name), Mount("/state", state)], lifespan=state.lifespan_with(own))
    with TestClient(host) as client:
        assert client.get("/name").json() == "of the host"
    assert diary == ["opened", "host begins", "host ends", "closed"]


async def test_a_configuration_error_in_a_hosts_lifespan_is_raised() -> None:
    """A host whose lifespan starts us does not start with a configuration that can never work."""
    state = make_state(store=HostStore([], [ConfigurationError("it cannot work")]))
    with pytest.raises(ConfigurationError, match="it cannot work"):
        await state.lifespan().__aenter__()


async def test_nothing_is_logged_in_a_good_life(caplog: pytest.LogCaptureFixture) -> None:
    """Start, requests and stop say nothing above debug level."""
    caplog.set_level(logging.INFO)
    state = make_state()
    lifespan = Lifespan(state)
    await lifespan.startup()
    await round_trip(state)
    await lifespan.shutdown()
    assert [record for record in caplog.records if record.name.startswith("statemount")] == []
