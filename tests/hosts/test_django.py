"""The view of Django, where the app does what it rarely does: streams, fails, or is left alone."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory
from django.urls import re_path

from statemount.django import state_view
from tests.contract.transports import scope_of
from tests.hosts.frameworks.django_host import WithUrls, configure

pytestmark = pytest.mark.anyio


class App:
    """An ASGI app that notes the bodies that it is sent, and how it ended."""

    def __init__(self) -> None:
        self.body = b""
        self.is_cancelled = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert (scope["root_path"], scope["app_root_path"]) == ("/state", "")
        more = True
        while more:
            message = await receive()
            self.body += message["body"]
            more = message["more_body"]
        if scope["path"] == "/state/error":
            raise ZeroDivisionError
        await send({"type": "http.response.start", "status": 203, "headers": [(b"x-own", b"\xe4")]})
        for part in (b"a", b"b"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        if scope["path"] == "/state/endless":
            try:
                await receive()
            finally:
                self.is_cancelled.set()
        await send({"type": "http.response.body"})


def django_of(app: App) -> WithUrls:
    """Return a site of Django that has the app."""
    configure()
    urls: Any = ModuleType("urls")
    urls.urlpatterns = [re_path(r"^state(?P<path>/(?s:.*))$", state_view(app))]
    return WithUrls(urls)


async def test_a_stream() -> None:
    """A long body arrives whole, and an answer in parts goes out in parts, with the app's own headers alone."""
    app = App()
    body = b"x" * 200_000
    async with httpx.AsyncClient(transport=httpx.ASGITransport(django_of(app)), base_url="http://host") as client:
        # Django's compression makes one gzip member of each part, of which httpx reads the first alone.
        answer = await client.post("/state/stream", content=body, headers={"accept-encoding": "identity"})
    assert (answer.status_code, answer.content, app.body) == (203, b"ab", body)
    assert answer.headers["x-own"] == "ä"
    assert "content-type" not in answer.headers


async def test_an_error() -> None:
    """An exception of the app is Django's to answer."""
    transport = httpx.ASGITransport(django_of(App()))
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
        assert (await client.get("/state/error")).status_code == 500


async def test_a_client_that_goes_away() -> None:
    """The app is cancelled when the client of a stream has gone away."""
    app = App()
    went_away = asyncio.Event()
    messages: list[Any] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        await went_away.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message.get("body") == b"b":
            went_away.set()

    scope = scope_of("GET", "/state/endless", {"host": "host"})
    await asyncio.wait_for(django_of(app)(scope, receive, send), 60)
    assert app.is_cancelled.is_set()


async def test_without_asgi() -> None:
    """Under Django's WSGI handler the view says what it needs."""
    configure()
    with pytest.raises(ImproperlyConfigured, match="ASGI"):
        await state_view(App())(RequestFactory().get("/state/x"), path="/x")
