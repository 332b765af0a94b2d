"""An ASGI app without a framework."""

from __future__ import annotations

import json
from typing import Any

from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection

from statemount import Identity, StateMiddleware
from tests.hosts.world import HOSTS, PAGE, User, Wishes, make_states


def identify(connection: HTTPConnection) -> Identity | None:
    """Tell who is calling by what the host's own middleware has found."""
    user: User | None = connection.scope["host.user"]
    return None if user is None else user.identity


class Users:
    """Knows the host's users."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            header = dict(scope["headers"]).get(b"authorization")
            scope = {**scope, "host.user": User.of(None if header is None else header.decode())}
        await self._app(scope, receive, send)


class PlainApp:
    """Answers for the host."""

    def __init__(self, wishes: Wishes) -> None:
        self._diary = wishes.diary
        self._greeting = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await {"http": self._http, "lifespan": self._lifespan, "websocket": self._websocket}[scope["type"]](
            scope, receive, send
        )

    async def _lifespan(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        self._diary.note("host started")
        self._greeting = "prepared"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._diary.note("host stopped")
        await send({"type": "lifespan.shutdown.complete"})

    async def _websocket(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": f"echo: {(await receive())['text']}"})
        await send({"type": "websocket.close"})

    async def _http(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        root_path = scope.get("root_path", "")
        if root_path and path.startswith(root_path):
            path = path[len(root_path) :]
        status, body = 200, b"hello"
        if path == "/greeting":
            body = json.dumps({"greeting": self._greeting}).encode()
        elif path == "/echo":
            body, more = b"", True
            while more:
                message = await receive()
                body, more = body + message.get("body", b""), message.get("more_body", False)
        elif path == "/me":
            user = scope["host.user"]
            status, body = (401, b"") if user is None else (200, json.dumps({"user": user.name}).encode())
        elif path not in ("/hello", "/statement"):
            status, body = 404, b"nothing here"
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})


def wrapped(wishes: Wishes) -> Any:
    """Put the state around the app, and the host's middleware around both."""
    app: Any = PlainApp(wishes)
    for prefix, state in make_states(wishes, identify).items():
        app = StateMiddleware(app, state=state, prefix=prefix)
    app = Users(app)
    app = GZipMiddleware(app, minimum_size=500)
    app = CORSMiddleware(app, allow_origins=[PAGE], allow_methods=["*"], allow_headers=["authorization"])
    return TrustedHostMiddleware(app, allowed_hosts=HOSTS)
