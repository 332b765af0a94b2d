"""Mounted in FastAPI: its users read and edit state, by the same dependency as its own routes; workers show tokens."""

from __future__ import annotations

import os
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException
from fastapi.requests import HTTPConnection

from statemount import HostAuth, Identity, JWTAuth, StateMount

USERS = {"let me in": "grace"}  # stands for the application's own users
OPERATOR = frozenset({"state:read", "state:write", "state:delete"})


def current_user(connection: HTTPConnection) -> str:
    """Return who is calling: what every route of the application depends on."""
    user = USERS.get(connection.headers.get("x-password", ""))
    if user is None:
        raise HTTPException(401, "log in first")
    return user


def identify(connection: HTTPConnection) -> Identity:
    """Say what a user may do with state. The 401 is understood."""
    return Identity(current_user(connection), permissions=OPERATOR)


auth = HostAuth(identify, workers=JWTAuth(secret=os.environ["STATEMOUNT_JWT_SECRET"]))
state = StateMount("sqlite:///fastapi_users.db", auth=auth)
app = FastAPI(title="Jobs", routes=[state.route("/state")], lifespan=state.lifespan)
hosts_own_document = app.openapi


@app.get("/me")
def me(user: Annotated[str, Depends(current_user)]) -> dict[str, str]:
    """Return who is calling."""
    return {"user": user}


def document() -> dict[str, Any]:
    """Return the application's OpenAPI document with the operations of the state in it."""
    return state.openapi_into(hosts_own_document(), "/state")


app.openapi = document  # type: ignore[method-assign]
