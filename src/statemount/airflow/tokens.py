"""How a task gets a token: it asks for a connection, through its supervisor, and the API server makes one for it.

A task's process does not hold its token for the Execution API, and should not: its supervisor does, and asks for it
what a task may ask for. A connection is one such thing. So the task asks for the connection ``statemount``; the
supervisor's request carries the task's own token; and this middleware answers it, with a token for that task alone,
which only our routes accept.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from uuid import UUID

from statemount.airflow.names import CONNECTION_ID, CONNECTION_TYPE
from statemount.auth.jwt import JWTAuth
from statemount.errors import (
    AuthenticationError,
    ConfigurationError,
    ForbiddenError,
    InvalidTokenError,
    UnavailableError,
)
from statemount.interfaces import AsgiScope
from statemount.web.below import AsgiApp
from statemount.web.lifespan import Startable, serve_lifespan
from statemount.web.middleware import route_path
from statemount.web.requests import Receive, Send
from statemount.web.responses import Response, json_response

_logger = logging.getLogger("statemount.airflow")

_PATH = f"/execution/connections/{CONNECTION_ID}"


class TokenMiddleware:
    """Answers for the connection ``statemount``, and starts and stops the app with the server; the rest is Airflow's.

    Args:
        app: Airflow's API server.
        state: Is started and stopped with it; None = it runs elsewhere.
        auth: Verifies the tokens of tasks, and signs those that are given out.
        lifetime: Of these, in seconds.
    """

    def __init__(self, app: AsgiApp, *, state: Startable | None, auth: JWTAuth, lifetime: int) -> None:
        self.app = app
        self.state = state
        self._auth = auth
        self._lifetime = lifetime

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Pass the call on to the host app, or answer it."""
        if scope["type"] == "lifespan" and self.state is not None:
            await serve_lifespan(self.state, receive, send, lambda *channel: self.app(scope, *channel))
        elif scope["type"] == "http" and scope["method"] == "GET" and route_path(scope) == _PATH:
            await (await self._answer(scope)).send(send)
        else:
            await self.app(scope, receive, send)

    async def _answer(self, scope: AsgiScope) -> Response:
        try:
            identity = await self._auth.authenticate(with_first_credentials(scope), "execution")
        except (InvalidTokenError, ForbiddenError) as error:
            return _refusal(403, "Invalid auth token", error)
        except AuthenticationError as error:
            return _refusal(401, "Missing auth token", error)
        except UnavailableError as error:
            return _refusal(503, "The keys cannot be fetched now", error)
        if identity.task_instance_id is None:
            return _refusal(403, "Invalid auth token", ForbiddenError("no task instance"))
        return json_response(200, self._connection(identity.task_instance_id), [(b"cache-control", b"no-store")])

    def _connection(self, task_instance_id: UUID) -> dict[str, object]:
        return {
            "conn_id": CONNECTION_ID,
            "conn_type": CONNECTION_TYPE,
            "host": None,
            "schema": None,
            "login": str(task_instance_id),
            "password": self._auth.tokens.worker(task_instance_id, lifetime=self._lifetime),
            "port": None,
            "extra": json.dumps({"lifetime": self._lifetime}),
        }


class LateMiddleware:
    """A middleware that is made when the server starts: what cannot work keeps it from starting, and says why.

    An error of the constructor would not: Starlette makes its middleware when it is called first, and a server takes
    that for an application that knows no lifespan, and answers every request with 500.

    Args:
        make: Returns the middleware around the host app; may raise ConfigurationError.
    """

    def __init__(self, app: AsgiApp, make: Callable[[AsgiApp], AsgiApp]) -> None:
        self.app = app
        self._make = make
        self._made: AsgiApp | None = None

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Pass the call on to the middleware, or say that the server cannot start."""
        try:
            made = self._made = self._made or self._make(self.app)
        except ConfigurationError as error:
            if scope["type"] != "lifespan":
                raise
            await receive()
            await send({"type": "lifespan.startup.failed", "message": f"statemount: {error}"})
            return
        await made(scope, receive, send)


def with_first_credentials(scope: AsgiScope) -> AsgiScope:
    """Return the scope of a request with its first ``Authorization`` header only, which is the one that Airflow reads.

    With ``[core] simple_auth_manager_all_admins`` Airflow itself adds one, also to requests that have theirs.
    """
    credentials = [header for header in scope["headers"] if header[0] == b"authorization"]
    if len(credentials) < 2:
        return scope
    others = [header for header in scope["headers"] if header[0] != b"authorization"]
    return {**scope, "headers": [*others, credentials[0]]}


def _refusal(status: int, detail: str, error: Exception) -> Response:
    _logger.info("no token for state is given out: %s", error)
    return json_response(status, {"detail": detail})
