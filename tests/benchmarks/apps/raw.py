"""The raw baseline: what the server and the ASGI protocol cost, with no framework at all."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.apps.answer import Answer

_ANSWER = Answer.load()
_CONTENT = _ANSWER.body.encode()
_HEADERS = [(name.encode(), value.encode()) for name, value in _ANSWER.headers]
if _ANSWER.status != 204:
    _HEADERS.append((b"content-length", b"%d" % len(_CONTENT)))
_START = {"type": "http.response.start", "status": _ANSWER.status, "headers": _HEADERS}
_BODY = {"type": "http.response.body", "body": _CONTENT}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer every request alike; take the body of one that has one."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    if scope["method"] != "GET":
        while (await receive()).get("more_body", False):
            pass
    await send(_START)
    await send(_BODY)


async def _live(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
