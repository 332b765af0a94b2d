"""One request, as far as its head goes: the few headers that matter here, and the query."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

from statemount.interfaces import AsgiScope, Identity

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_MAX_CORRELATION_ID = 256
_NOTHING: Mapping[str, object] = MappingProxyType({})


class ClientDisconnectedError(Exception):
    """The client went away before its body was complete: nobody waits for an answer."""


class Request:
    """What an endpoint is given.

    Args:
        asgi_scope: Of type ``http``.
        receive: For the body.

    Attributes:
        ambiguous: The header of the body that is there more than once, and not alike; None = there is none.
        body_seconds: How long the body is waited for; None = for ever.
        if_match: ``If-Match``, repeated ones as one list; ``if_none_match`` likewise.
        identity: Who is asking; set before an endpoint is called that needs one.
        note: Is called once when the request is answered; None = it was, or nobody wants to know.
        named: What the body addresses, for the audit log: its fields, by name.
        parameters: The path's parameters by name, decoded.
        status: Of the answer, once it is sent; None = nobody waits for one.
        template: The route's template, for the log.
        variant: The kind of request that it is besides its method; see :mod:`statemount.web.variants`.
    """

    __slots__ = (
        "accept",
        "ambiguous",
        "asgi_scope",
        "body_seconds",
        "content_length",
        "content_type",
        "correlation_id",
        "identity",
        "if_match",
        "if_none_match",
        "method",
        "named",
        "note",
        "parameters",
        "receive",
        "status",
        "template",
        "variant",
    )

    identity: Identity

    def __init__(self, asgi_scope: AsgiScope, receive: Receive) -> None:
        self.asgi_scope: AsgiScope = asgi_scope
        self.receive: Receive = receive
        self.body_seconds: float | None = None
        self.method: str = asgi_scope["method"]
        self.parameters: dict[str, str] = {}
        self.named: Mapping[str, object] = _NOTHING
        self.note: Callable[[], None] | None = None
        self.status: int | None = None
        self.template: str = ""
        self.variant: str | None = None
        self.accept: bytes = b""
        self.ambiguous: str | None = None
        self.content_length: bytes | None = None
        self.content_type: bytes | None = None
        self.correlation_id: bytes | None = None
        self.if_match: bytes | None = None
        self.if_none_match: bytes | None = None
        for name, value in asgi_scope["headers"]:
            if name == b"content-type":
                if self.content_type not in (None, value):
                    self.ambiguous = "Content-Type"
                else:
                    self.content_type = value
            elif name == b"accept":
                self.accept = self.accept + b"," + value if self.accept else value
            elif name == b"content-length":
                if self.content_length not in (None, value):
                    self.ambiguous = "Content-Length"
                else:
                    self.content_length = value
            elif name == b"correlation-id":
                self.correlation_id = value if _is_echoed(value) else None
            elif name == b"if-match":
                self.if_match = value if self.if_match is None else self.if_match + b"," + value
            elif name == b"if-none-match":
                self.if_none_match = value if self.if_none_match is None else self.if_none_match + b"," + value

    def header(self, name: bytes) -> bytes | None:
        """Return the value of a header that is not among the attributes; of a repeated one the last."""
        found = None
        for each, value in self.asgi_scope["headers"]:
            if each == name:
                found = value
        return found

    def query(self) -> dict[str, str]:
        """Return the query's parameters by name; of a repeated one the last.

        A byte that is no UTF-8 stands as a lone surrogate, which no parameter may hold.
        """
        return query_parameters(self.asgi_scope.get("query_string", b""))


def query_parameters(query: bytes) -> dict[str, str]:
    """Return a query's parameters by name; see :meth:`Request.query`."""
    parameters: dict[str, str] = {}
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            parameters[_decode(name)] = _decode(value)
    return parameters


def _decode(text: bytes) -> str:
    return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8", "surrogateescape")


def _is_echoed(value: bytes) -> bool:
    return 0 < len(value) <= _MAX_CORRELATION_ID and value.isascii() and value.decode().isprintable()
