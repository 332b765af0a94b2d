"""Quart: what is around its ASGI app is around the state, too."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from quart import Quart, Response, abort, request, websocket
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection

from statemount import Identity, StateMiddleware
from tests.hosts.world import HOSTS, PAGE, User, Wishes, make_states


def identify(connection: HTTPConnection) -> Identity | None:
    """Tell who is calling by the same function as the host's routes."""
    user = User.of(connection.headers.get("authorization"))
    return None if user is None else user.identity


def wrapped(wishes: Wishes) -> Quart:
    """Put the state around the ASGI app of Quart, and the other middleware around both."""
    app = Quart("host")
    greetings: list[str] = []

    @app.while_serving
    async def lifespan() -> AsyncGenerator[None, None]:
        wishes.diary.note("host started")
        greetings.append("prepared")
        yield
        wishes.diary.note("host stopped")

    @app.get("/hello")
    @app.get("/statement")
    async def hello() -> Response:
        return Response("hello", mimetype="text/plain")

    @app.get("/greeting")
    async def greeting() -> dict[str, str]:
        return {"greeting": greetings[-1]}

    @app.post("/echo")
    async def echo() -> Response:
        return Response(await request.get_data(), mimetype="application/octet-stream")

    @app.get("/me")
    async def me() -> dict[str, str]:
        user = User.of(request.headers.get("authorization"))
        if user is None:
            abort(401)
        return {"user": user.name}

    @app.websocket("/socket")
    async def socket() -> None:
        await websocket.send("echo: " + str(await websocket.receive()))

    asgi_app: Any = app.asgi_app
    for prefix, state in make_states(wishes, identify).items():
        asgi_app = StateMiddleware(asgi_app, state=state, prefix=prefix)
    asgi_app = GZipMiddleware(asgi_app, minimum_size=500)
    asgi_app = CORSMiddleware(asgi_app, allow_origins=[PAGE], allow_methods=["*"], allow_headers=["authorization"])
    app.asgi_app = TrustedHostMiddleware(asgi_app, allowed_hosts=HOSTS)  # type: ignore[assignment, method-assign]
    return app
