"""A reader of server-sent events, straight from an ASGI app: message by message, as fast or slow as a test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.contract.transports import scope_of
from tests.watching.support import PATIENCE

EVENTS = "text/event-stream"


@dataclass(frozen=True)
class Sent:
    """One event."""

    kind: str
    id: int
    data: dict[str, Any]


class Stream:
    """What an app sends for one request, as it comes.

    Attributes:
        status: None as long as nothing has come.
        is_complete: Whether the app has sent the end of the body.
        takes: While it is clear, nothing that is sent is taken.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.is_complete = False
        self.takes = asyncio.Event()
        self.takes.set()
        self._left = asyncio.Event()
        self._is_asked = False
        self._text = ""
        self._changed = asyncio.Condition()
        self.task: asyncio.Task[None]

    async def receive(self) -> MutableMapping[str, Any]:
        """Be asked, and then wait until the reader leaves."""
        if not self._is_asked:
            self._is_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Take what the app sends."""
        await self.takes.wait()
        async with self._changed:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                self._text += message.get("body", b"").decode()
                self.is_complete = not message.get("more_body", False)
            self._changed.notify_all()

    def leave(self) -> None:
        """Go away."""
        self._left.set()

    async def block(self) -> str:
        """Wait for the next block, up to its empty line."""
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: "\n\n" in self._text or self.is_complete), PATIENCE)
            block, separator, self._text = self._text.partition("\n\n")
            assert separator, f"the stream has ended: {block!r}"
        return block

    async def event(self) -> Sent:
        """Wait for the next event; comments and the like are passed over."""
        while True:
            lines = [line.partition(": ") for line in (await self.block()).split("\n")]
            fields = {name: value for name, _, value in lines}
            if "data" in fields:
                return Sent(fields["event"], int(fields["id"]), json.loads(fields["data"]))

    async def events(self, count: int) -> list[Sent]:
        """Wait for the next events."""
        return [await self.event() for _ in range(count)]

    async def began(self) -> None:
        """Wait for the head."""
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: self.status is not None), PATIENCE)

    async def ended(self) -> str:
        """Wait for the end; return what has come and was not looked at."""
        await asyncio.wait_for(asyncio.wait([self.task]), PATIENCE)
        assert self.task.done()
        return self._text


@asynccontextmanager
async def streaming(
    app: Any, target: str, headers: Mapping[str, str], *, method: str = "GET", **changes: Any
) -> AsyncIterator[Stream]:
    """Ask an app for the length of a block; then its reader leaves, and the app must be done with it.

    Args:
        changes: To the ASGI scope.
    """
    stream = Stream()
    asgi_scope = scope_of(method, target, {"accept": EVENTS, **headers}, **changes)
    stream.task = asyncio.ensure_future(app(asgi_scope, stream.receive, stream.send))
    try:
        await stream.began()
        yield stream
    finally:
        stream.leave()
        await stream.ended()
    if not stream.task.cancelled():
        stream.task.result()
