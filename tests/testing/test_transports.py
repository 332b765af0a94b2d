"""The transport that lets synchronous HTTP clients ask an ASGI app."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from statemount.testing import PortalTransport


async def echo(request: Request) -> Response:
    """Return what was asked."""
    return JSONResponse([request.method, str(request.url), (await request.body()).decode()], status_code=201)


async def stream(request: Request) -> Response:
    """Return a text in parts."""
    return StreamingResponse(iter(["part "] * 1000), headers={"x-thread": threading.current_thread().name})


async def fail(request: Request) -> Response:
    """Raise."""
    raise ZeroDivisionError("in the app")


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """Return a client of an app with these routes, which compresses."""
    app = Starlette()
    for path, handler in {"/echo": echo, "/stream": stream, "/fail": fail}.items():
        app.add_route(path, handler, methods=["GET", "POST"])
    app.add_middleware(GZipMiddleware)
    with (
        start_blocking_portal() as portal,
        httpx.Client(transport=PortalTransport(app, portal), base_url="http://app") as client,
    ):
        yield client


def test_a_request_arrives_as_it_was_sent(http: httpx.Client) -> None:
    """Method, URL and body reach the app, and its status and body come back."""
    answer = http.post("/echo", params={"a": "ä"}, content=iter([b"some ", b"bytes"]))
    assert (answer.status_code, answer.json()) == (201, ["POST", "http://app/echo?a=%C3%A4", "some bytes"])


def test_answers_are_read_to_their_end(http: httpx.Client) -> None:
    """An answer in parts, and compressed, is the text that it stands for; the app ran in another thread."""
    answer = http.get("/stream")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text == "part " * 1000
    assert answer.headers["x-thread"] != threading.current_thread().name


def test_errors_of_the_app_are_raised(http: httpx.Client) -> None:
    """An exception of the app is raised where the client was called, and the next call works."""
    with pytest.raises(ZeroDivisionError, match="in the app"):
        http.get("/fail")
    assert http.get("/echo").status_code == 201
