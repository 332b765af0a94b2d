"""Around the ASGI app of Quart, whose users read and edit state; workers show tokens."""

from __future__ import annotations

import os
from typing import Any

from quart import Quart
from starlette.requests import HTTPConnection

from statemount import HostAuth, Identity, JWTAuth, StateMiddleware, StateMount

USERS = {"let me in": "grace"}  # stands for the application's own users
OPERATOR = frozenset({"state:read", "state:write", "state:delete"})


def identify(connection: HTTPConnection) -> Identity | None:
    """Say what a user of the application may do with state."""
    user = USERS.get(connection.headers.get("x-password", ""))
    return None if user is None else Identity(user, permissions=OPERATOR)


auth = HostAuth(identify, workers=JWTAuth(secret=os.environ["STATEMOUNT_JWT_SECRET"]))
state = StateMount("sqlite:///quart.db", auth=auth)
app = Quart(__name__)


@app.get("/hello")
async def hello() -> dict[str, str]:
    """Answer for the application."""
    return {"greeting": "hello"}


asgi_app: Any = app.asgi_app
app.asgi_app = StateMiddleware(asgi_app, state=state, prefix="/state")  # type: ignore[assignment, method-assign]
