"""The middleware: what is under the prefix is ours, everything else is the host's."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from statemount.errors import ConfigurationError
from statemount.web.middleware import StateMiddleware
from tests.life.support import KEY, HostStore, Lifespan, TestClient, client_of, make_state, round_trip

pytestmark = pytest.mark.anyio


def show(request: Request) -> PlainTextResponse:
    """Answer for the host."""
    return PlainTextResponse(f"host: {request.url.path}")


async def echo(websocket: WebSocket) -> None:
    """Talk for the host."""
    await websocket.accept()
    await websocket.send_text(websocket.url.path)
    await websocket.close()


ROUTES = [WebSocketRoute("/{path:path}", echo), Route("/{path:path}", show)]


async def plain_host(scope: Any, receive: Any, send: Any) -> None:
    """A host in plain ASGI that knows nothing but HTTP."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"host: " + scope["path"].encode()})


async def test_it_goes_around_any_asgi_app() -> None:
    """A host in plain ASGI without a lifespan gets the routes, and nobody needs to start anything."""
    app = StateMiddleware(plain_host, state=make_state(), prefix="/state")
    await round_trip(app, "/state")
    async with client_of(app) as client:
        assert (await client.get("/other")).text == "host: /other"


async def test_it_is_added_to_starlette_and_fastapi() -> None:
    """Both ways in which frameworks take a middleware work."""
    state = make_state()
    added = FastAPI()
    added.add_middleware(StateMiddleware, state=state, prefix="/state")
    await round_trip(added, "/state")
    await round_trip(Starlette(middleware=[Middleware(StateMiddleware, state=state)]), "/state")


@pytest.mark.parametrize("path", ["/", "/stat", "/states", "/statement/execution", "/x/state/execution", "//state/x"])
async def test_what_is_beside_the_prefix_is_the_hosts(path: str) -> None:
    """Only the prefix itself and what is below it is ours, not what merely begins alike."""
    async with client_of(StateMiddleware(Starlette(routes=ROUTES), state=make_state())) as client:
        assert (await client.get(f"http://host{path}")).text == f"host: {path}"


@pytest.mark.parametrize("path", ["/state", "/state/", "/state/nothing", "/state/execution"])
async def test_what_is_under_the_prefix_is_ours(path: str) -> None:
    """An unknown path under the prefix is our 404, and no redirect."""
    async with client_of(StateMiddleware(Starlette(routes=ROUTES), state=make_state())) as client:
        response = await client.get(path)
    assert (response.status_code, response.json()) == (404, {"detail": "Not Found"})


def test_websockets_are_the_hosts() -> None:
    """A websocket goes to the host, under the prefix too."""
    client = TestClient(StateMiddleware(Starlette(routes=ROUTES), state=make_state()))
    for path in ("/socket", "/state/socket"):
        with client.websocket_connect(path) as socket:
            assert socket.receive_text() == path


@pytest.mark.parametrize("root_path", ["/proxy", "/state", "/state/state", "/a/b"])
async def test_it_stands_behind_the_hosts_root_path(root_path: str) -> None:
    """With the root path in the path, as ASGI has it, the prefix is looked for behind it, even if both are equal."""
    app = StateMiddleware(Starlette(routes=ROUTES), state=make_state(), prefix="/state")
    await round_trip(app, f"{root_path}/state", root_path=root_path)
    async with client_of(app, root_path=root_path) as client:
        assert (await client.get(f"{root_path}/other")).text == f"host: {root_path}/other"


async def test_it_stands_behind_a_root_path_that_is_left_out_of_the_path() -> None:
    """Some servers name a root path and leave it out of the path."""
    app = StateMiddleware(Starlette(routes=ROUTES), state=make_state(), prefix="/state")
    await round_trip(app, "/state", root_path="/proxy")


async def test_it_goes_around_a_mounted_app() -> None:
    """Below a mount, the prefix is looked for behind the mount's own path."""
    inner = StateMiddleware(Starlette(routes=ROUTES), state=make_state(), prefix="/state")
    await round_trip(Starlette(routes=[Mount("/state", inner), Mount("/deep/er", inner)]), "/state/state")
    await round_trip(Starlette(routes=[Mount("/deep/er", inner)]), "/deep/er/state")


async def test_a_prefix_may_have_several_segments() -> None:
    """The prefix is any path, and the encoded path may spell it differently."""
    app = StateMiddleware(plain_host, state=make_state(), prefix="/my/task state")
    await round_trip(app, "/my/task%20state")


@pytest.mark.parametrize("prefix", ["", "/", "state", "/state/"])
def test_a_prefix_that_could_not_match_is_refused(prefix: str) -> None:
    """A prefix begins with a slash and does not end with one."""
    with pytest.raises(ConfigurationError, match="prefix"):
        StateMiddleware(plain_host, state=make_state(), prefix=prefix)


async def test_a_middleware_within_a_middleware() -> None:
    """Two apps around one host, under two prefixes, do not see each other's entries."""
    first, second = make_state(), make_state()
    app = StateMiddleware(StateMiddleware(plain_host, state=first, prefix="/a"), state=second, prefix="/b")
    await round_trip(app, "/a")
    async with client_of(app) as client:
        assert (await client.get("/b" + KEY)).status_code == 404
    await round_trip(app, "/b")


async def test_without_a_prefix_it_only_starts_and_stops() -> None:
    """With no prefix every request is the host's, and the state follows the host's life all the same."""
    diary: list[str] = []
    state = make_state(store=HostStore(diary))
    app = StateMiddleware(Starlette(routes=[*ROUTES]), state=state, prefix=None)
    lifespan = Lifespan(app)
    await lifespan.startup()
    async with client_of(app) as client:
        assert (await client.get("/state/execution")).text == "host: /state/execution"
    assert diary == ["opened"]
    await lifespan.shutdown()
    assert diary == ["opened", "closed"]
