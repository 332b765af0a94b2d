"""One host app for each framework, and each way to have the state in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal

from tests.hosts.world import Wishes


@dataclass(frozen=True)
class Framework:
    """A framework, with the way in which it has the state.

    Args:
        title: For people.
        home: Module and function that make the app.
        packages: What it is made of, to tell their versions.
        login: How the host's users show who they are: a header, or a session that a page of the host begins.
        lacks: What it cannot do, by the name of the check, and why.
    """

    title: str
    home: str
    packages: tuple[str, ...] = ()
    login: Literal["bearer", "session"] = "bearer"
    lacks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def make(self, wishes: Wishes) -> Any:
        """Return an app; what it is made with is imported now."""
        module, _, function = self.home.partition(":")
        return getattr(import_module(f"{__name__}.{module}"), function)(wishes)


_NO_DOCUMENT = {"openapi": "it makes no OpenAPI document of its own"}
_DJANGO = {
    "lifespan": "it has no lifespan: the middleware alone starts and stops with the server",
    "websockets": "it has no websockets",
    **_NO_DOCUMENT,
}
_DJANGO_INSIDE = {
    **_DJANGO,
    "compression": "ASGI middleware for it does not go around Django, which has capitals in the names of headers",
}

FRAMEWORKS: Mapping[str, Framework] = {
    "starlette": Framework("Starlette, mounted", "starlette_host:mounted", ("starlette",), lacks=_NO_DOCUMENT),
    "starlette-around": Framework(
        "Starlette, middleware", "starlette_host:wrapped", ("starlette",), lacks=_NO_DOCUMENT
    ),
    "fastapi": Framework("FastAPI, mounted", "fastapi_host:mounted", ("fastapi", "starlette")),
    "litestar": Framework("Litestar, mounted", "litestar_host:mounted", ("litestar",)),
    "quart": Framework("Quart, middleware", "quart_host:wrapped", ("quart",), lacks=_NO_DOCUMENT),
    "django": Framework(
        "Django, middleware", "django_host:wrapped", ("django",), login="session", lacks=_DJANGO_INSIDE
    ),
    "django-view": Framework("Django, view", "django_host:viewed", ("django",), "session", lacks=_DJANGO),
    "plain": Framework("No framework", "plain_host:wrapped", lacks=_NO_DOCUMENT),
}
