"""Mounted in Starlette, which has a lifespan of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from statemount import StateMount

state = StateMount("sqlite:///starlette.db", jwt_secret=os.environ["STATEMOUNT_JWT_SECRET"])


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
    """Start and stop what belongs to the application itself."""
    yield {"greeting": "hello"}


async def hello(request: Request) -> JSONResponse:
    """Answer with what the application's lifespan has prepared."""
    return JSONResponse({"greeting": request.state.greeting})


app = Starlette(
    routes=[Route("/hello", hello), state.route("/state")],
    lifespan=state.lifespan_with(lifespan),
)
