"""Whether the app is alive (``/health``), whether it can do its work now (``/ready``), and its ``/metrics``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from statemount.errors import UnavailableError
from statemount.observer import Observer
from statemount.web.answers import HTTPExceptionResponse, Status
from statemount.web.documentation import Documentation
from statemount.web.errors import EXECUTION_WORDING
from statemount.web.operations import Answer, ApiOperation
from statemount.web.requests import Request
from statemount.web.responses import Response, json_response
from statemount.web.route_set import RouteSetApp

Ready: TypeAlias = Callable[[], Awaitable[None]]
"""Returns when the app can do its work; raises, or does not return, when it cannot."""

Exposition: TypeAlias = Callable[[str], tuple[bytes, str]]
"""Returns the metrics and their content type, for the value of an ``Accept`` header."""

NO_STORE = (b"cache-control", b"no-store")

_TAG = "Health"


def health_app(
    ready: Ready,
    *,
    timeout: float = 5.0,
    exposition: Exposition | None = None,
    observer: Observer | None = None,
) -> RouteSetApp:
    """Return the routes that anybody may ask.

    Args:
        timeout: Seconds after which the app counts as not ready.
        exposition: None = there is no ``/metrics``.
        observer: Is told of every request; None = nobody is.
    """
    operations = [
        ApiOperation(
            "GET",
            "/health",
            "get_health",
            "Tell whether the app is alive",
            _TAG,
            _health,
            (Answer(200, "It is.", Status),),
            needs_authentication=False,
        ),
        ApiOperation(
            "GET",
            "/ready",
            "get_ready",
            "Tell whether the app can do its work now",
            _TAG,
            _Readiness(ready, timeout),
            (Answer(200, "It can.", Status), Answer(503, "It cannot.", HTTPExceptionResponse)),
            needs_authentication=False,
        ),
    ]
    if exposition is not None:
        operations.append(
            ApiOperation(
                "GET",
                "/metrics",
                "get_metrics",
                "Get the metrics of this process, as Prometheus reads them",
                _TAG,
                _MetricsPage(exposition),
                (Answer(200, "The metrics, as text."),),
                needs_authentication=False,
            )
        )
    return RouteSetApp(
        operations,
        wording=EXECUTION_WORDING,
        name="health",
        observer=observer,
        headers=[NO_STORE],
        documentation=Documentation(operations, name="", title="Health", description="Whether the app is well."),
        serves_documentation=False,
    )


async def _health(request: Request) -> Response:
    return json_response(200, {"status": "ok"})


class _Readiness:
    def __init__(self, ready: Ready, timeout: float) -> None:
        self._ready = ready
        self._timeout = timeout

    async def __call__(self, request: Request) -> Response:
        try:
            await asyncio.wait_for(self._ready(), self._timeout)
        except asyncio.TimeoutError as error:
            raise UnavailableError(f"not ready within {self._timeout} s") from error
        except UnavailableError:
            raise
        except Exception as error:
            raise UnavailableError(f"{type(error).__name__}: {error}") from error
        return json_response(200, {"status": "ready"})


class _MetricsPage:
    def __init__(self, exposition: Exposition) -> None:
        self._exposition = exposition

    async def __call__(self, request: Request) -> Response:
        # It takes milliseconds, in which the event loop would stand still.
        text, content_type = await asyncio.to_thread(self._exposition, request.accept.decode("latin-1"))
        return Response(200, [(b"content-type", content_type.encode())], text)
