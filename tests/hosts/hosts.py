"""A host app that runs, as its clients see it: in this process, or behind a server."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
from typing_extensions import override

from tests.hosts.frameworks import FRAMEWORKS, Framework
from tests.hosts.world import HOSTS, Wishes
from tests.life.support import Lifespan

PATIENCE = 60.0
"""Seconds that anything is waited for: a machine that is busy takes its time."""


class Host(ABC):
    """A host app that runs.

    Attributes:
        client: Asks it; its base address has the root path, where there is one.
    """

    def __init__(self, wishes: Wishes, client: httpx.AsyncClient) -> None:
        self.wishes = wishes
        self.client = client

    @property
    def framework(self) -> Framework:
        """What it is made with."""
        return FRAMEWORKS[self.wishes.framework]

    async def log_in(self, name: str) -> dict[str, str]:
        """Return the headers by which the host knows a user."""
        if self.framework.login == "bearer":
            return {"authorization": f"Bearer {name}"}
        answer = await self.client.post(f"/login/{name}")
        assert answer.status_code == 200, answer.text
        cookie = answer.headers["set-cookie"].partition(";")[0]
        self.client.cookies.clear()
        return {"cookie": cookie}

    @abstractmethod
    async def talk(self, path: str, text: str) -> str:
        """Send a text over a websocket; return what comes back."""


class InProcess(Host):
    """A host app in this process, as a server would call it.

    Args:
        root_path: What the server is told to be the root path; paths include it.
    """

    def __init__(self, app: Any, wishes: Wishes, client: httpx.AsyncClient, root_path: str) -> None:
        super().__init__(wishes, client)
        self._app = app
        self._root_path = root_path

    @override
    async def talk(self, path: str, text: str) -> str:
        incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        outgoing: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": self._root_path + unquote(path),
            "raw_path": (self._root_path + path).encode(),
            "query_string": b"",
            "root_path": self._root_path,
            "headers": [(b"host", b"host")],
            "client": ("127.0.0.1", 1),
            "server": ("host", 80),
            "subprotocols": [],
            "state": {},
        }
        for message in (
            {"type": "websocket.connect"},
            {"type": "websocket.receive", "text": text},
            {"type": "websocket.disconnect", "code": 1000},
        ):
            incoming.put_nowait(message)
        await asyncio.wait_for(self._app(scope, incoming.get, outgoing.put), PATIENCE)
        accepted = outgoing.get_nowait()
        assert accepted["type"] == "websocket.accept", accepted
        answer: str = outgoing.get_nowait()["text"]
        return answer


class Served(Host):
    """A host app behind a server on this machine."""

    @override
    async def talk(self, path: str, text: str) -> str:
        # Imported here: the oldest versions are tested in this process alone, without it.
        from wsproto import ConnectionType, WSConnection
        from wsproto.events import AcceptConnection, Request, TextMessage

        address = urlsplit(str(self.client.base_url))
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        connection = WSConnection(ConnectionType.CLIENT)
        writer.write(connection.send(Request(host=HOSTS[0], target=address.path.rstrip("/") + path)))
        try:
            while True:
                for event in connection.events():
                    if isinstance(event, AcceptConnection):
                        writer.write(connection.send(TextMessage(data=text)))
                    else:
                        assert isinstance(event, TextMessage), event
                        return event.data
                connection.receive_data(await asyncio.wait_for(reader.read(4096), PATIENCE) or None)
        finally:
            writer.close()
            await writer.wait_closed()


@asynccontextmanager
async def in_process(wishes: Wishes, root_path: str = "") -> AsyncIterator[InProcess]:
    """Run a host app in this process, with its lifespan, until the end of the block."""
    app = FRAMEWORKS[wishes.framework].make(wishes)
    lifespan = Lifespan(app)
    await lifespan.startup()
    assert lifespan.answers == ["startup.complete"]
    app_state = lifespan.state

    async def with_state(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        await app({**scope, "state": dict(app_state)}, receive, send)

    transport = httpx.ASGITransport(with_state, root_path=root_path)
    try:
        async with httpx.AsyncClient(transport=transport, base_url=f"http://host{root_path}") as client:
            yield InProcess(with_state, wishes, client, root_path)
    finally:
        await lifespan.shutdown()
    assert lifespan.answers == ["startup.complete", "shutdown.complete"]


def only(headers: Mapping[str, str], *names: str) -> dict[str, str | None]:
    """Return some headers by name; None for those that are missing."""
    return {name: headers.get(name) for name in names}
