"""Mounted in Litestar, whose users read and edit state; workers show tokens."""

from __future__ import annotations

import os
from typing import Any

from litestar import Litestar, asgi, get
from litestar.connection import ASGIConnection
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult, DefineMiddleware
from starlette.requests import HTTPConnection

from statemount import HostAuth, Identity, JWTAuth, StateMount

USERS = {"let me in": "grace"}  # stands for the application's own users
OPERATOR = frozenset({"state:read", "state:write", "state:delete"})


class Users(AbstractAuthenticationMiddleware):
    """Tells who is calling; nobody is no error here."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        """Look the user up."""
        return AuthenticationResult(user=USERS.get(connection.headers.get("x-password", "")), auth=None)


def identify(connection: HTTPConnection) -> Identity | None:
    """Say what a user of Litestar may do with state."""
    user: str | None = connection.scope["user"]
    return None if user is None else Identity(user, permissions=OPERATOR)


auth = HostAuth(identify, workers=JWTAuth(secret=os.environ["STATEMOUNT_JWT_SECRET"]))
state = StateMount("sqlite:///litestar.db", auth=auth)
state_below = state.below("/state")


@asgi("/state", is_mount=True, copy_scope=True)
async def mounted_state(scope: Any, receive: Any, send: Any) -> None:
    """Hand over what is below the prefix."""
    await state_below(scope, receive, send)


@get("/hello")
async def hello() -> dict[str, str]:
    """Answer for the application."""
    return {"greeting": "hello"}


app = Litestar([hello, mounted_state], lifespan=[state.lifespan], middleware=[DefineMiddleware(Users)])
