"""Starlette."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    BaseUser,
    SimpleUser,
)
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router, WebSocketRoute
from starlette.websockets import WebSocket

from statemount import Identity, StateMiddleware
from statemount.mount import HostLifespan
from tests.hosts.world import HOSTS, NESTED, PAGE, User, Wishes, make_states


class Bearer(AuthenticationBackend):
    """Knows the host's users."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        user = User.of(conn.headers.get("authorization"))
        return None if user is None else (AuthCredentials(["authenticated"]), SimpleUser(user.name))


def identify(connection: HTTPConnection) -> Identity | None:
    """Tell who is calling by what Starlette's authentication has found."""
    if not connection.user.is_authenticated:
        return None
    user = User.named(connection.user.display_name)
    return None if user is None else user.identity


async def hello(request: Request) -> Response:
    """Answer for the host."""
    return PlainTextResponse("hello")


async def greeting(request: Request) -> Response:
    """Answer with what the lifespan has prepared."""
    return JSONResponse({"greeting": request.state.greeting})


async def echo(request: Request) -> Response:
    """Return the body."""
    return Response(await request.body(), media_type="application/octet-stream")


async def me(request: Request) -> Response:
    """Return the user's name."""
    if not request.user.is_authenticated:
        raise HTTPException(401)
    return JSONResponse({"user": request.user.display_name})


async def socket(websocket: WebSocket) -> None:
    """Return one text."""
    await websocket.accept()
    await websocket.send_text(f"echo: {await websocket.receive_text()}")
    await websocket.close()


ROUTES: list[BaseRoute] = [
    Route("/hello", hello),
    Route("/statement", hello),
    Route("/greeting", greeting),
    Route("/echo", echo, methods=["POST"]),
    Route("/me", me),
    WebSocketRoute("/socket", socket),
]
MIDDLEWARE = [
    Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS),
    Middleware(CORSMiddleware, allow_origins=[PAGE], allow_methods=["*"], allow_headers=["authorization"]),
    Middleware(GZipMiddleware, minimum_size=500),
    Middleware(AuthenticationMiddleware, backend=Bearer()),
]


def mounted(wishes: Wishes) -> Starlette:
    """Mount the state by routes, start and stop it by the lifespan."""
    states = make_states(wishes, identify)

    @asynccontextmanager
    async def host_lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
        wishes.diary.note("host started")
        yield {"greeting": "prepared"}
        wishes.diary.note("host stopped")

    lifespan: HostLifespan = host_lifespan
    for state in set(states.values()):
        lifespan = state.lifespan_with(lifespan)
    outer, inner, last = NESTED.split("/")[1:]
    nested = Mount(f"/{outer}", Router([Mount(f"/{inner}", routes=[states[NESTED].route(f"/{last}")])]))
    own = [state.route(prefix) for prefix, state in states.items() if prefix != NESTED]
    return Starlette(routes=[*ROUTES, *own, nested], middleware=MIDDLEWARE, lifespan=lifespan)


def wrapped(wishes: Wishes) -> Starlette:
    """Put the state around the host's routes, inside its other middleware."""
    states = make_states(wishes, identify)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
        wishes.diary.note("host started")
        yield {"greeting": "prepared"}
        wishes.diary.note("host stopped")

    own = [Middleware(StateMiddleware, state=state, prefix=prefix) for prefix, state in states.items()]
    return Starlette(routes=ROUTES, middleware=[*MIDDLEWARE, *own], lifespan=lifespan)
