"""The app as a server runs it, with one task instance and one asset; see :func:`make_app`."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from fastapi import FastAPI

from statemount import JWTAuth, StateMiddleware, StateMount, TaskInstance, TaskScope

VARIABLE = "CLIENTS_HOST"
"""Environment variable: the database, the secret of tokens and the task instance, as JSON."""

PREFIX = "/state"
SCOPE = TaskScope("dag", "run", "task")
ASSET = "numbers"


def make_app() -> StateMiddleware:
    """Return a host app with the state at ``PREFIX``, started and filled by its lifespan."""
    wanted: dict[str, Any] = json.loads(os.environ[VARIABLE])
    state = StateMount(wanted["database_url"], auth=JWTAuth(secret=wanted["secret"]))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with state.lifespan(app):
            asset = await state.directory.register_asset(name=ASSET, uri=f"s3://bucket/{ASSET}")
            own = TaskInstance(UUID(wanted["task_instance_id"]), SCOPE, outlets=frozenset({asset.asset_id}))
            await state.directory.register_task_instances([own])
            yield

    # Not mounted: a mount of Starlette does not let a path with a newline through to us.
    return StateMiddleware(FastAPI(lifespan=lifespan), state=state, prefix=PREFIX)
