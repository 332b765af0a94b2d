"""The app alone, configured by environment variables, and hosts behind real servers."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from statemount.asgi import EnvironmentApp
from statemount.collector import survivors
from statemount.errors import ConfigurationError
from statemount.web.middleware import StateMiddleware
from tests.life.support import KEY, SECRET, WORKER, HostStore, Lifespan, client_of, make_state, round_trip

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Give the garbage collector back as it was: an app that is there alone in its process changes how it works."""
    threshold = gc.get_threshold()
    yield
    survivors.end()
    gc.set_threshold(*threshold)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set the environment variables of an app in memory."""
    monkeypatch.setenv("STATEMOUNT_DATABASE_URL", "memory://")
    monkeypatch.setenv("STATEMOUNT_DIRECTORY", "claims")
    monkeypatch.setenv("STATEMOUNT_JWT_SECRET", SECRET)
    return monkeypatch


@pytest.mark.usefixtures("environment")
async def test_the_environment_configures_the_app() -> None:
    """``statemount.asgi:app`` serves what the environment says, with a lifespan and without."""
    app = EnvironmentApp()
    await round_trip(app)
    lifespan = Lifespan(app)
    await lifespan.startup()
    async with client_of(app) as client:
        assert (await client.get(KEY)).json() == {"value": 1}
    await lifespan.shutdown()
    assert lifespan.answers == ["startup.complete", "shutdown.complete"]


async def test_a_bad_environment_fails_the_startup_in_one_sentence(environment: pytest.MonkeyPatch) -> None:
    """The server is told which variable is wrong; without a lifespan the first request raises it."""
    environment.setenv("STATEMOUNT_PORT", "http")
    app = EnvironmentApp()
    lifespan = Lifespan(app)
    await lifespan.startup()
    assert lifespan.answers[0].startswith("startup.failed: STATEMOUNT_PORT: ")
    with pytest.raises(ConfigurationError, match="STATEMOUNT_PORT"):
        await round_trip(app)
    environment.setenv("STATEMOUNT_PORT", "1234")
    await round_trip(app)


async def test_an_environment_without_a_key_fails_the_startup(environment: pytest.MonkeyPatch) -> None:
    """Served alone, an app that could let nobody in does not start."""
    environment.delenv("STATEMOUNT_JWT_SECRET")
    lifespan = Lifespan(EnvironmentApp())
    await lifespan.startup()
    assert lifespan.answers == [
        "startup.failed: nothing says how callers are authenticated: set STATEMOUNT_JWT_SECRET",
    ]


def test_importing_it_reads_and_opens_nothing(environment: pytest.MonkeyPatch) -> None:
    """The import works with whatever environment; only the first call reads it."""
    environment.setenv("STATEMOUNT_PORT", "http")
    environment.delitem(sys.modules, "statemount.asgi")
    assert callable(importlib.import_module("statemount.asgi").app)


@asynccontextmanager
async def served(app: Any, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an app by uvicorn on this event loop."""
    config = uvicorn.Config(app, port=0, lifespan="on", ws="none", log_config=None, **options)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done()
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=WORKER) as client:
        yield client
    server.should_exit = True
    await running


async def check(client: httpx.AsyncClient, prefix: str) -> None:
    """Write and read a key below a prefix."""
    assert (await client.put(prefix + KEY, json={"value": 1})).status_code == 204
    assert (await client.get(prefix + KEY)).json() == {"value": 1}
    assert (await client.get(prefix + KEY.replace("/key", "/a%2Fb"))).status_code == 404


@pytest.mark.parametrize("root_path", ["", "/proxy", "/state", "/execution"])
async def test_a_server_behind_a_proxy_that_takes_a_prefix_off(root_path: str) -> None:
    """With uvicorn's --root-path each way in works, also where the mount's path equals the proxy's prefix."""
    diary: list[str] = []
    state = make_state(store=lambda: HostStore(diary))
    mounted = Starlette(routes=[Mount("/state", state)], lifespan=state.lifespan)
    wrapped = StateMiddleware(Starlette(), state=state, prefix="/state")
    for app, prefix in ((state, ""), (mounted, "/state"), (wrapped, "/state")):
        async with served(app, root_path=root_path) as client:
            await check(client, prefix)
    assert diary == ["opened", "closed"] * 3


async def test_a_server_does_not_start_with_a_wrong_configuration(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server ends with our sentence in its log."""
    for name in ("uvicorn", "uvicorn.error"):  # as they are before a server of another test has set them up
        for attribute, value in (("propagate", True), ("disabled", False), ("level", logging.NOTSET)):
            monkeypatch.setattr(logging.getLogger(name), attribute, value)
    state = make_state(store=HostStore([], [ConfigurationError("the schema is missing")]))
    server = uvicorn.Server(uvicorn.Config(state, port=0, ws="none", log_config=None))
    with suppress(SystemExit):  # newer versions leave by it
        await server.serve()
    assert not server.started
    assert "the schema is missing" in caplog.text
