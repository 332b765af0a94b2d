"""One request of a case, asked of the app message by message, as a server does that normalises nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote_to_bytes

from tests.contract.transports import Answer
from tests.fuzzing.cases import Call
from tests.fuzzing.world import World

_MAX_CHUNKS = 200
_TURNS = 6
"""So often the event loop turns before the reader of a watch goes away."""


@dataclass(frozen=True)
class Asked:
    """A request that was answered, or left unanswered as its client went away.

    Args:
        call: With all words replaced.
        answer: None = there is none.
    """

    call: Call
    answer: Answer | None

    @property
    def method(self) -> str:
        """The method."""
        return self.call.method.decode("latin-1")

    @property
    def is_plain(self) -> bool:
        """Whether a server hands it over as most do."""
        return not any(name.startswith((b"@no-raw-path", b"@root-path")) for name, _ in self.call.headers)

    def header(self, name: bytes) -> bytes | None:
        """Return the value of a header of the request; of a repeated one the last."""
        return next((value for each, value in reversed(self.call.headers) if each == name), None)


def filled(world: World, call: Call) -> Call:
    """Return a request with all words replaced."""
    headers = [(name, world.fill(value)) for name, value in call.headers]
    return replace(call, target=world.fill(call.target), headers=headers, body=world.fill(call.body))


async def ask(world: World, call: Call) -> Asked:
    """Ask; check that the answer is one by the rules of ASGI."""
    call = filled(world, call)
    messages = _messages(call)
    sent: list[Mapping[str, Any]] = []

    async def receive() -> Mapping[str, Any]:
        message = next(messages, None)
        if message is not None:
            return message
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        return {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    app: Any = world.state
    await app(_scope(call), receive, send)
    return Asked(call, _answer(call, sent))


def _scope(call: Call) -> dict[str, Any]:
    raw, _, query = call.target.partition(b"?")
    root = (call.option(b"root-path") or b"").decode("latin-1")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": call.method.decode("latin-1"),
        "scheme": "http",
        "path": unquote_to_bytes(raw).decode("utf-8", "replace"),
        "raw_path": raw,
        "query_string": query,
        "root_path": root,
        "headers": [header for header in call.headers if not header[0].startswith(b"@")],
        "client": ("127.0.0.1", 1),
        "server": ("host", 80),
    }
    if call.option(b"no-raw-path") is not None:
        del scope["raw_path"]
    return scope


def _messages(call: Call) -> Iterator[Mapping[str, Any]]:
    size = call.option(b"chunk") or b""
    length = max(int(size[:6]) if size[:6].isdigit() else 0, len(call.body) // _MAX_CHUNKS, 1)
    step = length if size else max(len(call.body), 1)
    chunks = [call.body[begin : begin + step] for begin in range(0, len(call.body), step)] or [b""]
    is_gone = call.option(b"gone") is not None
    for number, chunk in enumerate(chunks):
        if is_gone and number == len(chunks) - 1:
            break
        yield {"type": "http.request", "body": chunk, "more_body": is_gone or number < len(chunks) - 1}


def _answer(call: Call, sent: list[Mapping[str, Any]]) -> Answer | None:
    if not sent:
        assert call.option(b"gone") is not None, "there is no answer"
        return None
    start, *parts = sent
    assert start["type"] == "http.response.start"
    assert all(part["type"] == "http.response.body" for part in parts)
    names = [name for name, _ in start["headers"]]
    assert len(names) == len(set(names)), f"a header is sent twice: {names}"
    for name, value in start["headers"]:
        assert (type(name), type(value)) == (bytes, bytes)
        assert name == name.lower()
        assert all(0x20 <= byte < 0x7F for byte in value), (name, value)
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    if headers.get("content-type") != "text/event-stream":
        assert [part.get("more_body", False) for part in parts] == [*[True] * (len(parts) - 1), False]
    return Answer(start["status"], headers, b"".join(part.get("body", b"") for part in parts))
