"""Two ways to ask an ASGI app: through httpx, and message by message with nothing normalised."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, Union
from urllib.parse import unquote

import httpx

from statemount.web.requests import Receive, Send

Headers: TypeAlias = Union[Mapping[str, str], Sequence[tuple[str, str]]]
"""By name; or as pairs, as often as they are there."""


@dataclass(frozen=True)
class Answer:
    """What came back.

    Args:
        headers: By name; of a repeated one the values with a comma between them.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


async def ask_with_httpx(app: Any, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    """Ask through httpx."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
        response = await client.request(method, target, headers=dict(headers), content=body)
    return Answer(response.status_code, dict(response.headers), response.content)


def scope_of(method: str, target: str, headers: Headers, **changes: Any) -> dict[str, Any]:
    """Return the scope that a server makes of a request's head."""
    path, _, query = target.partition("?")
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        "client": ("127.0.0.1", 1),
        "server": ("host", 80),
        **changes,
    }


async def ask(app: Any, method: str, target: str, headers: Headers, body: bytes | None, **changes: Any) -> Answer:
    """Ask message by message.

    Args:
        headers: As pairs they are all that is sent; otherwise the length of the body is, too.
        changes: To the scope.
    """
    if isinstance(headers, Mapping):
        headers = {**headers, "content-length": str(len(body or b""))}
    scope = scope_of(method, target, headers, **changes)
    received = iter([{"type": "http.request", "body": body or b"", "more_body": False}])
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return next(received)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await _call(app, scope, receive, send)
    start, *parts = sent
    names = [name for name, _ in start["headers"]]
    assert len(names) == len(set(names)), f"a header is sent twice: {names}"
    answered = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], answered, b"".join(part.get("body", b"") for part in parts))


async def _call(app: Any, scope: dict[str, Any], receive: Receive, send: Send) -> None:
    await app(scope, receive, send)
