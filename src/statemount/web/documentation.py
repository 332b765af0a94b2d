"""What every route set says of itself: ``/openapi.json``, and ``/docs`` for people. Both are made when asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from urllib.parse import quote

from statemount.web.docs_page import POLICY, docs_page
from statemount.web.openapi import Json, openapi_document, renamed
from statemount.web.operations import Answer, ApiOperation
from statemount.web.requests import Request
from statemount.web.responses import JSON, Header, Response

_OPENAPI = "/openapi.json"
_TAG = "Documentation"

_HTML: tuple[Header, ...] = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class Documentation:
    """The document of a route set, and its page.

    Args:
        operations: What is documented.
        name: Of the route set; empty for one that is no part of another.
        title: Of the document.
        description: A sentence or two, as CommonMark.
    """

    def __init__(self, operations: Iterable[ApiOperation], *, name: str, title: str, description: str) -> None:
        self._documented = tuple(operations)
        self._name = name
        self._title = title
        self._description = description

    @cached_property
    def document(self) -> Json:
        """The document, without ``servers``."""
        from statemount import __version__

        return openapi_document(self._documented, title=self._title, version=__version__, description=self._description)

    def part(self, prefix: str) -> tuple[str, Json]:
        """Return what is merged into a host's document: a prefix for its paths, and itself under names of its own."""
        return prefix, self._renamed

    @property
    def operations(self) -> tuple[ApiOperation, ...]:
        """What serves both, to anybody."""
        return (
            ApiOperation(
                "GET",
                _OPENAPI,
                "get_openapi",
                "Get the OpenAPI document",
                _TAG,
                self._get_document,
                (Answer(200, "The document."),),
                needs_authentication=False,
            ),
            ApiOperation(
                "GET",
                "/docs",
                "get_docs",
                "Read about the operations",
                _TAG,
                self._get_page,
                (Answer(200, "An HTML page."),),
                needs_authentication=False,
            ),
        )

    async def _get_document(self, request: Request) -> Response:
        servers = json.dumps([{"url": _mounted_at(request) or "/"}])
        return Response(200, (JSON,), b'{"servers": ' + servers.encode() + b", " + self._rest)

    async def _get_page(self, request: Request) -> Response:
        return Response(200, _HTML, self._page)

    @cached_property
    def _renamed(self) -> Json:
        operations = f"state_{self._name}_" if self._name else "state_"
        return renamed(self.document, components="StateMount", operations=operations)

    @cached_property
    def _rest(self) -> bytes:
        return json.dumps(self.document).encode()[1:]

    @cached_property
    def _page(self) -> bytes:
        return docs_page(self.document, _OPENAPI[1:]).encode()


def _mounted_at(request: Request) -> str:
    """Return the path, as clients see it, below which the route set is that has the document."""
    path: str = request.asgi_scope["path"]
    root: str = request.asgi_scope.get("root_path", "").rstrip("/")
    if path != root and not path.startswith(f"{root}/"):
        path = root + path
    return quote(path.removesuffix(_OPENAPI))
