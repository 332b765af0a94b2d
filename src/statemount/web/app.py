"""The whole ASGI app: every route set below the place where it is mounted."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping
from typing import Any

from statemount.clock import system_clock
from statemount.interfaces import AsgiScope, Authenticator, Clock
from statemount.observer import Observer
from statemount.service import StateService
from statemount.web.contracts import CONTRACTS, ContractVersion
from statemount.web.execution import execution_app
from statemount.web.health import Exposition, Ready, health_app
from statemount.web.openapi import merged
from statemount.web.public import public_app
from statemount.web.requests import Receive, Send
from statemount.web.route_set import RouteSetApp, refuse
from statemount.web.routing import request_path

MAX_BODY_BYTES = 4 * 1024 * 1024

_EXECUTION = "/execution"
_PUBLIC = "/api/v2"
_BELOW_EXECUTION, _BELOW_PUBLIC = f"{_EXECUTION}/", f"{_PUBLIC}/"


class StateApp:
    """Answers HTTP. Its parts are open already: starting and stopping them is its owner's work.

    Args:
        service: Everything behind the routes.
        authenticator: Who is asking.
        max_body_bytes: Longest body of a request.
        body_seconds: How long a body is waited for; None = for ever.
        contracts: The contract versions that are served, side by side.
        ready: Returns when the app can do its work, and raises when it cannot; None = the store is asked.
        clock: Of the audit log.
        observer: Is told of every request; None = nobody is.
        exposition: What ``/metrics`` answers; None = there is no such route.

    Attributes:
        execution: The execution route set as an app of its own.
        public: The public route set, likewise.
    """

    def __init__(
        self,
        *,
        service: StateService,
        authenticator: Authenticator,
        max_body_bytes: int = MAX_BODY_BYTES,
        body_seconds: float | None = None,
        contracts: Collection[ContractVersion] = tuple(CONTRACTS),
        ready: Ready | None = None,
        clock: Clock = system_clock,
        observer: Observer | None = None,
        exposition: Exposition | None = None,
    ) -> None:
        self.execution: RouteSetApp = execution_app(
            service,
            authenticator,
            max_body_bytes=max_body_bytes,
            body_seconds=body_seconds,
            contracts=contracts,
            clock=clock,
            observer=observer,
        )
        self.public: RouteSetApp = public_app(
            service,
            authenticator,
            max_body_bytes=max_body_bytes,
            body_seconds=body_seconds,
            contracts=contracts,
            clock=clock,
            observer=observer,
        )
        self._rest = health_app(ready or service.store.check, exposition=exposition, observer=observer)

    def openapi_into(self, document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
        """Return a host's OpenAPI document with our operations in it; see :meth:`StateMount.openapi_into`."""
        apps = ((_EXECUTION, self.execution), (_PUBLIC, self.public), ("", self._rest))
        return merged(document, [app.documentation.part(prefix + below) for below, app in apps])

    def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return refuse(scope, receive, send)
        path = request_path(scope)
        text = path.text
        if text.startswith(_BELOW_EXECUTION) or text == _EXECUTION:
            return self.execution.serve(scope, receive, send, path, len(_EXECUTION))
        if text.startswith(_BELOW_PUBLIC) or text == _PUBLIC:
            return self.public.serve(scope, receive, send, path, len(_PUBLIC))
        return self._rest.serve(scope, receive, send, path)
