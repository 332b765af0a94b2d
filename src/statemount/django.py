"""The app as a view of Django, inside Django's own middleware."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias

from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

from statemount.interfaces import AsgiScope
from statemount.web.below import AsgiApp
from statemount.web.requests import Message

__all__ = ["REQUEST", "state_view"]

REQUEST = "django.request"
"""Where in the ASGI scope ``HostAuth`` finds Django's request: ``await connection.scope[REQUEST].auser()``."""

_CHUNK = 64 * 1024

View: TypeAlias = Callable[..., Awaitable[HttpResponseBase]]
"""An asynchronous view."""


def state_view(state: AsgiApp) -> View:
    r"""Return a view that answers as the app does, whatever the method.

    Its route is an expression whose group ``path`` is what is below the prefix, newlines included:
    ``re_path(r"^state(?P<path>/(?s:.*))$", state_view(state))``. It needs Django's ASGI handler, and is exempt from
    Django's CSRF check.

    Args:
        state: A :class:`~statemount.mount.StateMount`, or one of its route sets.
    """

    async def view(request: Any, path: str) -> HttpResponseBase:
        if not isinstance(request, ASGIRequest):
            raise ImproperlyConfigured("statemount needs Django's ASGI handler")
        call = _Call(state, request, path)
        return await call.response()

    exempt: View = csrf_exempt(view)
    return exempt


class _Call:
    """One request, as the app is called for it in a task of its own."""

    def __init__(self, state: AsgiApp, request: Any, path: str) -> None:
        prefix = request.path_info.removesuffix(path)
        scope: AsgiScope = {**request.scope, REQUEST: request}
        scope["app_root_path"] = scope.get("app_root_path", scope.get("root_path", ""))
        scope["root_path"] = scope.get("root_path", "") + prefix
        self._request = request
        self._is_read = False
        self._sent: asyncio.Queue[Message] = asyncio.Queue(1)
        self._task = asyncio.ensure_future(state(scope, self._receive, self._sent.put))

    async def response(self) -> HttpResponseBase:
        try:
            start = await self._next()
            first = await self._next()
        except BaseException:
            await self._end()
            raise
        if first.get("more_body"):
            response: HttpResponseBase = StreamingHttpResponse(self._parts(first))
        else:
            response = HttpResponse(first.get("body", b""))
            await self._task
        response.status_code = start["status"]
        del response.headers["content-type"]  # Django has a default
        for name, value in start["headers"]:
            response.headers[name.decode()] = value.decode("latin-1")
        return response

    async def _receive(self) -> Message:
        if self._is_read:  # Django itself waits for a disconnect, and cancels this call
            await asyncio.get_running_loop().create_future()
        body: bytes = self._request.read(_CHUNK)
        self._is_read = len(body) < _CHUNK
        return {"type": "http.request", "body": body, "more_body": not self._is_read}

    async def _next(self) -> Message:
        """Return the next message of the app; raise what it raises."""
        waiting = asyncio.ensure_future(self._sent.get())
        try:
            await asyncio.wait([waiting, self._task], return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                self._task.result()
            return await waiting
        finally:
            waiting.cancel()

    async def _parts(self, message: Message) -> AsyncIterator[bytes]:
        try:
            yield message.get("body", b"")
            while message.get("more_body"):
                message = await self._next()
                yield message.get("body", b"")
        finally:
            await self._end()

    async def _end(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
