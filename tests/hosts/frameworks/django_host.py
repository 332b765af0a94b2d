"""Django: the state around its ASGI app, and as a view inside its own middleware."""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType
from typing import Any

import django
from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection

from statemount import Identity, StateMiddleware
from statemount.django import REQUEST, state_view
from tests.hosts.world import HOSTS, PAGE, User, Wishes, make_states

URLS = "host.urls"
"""Where in the ASGI scope the URLs of an app are that has its own."""


async def identify(connection: HTTPConnection) -> Identity | None:
    """Tell who is calling by the session of Django."""
    engine = import_module(settings.SESSION_ENGINE)
    session = engine.SessionStore(connection.cookies.get(settings.SESSION_COOKIE_NAME))
    user = User.named(await session.aget("user", ""))
    return None if user is None else user.identity


async def identify_request(connection: HTTPConnection) -> Identity | None:
    """Tell who is calling by Django's request, as its own middleware has made it."""
    user = User.named(await connection.scope[REQUEST].session.aget("user", ""))
    return None if user is None else user.identity


async def hello(request: HttpRequest) -> HttpResponse:
    """Answer for the host."""
    return HttpResponse("hello", content_type="text/plain")


@csrf_exempt  # type: ignore[untyped-decorator]
async def echo(request: HttpRequest) -> HttpResponse:
    """Return the body."""
    return HttpResponse(request.body, content_type="application/octet-stream")


@csrf_exempt  # type: ignore[untyped-decorator]
async def login(request: HttpRequest, name: str) -> HttpResponse:
    """Begin a session."""
    await request.session.aset("user", name)
    return HttpResponse()


async def me(request: HttpRequest) -> HttpResponse:
    """Return the user's name."""
    user = User.named(await request.session.aget("user", ""))
    return HttpResponse(status=401) if user is None else JsonResponse({"user": user.name})


urlpatterns = [
    path("hello", hello),
    path("statement", hello),
    path("echo", echo),
    path("login/<str:name>", login),
    path("me", me),
]


def configure() -> None:
    """Have Django's settings."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.hosts.django_settings"
    django.setup()


def wrapped(wishes: Wishes) -> Any:
    """Put the state around the ASGI app of Django, and ASGI middleware around both."""
    configure()
    app: Any = get_asgi_application()
    for prefix, state in make_states(wishes, identify).items():
        app = StateMiddleware(app, state=state, prefix=prefix)
    app = CORSMiddleware(app, allow_origins=[PAGE], allow_methods=["*"], allow_headers=["authorization"])
    return TrustedHostMiddleware(app, allowed_hosts=HOSTS)


def viewed(wishes: Wishes) -> Any:
    """Have the state as views, inside Django's own middleware; the server's lifespan starts and stops it."""
    configure()
    states = make_states(wishes, identify_request)
    urls: Any = ModuleType("urls of a host")
    urls.urlpatterns = [
        *urlpatterns,
        *(re_path(rf"^{prefix[1:]}(?P<path>/(?s:.*))$", state_view(state)) for prefix, state in states.items()),
    ]
    app: Any = WithUrls(urls)
    for state in states.values():
        app = StateMiddleware(app, state=state, prefix=None)
    return app


class WithUrls:
    """Django's ASGI app with URLs of its own: the settings name one set of them for a whole process."""

    def __init__(self, urls: Any) -> None:
        self._urls = urls
        self._app = get_asgi_application()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app({**scope, URLS: self._urls}, receive, send)


def choose_urls(get_response: Any) -> Any:
    """Have the URLs of :class:`WithUrls` for a request that came through it: a middleware of Django."""

    async def middleware(request: Any) -> Any:
        request.urlconf = request.scope.get(URLS, __name__)
        return await get_response(request)

    return markcoroutinefunction(middleware)


choose_urls.sync_capable = False  # type: ignore[attr-defined]
choose_urls.async_capable = True  # type: ignore[attr-defined]
