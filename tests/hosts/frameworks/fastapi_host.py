"""FastAPI: the same dependency says who is calling to its own routes and to the state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.requests import HTTPConnection
from fastapi.responses import PlainTextResponse

from statemount import Identity
from statemount.mount import HostLifespan
from tests.hosts.world import HOSTS, MAIN, NESTED, PAGE, User, Wishes, make_states


async def current_user(connection: HTTPConnection) -> User:
    """Return the user, as FastAPI's dependencies do."""
    user = User.of(connection.headers.get("authorization"))
    if user is None:
        raise HTTPException(401, "log in first")
    return user


async def identify(connection: HTTPConnection) -> Identity:
    """Ask the dependency; its 401 is understood."""
    return (await current_user(connection)).identity


def mounted(wishes: Wishes) -> FastAPI:
    """Mount the state by routes, start and stop it by the lifespan, and have its operations in the document."""
    states = make_states(wishes, identify)

    @asynccontextmanager
    async def host_lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        wishes.diary.note("host started")
        yield {"greeting": "prepared"}
        wishes.diary.note("host stopped")

    lifespan: HostLifespan = host_lifespan
    for state in set(states.values()):
        lifespan = state.lifespan_with(lifespan)
    own = [state.route(prefix) for prefix, state in states.items() if prefix != NESTED]
    app = FastAPI(routes=own, lifespan=lifespan)
    outer, inner, last = NESTED.split("/")[1:]
    nested, innermost = FastAPI(), FastAPI()
    innermost.mount(f"/{last}", states[NESTED])
    nested.mount(f"/{inner}", innermost)
    app.mount(f"/{outer}", nested)
    app.add_middleware(GZipMiddleware, minimum_size=500)
    app.add_middleware(CORSMiddleware, allow_origins=[PAGE], allow_methods=["*"], allow_headers=["authorization"])
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)

    @app.get("/hello")
    @app.get("/statement")
    async def hello() -> PlainTextResponse:
        return PlainTextResponse("hello")

    @app.get("/greeting")
    async def greeting(request: Request) -> dict[str, str]:
        return {"greeting": request.state.greeting}

    @app.post("/echo")
    async def echo(request: Request) -> Response:
        return Response(await request.body(), media_type="application/octet-stream")

    @app.get("/me")
    async def me(user: Annotated[User, Depends(current_user)]) -> dict[str, str]:
        return {"user": user.name}

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(f"echo: {await websocket.receive_text()}")
        await websocket.close()

    hosts_own = app.openapi
    app.openapi = lambda: states[MAIN].openapi_into(hosts_own(), MAIN)  # type: ignore[method-assign]
    return app
