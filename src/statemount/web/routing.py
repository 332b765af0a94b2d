"""Which route a path means: a walk over its segments in nested dictionaries, with no regular expression.

Paths are matched decoded, as ASGI gives them, so that a slash of a key may stand raw or as ``%2F``. The encoded
path is asked for two things that decoding loses: bytes that are no UTF-8, and which slash was a ``%2F``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import unquote_to_bytes

from statemount.interfaces import AsgiScope
from statemount.web.variants import VARIANTS

_EndpointT = TypeVar("_EndpointT")


class RequestPath(NamedTuple):
    """The path of a request below the place where the app is mounted.

    Args:
        text: Decoded. A byte that is no UTF-8 stands as a lone surrogate, which no parameter may hold.
        raw: The same path as it was sent, where that may differ from the text.
    """

    text: str
    raw: bytes | None = None


def request_path(asgi_scope: AsgiScope) -> RequestPath:
    """Return the path below ``root_path``.

    ``path`` includes the ``root_path`` by ASGI's rule; with some servers and mounts it does not. ``raw_path`` may
    be missing, include prefixes that ``path`` has lost (a mount leaves it as it is), or lack the ``root_path``. It
    is used from where it says the same as ``path``.
    """
    path: str = asgi_scope["path"]
    root: str = asgi_scope.get("root_path", "")
    if not root and b"%" not in (asgi_scope.get("raw_path") or b""):
        return RequestPath(path)  # as most are: nothing to be told apart
    raw = _raw_path(asgi_scope)
    text = path
    if root:
        text = _below(path, root)
        if text is path:
            # A mount below a server whose path lacks the root_path: Starlette says what it has added to it.
            text = _below(path, root.removeprefix(asgi_scope.get("app_root_path") or root))
        elif raw and _lossy(raw) == root + path:
            text = path  # a dispatcher shortened the path, and what is left begins like the root_path
    if b"%" not in raw:
        return RequestPath(text)
    whole = _lossy(raw)
    if not whole.endswith(text):
        return RequestPath(text)
    prefix = whole[: len(whole) - len(text)].encode()
    decoded = unquote_to_bytes(raw)
    if not decoded.startswith(prefix):
        return RequestPath(text)
    if prefix:
        raw = raw[_raw_offset(raw, len(prefix)) :]
    return RequestPath(_strict(decoded[len(prefix) :]), raw)


def encoded_path(asgi_scope: AsgiScope) -> str:
    """Return what ``raw_path`` says, decoded as servers do; empty where there is none."""
    return _lossy(_raw_path(asgi_scope))


def _raw_path(asgi_scope: AsgiScope) -> bytes:
    raw: bytes = (asgi_scope.get("raw_path") or b"").partition(b"?")[0]
    return raw


def _below(path: str, root: str) -> str:
    root = root.rstrip("/")
    if root and path.startswith(root):
        rest = path[len(root) :]
        if not rest or rest[0] == "/":
            return rest
    return path


def _lossy(raw: bytes) -> str:
    """Decode as servers do."""
    return unquote_to_bytes(raw).decode("utf-8", "replace")


def _strict(decoded: bytes) -> str:
    return decoded.decode("utf-8", "surrogateescape")


_ESCAPE = re.compile(rb"%[0-9A-Fa-f]{2}")


def _raw_offset(raw: bytes, count: int) -> int:
    """Return where the first ``count`` decoded bytes end in the encoded path."""
    offset = 0
    for _ in range(count):
        offset += 3 if _ESCAPE.match(raw, offset) else 1
    return offset


def _split_encoded(path: RequestPath, text: str, position: int) -> tuple[str, str | None]:
    """Return the segment that begins at a position, in which ``%2F`` is no separator, and what follows its slash."""
    if path.raw is None:
        segment, slash, rest = text[position:].partition("/")
        return segment, rest if slash else None
    begin = _raw_offset(path.raw, len(text[:position].encode("utf-8", "surrogateescape")))
    raw_segment, raw_slash, raw_rest = path.raw[begin:].partition(b"/")
    segment = _strict(unquote_to_bytes(raw_segment))
    return segment, _strict(unquote_to_bytes(raw_rest)) if raw_slash else None


def plain_template(template: str) -> str:
    """Return a template with the names of its parameters alone, as people read it."""
    return template.replace(":path}", "}").replace(":encoded}", "}")


class Route(Generic[_EndpointT]):
    """One path template and what answers each method there.

    Args:
        template: See :meth:`Router.add`.
        endpoints: By method. What answers GET answers HEAD too.

    Attributes:
        variants: Those of the endpoints that answer a GET of a special kind, by its name.
    """

    __slots__ = ("allow", "endpoints", "parameters", "template", "variants")

    def __init__(self, template: str, endpoints: Mapping[str, _EndpointT]) -> None:
        self.template: str = template
        self.variants: dict[str, _EndpointT] = {name: endpoints[name] for name in VARIANTS if name in endpoints}
        self.endpoints: dict[str, _EndpointT] = {
            method: endpoint for method, endpoint in endpoints.items() if method not in VARIANTS
        }
        if "GET" in self.endpoints:
            self.endpoints["HEAD"] = self.endpoints["GET"]
        self.allow: bytes = ", ".join(sorted(self.endpoints)).encode()
        self.parameters: tuple[str, ...] = tuple(name for name, _ in _parameters(template))


class _Node(Generic[_EndpointT]):
    __slots__ = ("children", "is_encoded", "parameter", "rest", "route")

    def __init__(self, *, is_encoded: bool = False) -> None:
        self.children: dict[str, _Node[_EndpointT]] = {}
        self.parameter: _Node[_EndpointT] | None = None
        self.rest: Route[_EndpointT] | None = None
        self.route: Route[_EndpointT] | None = None
        self.is_encoded = is_encoded


class Router(Generic[_EndpointT]):
    """Finds routes."""

    def __init__(self) -> None:
        self._root: _Node[_EndpointT] = _Node()

    def add(self, template: str, endpoints: Mapping[str, _EndpointT]) -> None:
        """Add a route.

        Args:
            template: Such as ``/store/ti/{task_instance_id}/{key:path}``. ``{a}`` is one segment that is not empty;
                ``{a:encoded}`` one segment, in which ``%2F`` is no separator; ``{a:path}`` the rest, which may be
                empty.
            endpoints: By method.
        """
        route = Route(template, endpoints)
        node = self._root
        for segment in template.split("/")[1:]:
            parameter = next(_parameters(segment), None)
            if parameter is None:
                node = node.children.setdefault(segment, _Node())
            elif parameter[1] == "path":
                node.rest = route
                return
            else:
                if node.parameter is None:
                    node.parameter = _Node(is_encoded=parameter[1] == "encoded")
                node = node.parameter
        node.route = route

    def match(self, path: RequestPath, start: int = 0) -> tuple[Route[_EndpointT], list[str]] | None:
        """Return the route of a path with the values of its parameters, or None.

        Args:
            start: Where the path begins for this router: the position of a slash.
        """
        text = path.text
        node = self._root
        values: list[str] = []
        if not text.startswith("/", start):
            return None
        begin = start + 1
        while True:
            if not node.children and node.rest is not None:
                values.append(text[begin:])
                return node.rest, values
            end = text.find("/", begin)
            segment = text[begin:] if end < 0 else text[begin:end]
            child = node.children.get(segment)
            if child is None:
                if node.rest is not None:
                    values.append(text[begin:])
                    return node.rest, values
                child = node.parameter
                if child is None:
                    return None
                if child.is_encoded:
                    segment, rest = _split_encoded(path, text, begin)
                    path = RequestPath(text := f"/{rest or ''}")
                    end = -1 if rest is None else 0
                elif not segment:
                    return None
                values.append(segment)
            if end < 0:
                return None if child.route is None else (child.route, values)
            node, begin = child, end + 1


def _parameters(template: str) -> Iterator[tuple[str, str]]:
    for segment in template.split("/"):
        if segment.startswith("{"):
            name, _, kind = segment[1:-1].partition(":")
            yield name, kind
