"""The baseline: what Starlette's own handling of a request costs, with nothing behind it."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.benchmarks.apps.answer import Answer

_ANSWER = Answer.load()
_STATUS = _ANSWER.status
_BODY = _ANSWER.body.encode()
_HEADERS = dict(_ANSWER.headers)


async def get(request: Request) -> Response:
    """Answer at once."""
    return Response(_BODY, _STATUS, _HEADERS)


async def put(request: Request) -> Response:
    """Answer when the body is there."""
    await request.body()
    return Response(_BODY, _STATUS, _HEADERS)


_METHODS = {"GET": get, "PUT": put, "POST": put}


def _route(method: str) -> Route:
    return Route("/{path:path}", _METHODS[method], methods=[method])


get_app = Starlette(routes=[_route("GET")])
put_app = Starlette(routes=[_route("PUT")])
post_app = Starlette(routes=[_route("POST")])
