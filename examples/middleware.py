"""Around a plain ASGI application, which knows nothing of it and has no lifespan."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from statemount import StateMiddleware, StateMount

Message = MutableMapping[str, Any]


async def plain_app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Say hello over HTTP, and refuse everything else."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello"})


state = StateMount("sqlite:///middleware.db", jwt_secret=os.environ["STATEMOUNT_JWT_SECRET"])
app = StateMiddleware(plain_app, state=state, prefix="/state")
