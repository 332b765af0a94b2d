"""What every route set does with a request: find the route, ask who is calling, answer, and render what went wrong."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from statemount.errors import AuthenticationError, ForbiddenError, StateMountError
from statemount.interfaces import AsgiScope, Authenticator, Clock, Identity, RouteSet
from statemount.observer import Observer
from statemount.web.audit import AuditLog
from statemount.web.below import BelowApp
from statemount.web.documentation import Documentation
from statemount.web.errors import ErrorResponses, MethodNotAllowedError, RouteNotFoundError, TargetTooLongError, Wording
from statemount.web.openapi import merged
from statemount.web.operations import ApiOperation, Endpoint, router_of
from statemount.web.requests import ClientDisconnectedError, Receive, Request, Send
from statemount.web.responses import Header, Response
from statemount.web.routing import RequestPath, Route, plain_template, request_path
from statemount.web.streams import EventStream
from statemount.web.variants import has_list, variant_of

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

MAX_TARGET_LENGTH = 32 * 1024
"""Longest path, and longest query, as they are sent. What means most has 24 KiB: the URI of an asset and a key,
of characters of four bytes each, percent-encoded."""

logger: logging.Logger = logging.getLogger("statemount.web")


class Access:
    """Who may call the routes of a set.

    Args:
        authenticator: Is asked on every request that a route answers.
        route_set: What it is asked for.
    """

    def __init__(self, authenticator: Authenticator, route_set: RouteSet) -> None:
        self._authenticator = authenticator
        self._route_set = route_set
        self._may_renew = route_set == "execution" and type(authenticator).renew is not Authenticator.renew

    def identify(self, asgi_scope: AsgiScope) -> Awaitable[Identity]:
        """Return who is asking; see :meth:`Authenticator.authenticate`."""
        return self._authenticator.authenticate(asgi_scope, self._route_set)

    async def identify_for_renewal(self, asgi_scope: AsgiScope) -> Identity | None:
        """Return who is asking where no route needs to know: a fresh token goes out even so, as Airflow's does."""
        if not self._may_renew or all(name != b"authorization" for name, _ in asgi_scope["headers"]):
            return None
        try:
            return await self.identify(asgi_scope)
        except StateMountError:
            return None

    def renewed(self, identity: Identity) -> str | None:
        """Return a fresh token if one is due. A failure to make one is logged and does not harm the answer."""
        if not self._may_renew:
            return None
        try:
            return self._authenticator.renew(identity)
        except Exception:
            logger.exception("a token could not be renewed")
            return None


class RouteSetApp:
    """An ASGI app for HTTP alone, made of routes that belong together.

    An exception of any kind becomes an answer here, inside whatever middleware the host has around us; cancellation
    passes through.

    Args:
        operations: What can be asked.
        wording: How errors are worded.
        access: Who may call them; None = anybody.
        headers: What every answer carries.
        name: What metrics and the audit log call the route set.
        observer: Is told of every request; None = nobody is.
        clock: Of the audit log; None = there is none.
        documentation: Describes them.
        serves_documentation: Whether anybody can ask for that.
        body_seconds: How long a body is waited for; None = for ever.

    Attributes:
        operations: What can be asked.
        documentation: Describes them.
    """

    def __init__(
        self,
        operations: Sequence[ApiOperation],
        *,
        wording: Wording,
        documentation: Documentation,
        serves_documentation: bool = True,
        access: Access | None = None,
        headers: Iterable[Header] = (),
        name: str = "",
        observer: Observer | None = None,
        clock: Clock | None = None,
        body_seconds: float | None = None,
    ) -> None:
        self.operations: Sequence[ApiOperation] = operations
        self.documentation: Documentation = documentation
        served = [*operations, *(documentation.operations if serves_documentation else ())]
        self._router = router_of(served)
        self._open = frozenset(operation.endpoint for operation in served if not operation.needs_authentication)
        self._errors = ErrorResponses(wording)
        self._access = access
        self._headers = tuple(headers)
        self._name = name
        self._observer = observer
        self._body_seconds = body_seconds
        self._audit = None if clock is None else AuditLog(name, operations, clock)

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.serve(scope, receive, send, request_path(scope))
        else:
            await refuse(scope, receive, send)

    def route(self, prefix: str) -> BaseRoute:
        """Return a route for Starlette and FastAPI; see :meth:`StateMount.route`."""
        from statemount.web.route import StateRoute

        return StateRoute(prefix, self)

    def below(self, prefix: str) -> BelowApp:
        """Return this app for a host whose router changes the path; see :meth:`StateMount.below`."""
        return BelowApp(self, prefix)

    def openapi_into(self, document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
        """Return a host's OpenAPI document with our operations in it; see :meth:`StateMount.openapi_into`."""
        return merged(document, [self.documentation.part(prefix)])

    def serve(
        self, asgi_scope: AsgiScope, receive: Receive, send: Send, path: RequestPath, start: int = 0
    ) -> Awaitable[None]:
        """Answer a request.

        Args:
            path: Of the request.
            start: Where it begins for these routes.
        """
        request = Request(asgi_scope, receive)
        request.body_seconds = self._body_seconds
        answer = self._answer if self._observer is None else self._answer_observed
        return answer(request, send, path, start)

    async def _answer_observed(self, request: Request, send: Send, path: RequestPath, start: int) -> None:
        began = time.perf_counter()

        def note() -> None:
            request.note = None
            route = plain_template(request.template) or None
            seconds = time.perf_counter() - began
            if self._observer is not None:
                self._observer.request(self._name, route, request.method, request.status, seconds)

        request.note = note
        try:
            await self._answer(request, send, path, start)
        finally:
            if request.note is not None:
                request.note()

    async def _answer(self, request: Request, send: Send, path: RequestPath, start: int) -> None:
        """Send the answer; note its status in the request."""
        headers = self._headers
        if request.correlation_id is not None:
            headers = (*headers, (b"correlation-id", request.correlation_id))
        identity = failure = None
        try:
            try:
                endpoint = self._find(request, path, start)
            except StateMountError:
                if self._access is not None:
                    identity = await self._access.identify_for_renewal(request.asgi_scope)
                raise
            if self._access is not None and endpoint not in self._open:
                identity = request.identity = await self._access.identify(request.asgi_scope)
            response: Response = await endpoint(request)
        except ClientDisconnectedError:
            return
        except asyncio.CancelledError:
            if self._audit is not None:
                self._audit.cancelled(request)
            raise
        except Exception as error:
            failure = error
            response = self._errors.response(error, request)
            if response.status == 500 or isinstance(error, (AuthenticationError, ForbiddenError)):
                identity = None
        if self._audit is not None:
            self._audit.answered(request, response.status, failure)
        failure = None  # it holds this frame, and so the server's channels beyond the end of the request
        if identity is not None and self._access is not None:
            token = self._access.renewed(identity)
            if token is not None:
                headers = (*headers, (b"refreshed-api-token", token.encode()))
        if response.is_endless:
            self._begin(request, response)
        await response.send(send, headers, has_body=request.method != "HEAD")
        request.status = response.status

    def _begin(self, request: Request, response: Response) -> None:
        """Get ready for an answer that may never end."""
        if isinstance(response, EventStream) and self._access is not None:
            response.identify = partial(self._access.identify, request.asgi_scope)
        request.status = response.status
        if request.note is not None:  # how long it goes on says nothing of the app
            request.note()

    def _find(self, request: Request, path: RequestPath, start: int) -> Endpoint:
        raw = path.text if path.raw is None else path.raw
        query = request.asgi_scope.get("query_string", b"")
        if len(raw) > MAX_TARGET_LENGTH or len(query) > MAX_TARGET_LENGTH:
            raise TargetTooLongError
        match = self._router.match(path, start)
        if match is None:
            raise RouteNotFoundError(path.text)
        route, values = match
        request.template = route.template
        variant = None
        if route.variants and (request.accept or query):  # what makes a request another kind stands there
            variant = variant_of(request, route.variants)
        endpoint = route.endpoints.get(request.method) if variant is None else route.variants[variant]
        if endpoint is None:
            raise _no_such_method(request, route) if route.allow else RouteNotFoundError(path.text)
        request.variant = variant
        request.parameters = dict(zip(route.parameters, values))  # noqa: B905 - the router has counted them
        return endpoint


def _no_such_method(request: Request, route: Route[Endpoint]) -> MethodNotAllowedError:
    if has_list(request, route.variants):  # there is a GET at this address, though not at the path alone
        return MethodNotAllowedError(", ".join(sorted({*route.endpoints, "GET", "HEAD"})).encode())
    return MethodNotAllowedError(route.allow)


async def refuse(scope: AsgiScope, receive: Receive, send: Send) -> None:
    """Close a websocket before it is open; refuse any other kind of connection, as ASGI wants it.

    Raises:
        ValueError: It is no websocket.
    """
    if scope["type"] != "websocket":
        raise ValueError(f"statemount answers HTTP alone, not {scope['type']!r}")
    await send({"type": "websocket.close", "code": 1000, "reason": ""})
