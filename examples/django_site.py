"""A view of Django, inside Django's own middleware: its users read and edit state; workers show tokens.

The settings, URLs and ASGI application of a site are in one file here.
"""

from __future__ import annotations

import os
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path, re_path
from starlette.requests import HTTPConnection

from statemount import HostAuth, Identity, JWTAuth, StateMiddleware, StateMount
from statemount.django import REQUEST, state_view

OPERATOR = frozenset({"state:read", "state:write", "state:delete"})

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.db"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ["STATEMOUNT_JWT_SECRET"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
)
django.setup()


async def identify(connection: HTTPConnection) -> Identity | None:
    """Say what a user of Django may do with state."""
    user: Any = await connection.scope[REQUEST].auser()
    return Identity(user.get_username(), permissions=OPERATOR) if user.is_staff else None


workers = JWTAuth(secret=os.environ["STATEMOUNT_JWT_SECRET"])
state = StateMount("sqlite:///django_state.db", auth=HostAuth(identify, workers=workers))


async def hello(request: HttpRequest) -> HttpResponse:
    """Answer for the site."""
    return JsonResponse({"greeting": "hello"})


urlpatterns = [path("hello", hello), re_path(r"^state(?P<path>/(?s:.*))$", state_view(state))]
# Django has no lifespan: the middleware starts and stops the state with the server.
app = StateMiddleware(get_asgi_application(), state=state, prefix=None)
