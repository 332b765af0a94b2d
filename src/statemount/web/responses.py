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
        headers: Without ``content-length``, which is added unless the answer never has content (204, 304).
    """

    __slots__ = ("body", "headers", "status")

    is_endless: bool = False
    """Whether it may take for ever to send it."""

    def __init__(self, status: int, headers: Iterable[Header] = (), body: bytes = b"") -> None:
        self.status: int = status
        self.body: bytes = body
        self.headers: list[Header] = [*headers]
        if status not in {204, 304}:
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

    def discard(self) -> None:
        """Give up what it holds: it is not sent. A no-op for what is complete."""
        return None


NO_CONTENT = Response(204)
"""What a removal is answered with."""


def etag(revision: int) -> Header:
    """Return the strong entity tag of a revision; that of a row that somebody else wrote may be no number."""
    return b"etag", b'"%d"' % (revision if type(revision) is int else 0)


def written(revision: int) -> Response:
    """Return what the write of an entry is answered with."""
    return Response(204, (etag(revision),))


def changed(revision: int) -> Response:
    """Return what the write of an entry is answered with where Airflow's answer has a body."""
    return Response(200, (JSON, etag(revision)), b"null")


def json_response(status: int, content: Any, headers: Iterable[Header] = (), content_type: Header = JSON) -> Response:
    """Return an answer with JSON, whose content type has no charset: with one, Airflow's client would not know it."""
    return Response(status, (content_type, *headers), json.dumps(content, allow_nan=False).encode())
