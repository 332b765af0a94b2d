"""Workers that write without pause until their server is gone, and remember what they were told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from tests.hosts.hosts import PATIENCE, Host
from tests.hosts.world import HOSTS, MAIN


@dataclass
class Writer:
    """A worker on one connection, which writes one new key after the other.

    Args:
        name: Of the worker: the UUID of its task instance.
        headers: By which the host knows it.
        prefix: Of the host's paths.
        acknowledged: The keys that the server said it has.
    """

    name: str
    headers: dict[str, str]
    prefix: str
    acknowledged: set[str] = field(default_factory=set)
    sent: int = 0

    @classmethod
    async def of(cls, host: Host) -> Writer:
        """Return a writer whom the host knows."""
        name = str(uuid4())
        return cls(name, await host.log_in(name), host.client.base_url.path.rstrip("/"))

    async def run(self, port: int) -> None:
        """Write until the connection is closed; an answer that is no acknowledgement is an error."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while True:
                key = f"k{self.sent}"
                self.sent += 1
                writer.write(self._request(key))
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
                assert head.startswith(b"HTTP/1.1 204 "), head
                self.acknowledged.add(key)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            # Closed between two answers: the server has not begun with the request, or we are to find that it has.
            if getattr(error, "partial", b""):
                raise AssertionError("an answer was cut off") from error
        finally:
            writer.close()

    @property
    def last(self) -> str:
        """The key that was sent last."""
        return f"k{self.sent - 1}"

    def _request(self, key: str) -> bytes:
        body = b'{"value": "' + key.encode() + b'"}'
        lines = [
            f"PUT {self.prefix}{MAIN}/execution/store/ti/{self.name}/{key} HTTP/1.1",
            f"Host: {HOSTS[0]}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body


async def write_until_it_stops(
    host: Host, port: int, *, writers: int, writes: int, stop: Callable[[], None]
) -> list[Writer]:
    """Let writers write, stop the server after some writes, and return the writers when every connection is closed."""
    made = [await Writer.of(host) for _ in range(writers)]
    tasks = [asyncio.create_task(writer.run(port)) for writer in made]
    while sum(len(writer.acknowledged) for writer in made) < writes:
        assert not any(task.done() for task in tasks), [task for task in tasks if task.done()]
        await asyncio.sleep(0.002)
    stop()
    await asyncio.gather(*tasks)
    return made
