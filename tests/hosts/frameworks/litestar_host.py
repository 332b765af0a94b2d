"""Litestar."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Router, WebSocket, asgi, get, post, websocket
from litestar.config.allowed_hosts import AllowedHostsConfig
from litestar.config.compression import CompressionConfig
from litestar.config.cors import CORSConfig
from litestar.connection import ASGIConnection
from litestar.enums import MediaType
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import ASGIRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult, DefineMiddleware
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from starlette.requests import HTTPConnection

from statemount import Identity, StateMount
from tests.hosts.world import HOSTS, MAIN, NESTED, PAGE, User, Wishes, make_states


class Bearer(AbstractAuthenticationMiddleware):
    """Knows the host's users."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        return AuthenticationResult(user=User.of(connection.headers.get("authorization")), auth=None)


def identify(connection: HTTPConnection) -> Identity | None:
    """Tell who is calling by what Litestar's authentication has found."""
    user: User | None = connection.scope["user"]
    return None if user is None else user.identity


@get(["/hello", "/statement"], media_type=MediaType.TEXT)
async def hello() -> str:
    """Answer for the host."""
    return "hello"


@get("/greeting")
async def greeting(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Answer with what the lifespan has prepared."""
    return {"greeting": request.app.state.greeting}


@post("/echo", status_code=200, media_type="application/octet-stream")
async def echo(request: Request[Any, Any, Any]) -> bytes:
    """Return the body."""
    return await request.body()


@get("/me")
async def me(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Return the user's name."""
    if request.user is None:
        raise NotAuthorizedException
    return {"user": request.user.name}


@websocket("/socket")
async def socket(socket: WebSocket[Any, Any, Any]) -> None:
    """Return one text."""
    await socket.accept()
    await socket.send_text(f"echo: {await socket.receive_text()}")
    await socket.close()


class WithState(JsonRenderPlugin):
    """Renders the document of the host with our operations in it."""

    def __init__(self, state: StateMount, prefix: str) -> None:
        super().__init__(path="/openapi.json")
        self._state = state
        self._prefix = prefix

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return super().render(request, self._state.openapi_into(openapi_schema, self._prefix))


def handler(state: StateMount, path: str, prefix: str) -> ASGIRouteHandler:
    """Return a handler that mounts a state.

    Args:
        path: What the handler is given.
        prefix: With those of the routers around it.
    """
    app = state.below(prefix)

    @asgi(path, is_mount=True, copy_scope=True)
    async def mounted_state(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return mounted_state


def mounted(wishes: Wishes) -> Litestar:
    """Mount the state by handlers, start and stop it by the lifespan."""
    states = make_states(wishes, identify)

    @asynccontextmanager
    async def host_lifespan(app: Litestar) -> AsyncIterator[None]:
        wishes.diary.note("host started")
        app.state.greeting = "prepared"
        yield
        wishes.diary.note("host stopped")

    own = [handler(state, prefix, prefix) for prefix, state in states.items() if prefix != NESTED]
    outer, inner, last = NESTED.split("/")[1:]
    inside = Router(f"/{inner}", route_handlers=[handler(states[NESTED], f"/{last}", NESTED)])
    nested = Router(f"/{outer}", route_handlers=[inside])
    return Litestar(
        [hello, greeting, echo, me, socket, *own, nested],
        lifespan=[*(state.lifespan for state in set(states.values())), host_lifespan],
        middleware=[DefineMiddleware(Bearer)],
        cors_config=CORSConfig(allow_origins=[PAGE], allow_headers=["authorization"]),
        compression_config=CompressionConfig(backend="gzip", minimum_size=500),
        openapi_config=OpenAPIConfig("Host", "1", path="/", render_plugins=[WithState(states[MAIN], MAIN)]),
        allowed_hosts=AllowedHostsConfig(allowed_hosts=HOSTS),
    )
