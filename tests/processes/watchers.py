"""Readers of server-sent events that lose their connection again and again, and go on where they were."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from typing import NamedTuple

from tests.processes.workers import Target, request


class Told(NamedTuple):
    """What a change says that is in the log, too."""

    revision: int
    kind: str
    key: str | None
    size: int


class Watcher:
    """Watches a scope, or a key of it, through any of several servers.

    Args:
        key: None = the whole scope.
        ports: Of the servers.
        seed: Of its decisions.

    Attributes:
        told: Every change that it was told, in that order.
        connections: How many it has had.
        position: The id of the last event; None = there was none.
    """

    def __init__(self, target: Target, key: str | None, ports: list[int], seed: object) -> None:
        self.target = target
        self.key = key
        self.told: list[Told] = []
        self.connections = 0
        self.position: int | None = None
        self._ports = ports
        self._random = random.Random(str(seed))

    async def run(self, goes_on: Callable[[Watcher], bool], *, longest: float) -> None:
        """Watch while a condition holds.

        Args:
            longest: Seconds that a connection lasts at most, whatever it is in the middle of.
        """
        while goes_on(self):
            self.connections += 1
            seconds = self._random.random() ** 2 * longest
            try:
                await asyncio.wait_for(self._read(self._random.choice(self._ports)), seconds)
            except asyncio.TimeoutError:
                continue

    async def _read(self, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            head = request("GET", self.target.watch_path(self.key), self.target)
            known = "" if self.position is None else f"Last-Event-ID: {self.position}\r\n"
            writer.write(head.replace(b"\r\n\r\n", f"\r\nAccept: text/event-stream\r\n{known}\r\n".encode()))
            status = await reader.readuntil(b"\r\n\r\n")
            assert status.startswith(b"HTTP/1.1 200 "), status
            text = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                text += (await reader.readexactly(size + 2))[:-2]
                *blocks, text = text.split(b"\n\n")
                for block in blocks:
                    self._take(dict(line.split(": ", 1) for line in block.decode().split("\n") if ": " in line))
        finally:
            writer.transport.abort()

    def _take(self, fields: dict[str, str]) -> None:
        if "data" in fields:
            data = json.loads(fields["data"])
            assert fields["event"] != "reset", (self.target.name, self.position, data)
            assert data["revision"] == int(fields["id"])
            if fields["event"] != "ready":
                self.told.append(Told(data["revision"], fields["event"], data.get("key"), data.get("size", 0)))
        if "id" in fields:
            self.position = int(fields["id"])
