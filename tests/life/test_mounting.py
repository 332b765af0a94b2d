"""The app mounted in a host app, and under whatever path it is reached."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount, Router
from starlette.websockets import WebSocketDisconnect

from tests.life.support import KEY, TASK, TestClient, client_of, make_state, round_trip

pytestmark = pytest.mark.anyio


async def test_mounted_in_starlette_and_fastapi() -> None:
    """A mount is all that a host needs: the first request starts the app."""
    state = make_state()
    await round_trip(Starlette(routes=[Mount("/state", state)]), "/state")
    fastapi = FastAPI()
    fastapi.mount("/state", state)
    await round_trip(fastapi, "/state")
    await round_trip(Starlette(routes=[Mount("/", state)]))


async def test_nested_mounts() -> None:
    """Mounts inside mounts, of the same name too, are all taken off the path."""
    state = make_state()
    for outer, inner in (("/a", "/b"), ("/state", "/state"), ("/execution", "/execution"), ("/a/{tenant}", "/state")):
        host = Starlette(routes=[Mount(outer, Router([Mount(inner, state)]))])
        await round_trip(host, outer.replace("{tenant}", "a%20b") + inner)


async def test_the_worker_routes_alone() -> None:
    """``state.execution`` mounts what is below ``/execution``, and nothing else."""
    state = make_state()
    host = Starlette(routes=[Mount("/workers", state.execution)])
    async with client_of(host) as client:
        assert (await client.put(f"/workers/store/ti/{TASK}/key", json={"value": 1})).status_code == 204
        assert (await client.get("/workers/health")).status_code == 404


@pytest.mark.parametrize("root_path", ["/proxy", "/state"])
async def test_behind_a_root_path(root_path: str) -> None:
    """With the root path in the path, as ASGI has it, a mount works below it, even if both are equal."""
    host = Starlette(routes=[Mount("/state", make_state())])
    await round_trip(host, f"{root_path}/state", root_path=root_path)


async def test_behind_a_root_path_that_is_left_out_of_the_path() -> None:
    """Some servers name a root path and leave it out of the path."""
    host = FastAPI()
    host.mount("/state", make_state())
    await round_trip(host, "/state", root_path="/proxy")


async def test_two_apps_in_one_process() -> None:
    """Two apps in one host keep their entries apart."""
    host = Starlette(routes=[Mount("/a", make_state()), Mount("/b", make_state())])
    await round_trip(host, "/a")
    async with client_of(host) as client:
        assert (await client.get("/b" + KEY)).status_code == 404
    await round_trip(host, "/b")


async def test_two_places_of_one_app() -> None:
    """One app under two paths serves the same entries."""
    state = make_state()
    host = Starlette(routes=[Mount("/a", state), Mount("/b", state)])
    await round_trip(host, "/a")
    async with client_of(host) as client:
        assert (await client.get("/b" + KEY)).json() == {"value": 1}


def test_a_websocket_is_refused() -> None:
    """A websocket that reaches the app is closed before it is open."""
    client = TestClient(Starlette(routes=[Mount("/state", make_state())]))
    with pytest.raises(WebSocketDisconnect):
        client.websocket_connect("/state" + KEY).__enter__()
