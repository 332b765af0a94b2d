"""Ways from a client to an app in the same process, with no server and no socket."""

from __future__ import annotations

from typing import Any

import httpx
from anyio.from_thread import BlockingPortal
from typing_extensions import override


class PortalTransport(httpx.BaseTransport):
    """Lets a synchronous HTTP client ask an ASGI app that runs on an event loop in another thread.

    An exception of the app is raised where the client was called. The app's lifespan is not run.

    Args:
        app: An ASGI app.
        portal: Of the thread with the event loop: ``anyio.from_thread.start_blocking_portal()``.
    """

    def __init__(self, app: Any, portal: BlockingPortal) -> None:
        self._app = httpx.ASGITransport(app)
        self._portal = portal

    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self._portal.call(self._answer, request)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = await self._app.handle_async_request(request)
        body = b"".join([part async for part in answer.aiter_raw()])
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(body))
