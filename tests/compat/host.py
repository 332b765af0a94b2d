"""A host app as a server runs it: it has the app at several places, and hands out work.

``POST /hire`` registers a task instance with assets of its own and returns what its worker needs. The app itself is at
``/`` and at other places; see :func:`make_app`.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from statemount import Asset, JWTAuth, StateMiddleware, StateMount, TaskInstance, TaskScope

DATABASE_URL = "COMPAT_DATABASE_URL"
SECRET = "COMPAT_SECRET"
"""Environment variables that say which database, and the secret that tokens are signed with."""

_NUMBERS = itertools.count(1)


class ByPrefix:
    """Hands a request to the app of its path's prefix.

    Args:
        apps: By prefix.
        root_paths: The prefixes that are a server's ``root_path``, and whether ``path`` includes it, as ASGI's rule
            wants, or lacks it, as with FastAPI's setting of this name.
        rest: For what has none of the prefixes.
    """

    def __init__(self, apps: Mapping[str, ASGIApp], *, root_paths: Mapping[str, bool], rest: ASGIApp) -> None:
        self._apps = apps
        self._root_paths = root_paths
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        segments = scope.get("path", "").split("/", 2)
        prefix = f"/{segments[1]}" if len(segments) > 1 else ""
        is_included = self._root_paths.get(prefix)
        if is_included is not None:
            scope = {**scope, "root_path": prefix}
        if is_included is False:
            scope["path"] = scope["path"].removeprefix(prefix)
            scope["raw_path"] = scope["raw_path"].removeprefix(prefix.encode())
        await self._apps.get(prefix, self._rest)(scope, receive, send)


def make_app() -> ASGIApp:
    """Return an app with the state at

    - ``/``;
    - ``/mounted``, by a mount;
    - ``/inside``, by the middleware;
    - ``/state``, the server's ``root_path``;
    - ``/outer/state``, mounted below the server's ``root_path``;
    - ``/outside/state``, likewise, where ``path`` lacks the ``root_path``.
    """
    auth = JWTAuth(secret=os.environ[SECRET])
    state = StateMount(os.environ[DATABASE_URL], auth=auth)

    hiring = Starlette(routes=[Route("/hire", _hire(state, auth), methods=["POST"])])
    mounted = Starlette(routes=[Mount("/mounted", state), Mount("/state", state)])
    apps: dict[str, ASGIApp] = {
        "/hire": hiring,
        "/mounted": mounted,
        "/inside": StateMiddleware(hiring, state=state, prefix="/inside"),
        "/outer": mounted,
        "/outside": mounted,
    }
    return ByPrefix(apps, root_paths={"/state": True, "/outer": True, "/outside": False}, rest=state)


def _hire(state: StateMount, auth: JWTAuth) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def hire(request: Request) -> JSONResponse:
        """Register a task instance. The body may name its task (for a retry), its outlet and its token's lifetime."""
        wishes: dict[str, Any] = json.loads(await request.body() or b"{}")
        number = f"{os.getpid()}-{next(_NUMBERS)}"
        assets = {kind: await _new_asset(state, kind, number) for kind in ("outlet", "inlet", "foreign", "inactive")}
        await state.directory.deactivate_asset(assets["inactive"].asset_id)
        outlets = [assets["outlet"].asset_id, assets["inactive"].asset_id]
        if shared := wishes.get("outlet"):
            assets["outlet"] = await state.directory.register_asset(name=shared, uri=_uri(shared))
            outlets.append(assets["outlet"].asset_id)
        scope = TaskScope("dag", "run", wishes.get("task_id", f"task-{number}"))
        task_instance = TaskInstance(
            uuid4(), scope, inlets=frozenset({assets["inlet"].asset_id}), outlets=frozenset(outlets)
        )
        await state.directory.register_task_instances([task_instance])
        return JSONResponse(
            {
                "task_id": scope.task_id,
                "task_instance_id": str(task_instance.id),
                "token": auth.tokens.worker(task_instance.id, lifetime=wishes.get("lifetime", 600)),
                "assets": {kind: {"name": asset.name, "uri": asset.uri} for kind, asset in assets.items()},
            }
        )

    return hire


async def _new_asset(state: StateMount, kind: str, number: str) -> Asset:
    name = f"{kind}/{number} +&='\"%2F%ä😀"
    return await state.directory.register_asset(name=name, uri=_uri(name))


def _uri(name: str) -> str:
    return f"s3://bucket/{quote(name)}?x=1&y=2#fragment"
