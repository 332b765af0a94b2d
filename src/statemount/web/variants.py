"""Requests that are a GET by their method, and more than that by the rest of their head.

Each kind stands in the table of operations like a method of its own, beside GET or where there is no GET. No client
can send it as a method, and neither ``Allow`` nor a metric names it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from types import MappingProxyType

from pydantic import TypeAdapter, ValidationError

from statemount.web.accept import names_media_type
from statemount.web.requests import Request

WATCH = "WATCH"
"""The events of what the path addresses: ``Accept`` names server-sent events."""

LIST = "LIST"
"""A list where the path alone has none: the query says ``list=true``."""

_BOOLEAN: TypeAdapter[bool] = TypeAdapter(bool)


def _asks_for_list(request: Request) -> bool:
    if not request.asgi_scope.get("query_string"):
        return False
    try:
        return _BOOLEAN.validate_python(request.query().get("list", "false"))
    except ValidationError:
        return False


def _asks_for_events(request: Request) -> bool:
    return bool(request.accept) and names_media_type(request.accept, b"text/event-stream")


VARIANTS: Mapping[str, Callable[[Request], bool]] = MappingProxyType({WATCH: _asks_for_events, LIST: _asks_for_list})
"""What a request of each kind is known by, in the order in which they are asked. A HEAD may be one, too."""


def variant_of(request: Request, offered: Container[str]) -> str | None:
    """Return the kind that a request is of, or None if it is an ordinary one.

    Args:
        offered: The kinds that its route has.
    """
    if request.method in ("GET", "HEAD"):
        for name, is_asked_for in VARIANTS.items():
            if name in offered and is_asked_for(request):
                return name
    return None


def has_list(request: Request, offered: Container[str]) -> bool:
    """Tell whether the query asks for a list, whatever the method, and its route has one."""
    return LIST in offered and _asks_for_list(request)
