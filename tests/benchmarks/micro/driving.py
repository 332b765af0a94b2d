"""Calling the ASGI app as a server does, with nothing in between."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from statemount.mount import StateMount

_T = TypeVar("_T")


@dataclass(frozen=True)
class Call:
    """A request as ASGI has it.

    Args:
        expected: What the answer must have: a part of its body, or nothing for one without a body.
    """

    scope: Mapping[str, Any]
    body: bytes
    status: int
    expected: bytes

    @classmethod
    def of(cls, request: bytes, status: int, expected: bytes) -> Call:
        """Return a request that is given as HTTP/1.1 has it."""
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        method, target, _ = first.decode().split(" ")
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower(), text) for name, _, text in (line.partition(b": ") for line in lines)],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        return cls(scope, body, status, expected)

    async def make(self, app: StateMount) -> None:
        """Make the call, and check the answer."""
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": self.body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await app(dict(self.scope), receive, send)
        start, end = sent
        assert start["status"] == self.status, end
        assert self.expected in end["body"], end


@dataclass(frozen=True)
class Driver:
    """The app, started on an event loop that runs when it is told to."""

    state: StateMount
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run work to its end."""
        return self.loop.run_until_complete(work)

    def one_by_one(self, calls: list[Call]) -> None:
        """Make calls, each when the one before is answered."""
        self.run(self._one_by_one(calls))

    def at_once(self, calls: list[Call]) -> None:
        """Make calls together."""
        self.run(self._at_once(calls))

    async def _one_by_one(self, calls: list[Call]) -> None:
        for call in calls:
            await call.make(self.state)

    async def _at_once(self, calls: list[Call]) -> None:
        await asyncio.gather(*[call.make(self.state) for call in calls])


@contextmanager
def driving(state: StateMount) -> Iterator[Driver]:
    """Start the app, and stop it with the block."""
    loop = asyncio.new_event_loop()
    driver = Driver(state, loop)
    try:
        driver.run(state.start())
        yield driver
        driver.run(state.stop())
    finally:
        loop.close()
