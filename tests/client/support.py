"""What the tests of the client share: the app on a real socket and on the test's own loop, and servers with faults."""

from __future__ import annotations

import inspect
import socket
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from uuid import UUID, uuid4

import httpx
import uvicorn
from starlette.applications import Starlette

from statemount.auth.jwt import JWTAuth
from statemount.client import AsyncStateClient, Retries, StateClient
from statemount.model import TaskInstance, TaskScope
from statemount.mount import StateMount
from statemount.web.middleware import StateMiddleware

SECRET = "a secret of sixty-four bytes, as RFC 7518 asks for with HMAC-512"
AUTH = JWTAuth(secret=SECRET)
PERMISSIONS = ("state:read", "state:write", "state:delete", "directory:read", "directory:write")
PATIENCE = 30.0

Way: TypeAlias = Literal["threads", "loop", "asgi"]
"""The sync client on a socket, the async one on a socket, the async one on the app itself."""

WAYS: tuple[Way, ...] = ("threads", "loop", "asgi")
SOCKETS: tuple[Way, ...] = ("threads", "loop")


async def done(outcome: Any) -> Any:
    """Return what a client's method returns, awaited if it is the async client's."""
    return await outcome if inspect.isawaitable(outcome) else outcome


@asynccontextmanager
async def closing(client: Any) -> AsyncIterator[Any]:
    """Close a client at the end of the block."""
    try:
        yield client
    finally:
        await done(client.close())


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an app from a thread of its own until the end of the block; give its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listener.close()
        assert not thread.is_alive()


@dataclass
class World:
    """A running app with a task instance and an asset.

    Args:
        url: Of the app on a socket; None = it is asked on the test's loop.
        ti_id: The task instance.
    """

    state: StateMount
    host: StateMiddleware
    way: Way
    url: str | None
    ti_id: UUID = field(default_factory=uuid4)
    scope: TaskScope = field(default_factory=lambda: TaskScope("a dag", f"run {uuid4()}", "task"))
    asset_name: str = field(default_factory=lambda: f"asset/{uuid4()}")
    asset_id: int = 0

    @property
    def asset_uri(self) -> str:
        """The asset's URI."""
        return f"s3://bucket/{self.asset_name}?x=1#part"

    async def fill(self) -> None:
        """Register the task instance and the asset."""
        directory = self.state.directory
        asset = await directory.register_asset(name=self.asset_name, uri=self.asset_uri)
        self.asset_id = asset.asset_id
        await directory.register_task_instances(
            [TaskInstance(self.ti_id, self.scope, outlets=frozenset({self.asset_id}))]
        )

    def worker(self, **options: Any) -> Any:
        """Return a client with the task instance's own token."""
        return self.client(AUTH.tokens.worker(self.ti_id), **options)

    def user(self, permissions: Sequence[str] = PERMISSIONS, **options: Any) -> Any:
        """Return a client for the public API."""
        return self.client(AUTH.tokens.public("somebody", permissions), **options)

    def client(self, token: Any, **options: Any) -> Any:
        """Return a client with a token."""
        if self.way == "asgi":
            options.setdefault("transport", httpx.ASGITransport(self.host))
        return client_of(self.way, f"{self.url or 'http://host'}/state", token=token, **options)


def client_of(way: Way, url: str, **options: Any) -> Any:
    """Return a client; its calls are to be passed to :func:`done`."""
    if way == "threads":
        return StateClient(url, **options)
    return AsyncStateClient(url, **options)


def mounted(state: StateMount) -> StateMiddleware:
    """Return a host app with the app below ``/state``. Starlette's own Mount does not match newlines."""
    return StateMiddleware(Starlette(), state=state, prefix="/state")


@dataclass(frozen=True)
class Asked:
    """A request as it came to a :class:`FaultyServer`.

    Args:
        headers: By lower-case name.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Reaction: TypeAlias = "bytes | Literal['cut', 'reset', 'silence', 'half']"
"""Bytes to send; or close, reset, say nothing, or close in the middle of an answer."""


def answer(status: int, body: str = "", **headers: str) -> bytes:
    """Return an HTTP answer."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body.encode())}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", body]).encode()


class FaultyServer:
    """Reacts to one request after the other as it is told; the last reaction stays.

    Attributes:
        asked: The requests that came.
        has_asked: Set once the first one has come.
        connections: How many were opened.
    """

    def __init__(self, *reactions: Reaction) -> None:
        self.asked: list[Asked] = []
        self.has_asked = threading.Event()
        self.connections = 0
        self._reactions = list(reactions)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._closing = threading.Event()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> FaultyServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with socket.create_connection(self._listener.getsockname()):
            pass  # wakes the thread that accepts
        self._thread.join(PATIENCE)
        for connection in self._open:
            with suppress(OSError):  # it is closed already
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._closing.is_set():
                connection.close()
                return
            self.connections += 1
            self._open.append(connection)
            self._threads.append(threading.Thread(target=self._answer_all, args=(connection,)))
            self._threads[-1].start()

    def _answer_all(self, connection: socket.socket) -> None:
        with suppress(ConnectionError), connection, connection.makefile("rb") as stream:
            while line := stream.readline():
                self.asked.append(_read(line, stream))
                self.has_asked.set()
                if not self._react(connection):
                    return

    def _react(self, connection: socket.socket) -> bool:
        reaction = self._reactions.pop(0) if len(self._reactions) > 1 else self._reactions[0]
        if isinstance(reaction, bytes):
            connection.sendall(reaction)
            return True
        if reaction == "silence":
            self._closing.wait(PATIENCE)
        elif reaction == "half":
            connection.sendall(answer(200, "x" * 10)[:-5])
        elif reaction == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False


def _read(line: bytes, stream: Any) -> Asked:
    method, target, _ = line.decode().split(" ")
    headers: dict[str, str] = {}
    while (header := stream.readline().strip()) != b"":
        name, _, value = header.decode().partition(":")
        headers[name.lower()] = value.strip()
    return Asked(method, target, headers, stream.read(int(headers.get("content-length", 0))))


@dataclass
class Rest:
    """A clock that only sleep moves, and what was slept.

    Args:
        now: Seconds.
    """

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        """Sleep in no time."""
        self.slept.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        """Sleep in no time."""
        self.sleep(seconds)

    def options(self, way: Way, **retries: Any) -> dict[str, Any]:
        """Return the options of a client that rests like this, with no jitter but the longest."""
        sleep: Callable[[float], None | Awaitable[None]] = self.sleep if way == "threads" else self.asleep
        rules = {"random": lambda: 1.0, "clock": lambda: self.now, "now": lambda: self.now, **retries}
        return {"sleep": sleep, "retries": Retries(**rules)}


@asynccontextmanager
async def running(state: StateMount, way: Way, *, is_filled: bool = True) -> AsyncIterator[World]:
    """Run an app until the end of the block, with something registered unless told otherwise."""
    host = mounted(state)
    async with AsyncExitStack() as stack:
        # Both: what a test registers or looks at on its own loop, it does in a runtime of that loop.
        await stack.enter_async_context(state.lifespan())
        url = None if way == "asgi" else stack.enter_context(serving(host))
        world = World(state, host, way, url)
        if is_filled:
            await world.fill()
        yield world
