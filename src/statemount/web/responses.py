"""Answers, ready to be sent: a status, a list of headers and the body's bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeAlias

from statemount.web.requests import Send

Header: TypeAlias = tuple[bytes, bytes]

JSON: Header = (b"content-type", b"application/json")
PROBLEM_JSON: Header = (b"content-type", b"application/problem+json")


class Response:
    """One answer.

    Args:
        headers: Without ``content-length``, which is added unless the answer has no content at all.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Iterable[Header] = (), body: bytes = b"") -> None:
        self.status: int = status
        self.body: bytes = body
        self.headers: list[Header] = [*headers]
        if status != 204:
            self.headers.append((b"content-length", b"%d" % len(body)))

    async def send(self, send: Send, extra_headers: Iterable[Header] = (), *, has_body: bool = True) -> None:
        """Send it.

        Args:
            extra_headers: What this request's answer carries besides.
            has_body: False for HEAD: the headers go out as they are.
        """
        headers = [*self.headers, *extra_headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body if has_body else b""})


NO_CONTENT = Response(204)
"""What a write is answered with."""

NULL = Response(200, (JSON,), b"null")
"""What a write is answered with where Airflow's answer has a body."""


def json_response(status: int, content: Any, headers: Iterable[Header] = (), content_type: Header = JSON) -> Response:
    """Return an answer with JSON, whose content type has no charset: with one, Airflow's client would not know it."""
    return Response(status, (content_type, *headers), json.dumps(content, allow_nan=False).encode())
