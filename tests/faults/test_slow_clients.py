"""Clients that send slowly, do not read, or are gone without a word: nobody waits for them, and nothing is held."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.processes.outsiders import Outsider, outsider
from tests.processes.serving import PATIENCE, Process, serving
from tests.processes.test_cancel import eventually
from tests.processes.workers import Connection, request, task

pytestmark = pytest.mark.anyio

EACH = 8
"""Clients of each kind."""

_LIMIT = 1.0
"""How long a body is waited for, in seconds."""

_LARGE = "x" * 3_000_000
_SLOW = task("slow")
_QUICK = task("quick")


async def test_slow_clients(database_url: str, tmp_path: Path) -> None:
    """With a single connection to the database everybody else is served at once, and all is as before afterwards."""
    settings = {"STATEMOUNT_POOL_SIZE": "1", "STATEMOUNT_BODY_TIMEOUT_SECONDS": str(_LIMIT)}
    processes = [
        Process(database_url, tmp_path, server=server, app="tests.processes.counting:app", variables=settings)
        for server in ("uvicorn", "granian")
    ]
    async with outsider(database_url) as other, serving(*processes):
        for process in processes:
            await _check(process, other)
    for process in processes:  # uvicorn on uvloop complains of what it sends to a client that has left
        assert process.output.count("Traceback") == process.output.count("the handler is closed"), process.output


async def _check(process: Process, other: Outsider) -> None:
    quick = Connection(process.port)
    assert (await quick.put(_SLOW, "large", _LARGE)).status == 204
    await _serve_quickly(quick)
    before = (await quick.fetch("/alive")).value
    put = request("PUT", _SLOW.path("k"), _SLOW, b'{"value": "%s"}' % (b"x" * 1000))
    head = put.index(b"\r\n\r\n") + 4
    async with AsyncExitStack() as stack:
        late = []
        for _ in range(EACH):
            await stack.enter_async_context(_client(process.port, put[: head // 2]))
            late.append(await stack.enter_async_context(_client(process.port, put[:head])))
            late.append(await stack.enter_async_context(_client(process.port, put[: head + 500])))
            late.append(await stack.enter_async_context(_client(process.port, put[: head + 500], trickles=True)))
            late.append(await stack.enter_async_context(_client(process.port, put[: head + 500], half_closes=True)))
            get = request("GET", _SLOW.path("large"), _SLOW)
            await stack.enter_async_context(_client(process.port, get * 4, receive_buffer=4096))
        answers = asyncio.gather(*(_answer(reader) for reader, _ in late))
        ends_at = time.monotonic() + 1.5 * _LIMIT
        while time.monotonic() < ends_at:
            await _serve_quickly(quick)
        await eventually(lambda: _holds_nothing(other))
        for number, answer in enumerate(await answers):
            if number % 4 == 3:  # half-closed: servers take that for a client that is gone
                assert answer[:12] in (b"", b"HTTP/1.1 500"), answer
            elif number % 4 != 2 or answer:  # what still arrives when a connection is closed may cost the answer
                assert answer.startswith(b"HTTP/1.1 408 "), answer
                assert b"\r\nconnection: close\r\n" in answer.lower()
                assert answer.endswith(b'{"detail": "The body has not arrived within 1 seconds"}')
    assert (await quick.get(_SLOW, "k")).status == 404

    async def is_as_before() -> bool:
        now = (await quick.fetch("/alive")).value
        return not any(Counter(now[kind]) - Counter(before[kind]) for kind in ("tasks", "threads"))

    await eventually(is_as_before)
    quick.close()


async def _holds_nothing(other: Outsider) -> bool:
    sessions = await other.sessions()
    return sessions.in_transaction == 0 and sessions.open <= 2  # that of the pool, and on PostgreSQL the one that hears


async def _serve_quickly(connection: Connection) -> None:
    """Write and read over a connection, with no long wait."""
    began = time.monotonic()
    assert (await connection.put(_QUICK, "k", 1)).status == 204
    assert (await connection.get(_QUICK, "k")).value == 1
    assert time.monotonic() - began < 5


@asynccontextmanager
async def _client(
    port: int, sends: bytes, *, trickles: bool = False, half_closes: bool = False, receive_buffer: int | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Send a part of a request, and stay.

    Args:
        trickles: Goes on to send a byte now and then.
        half_closes: Says that nothing more will come, and waits for an answer.
        receive_buffer: Reads nothing, and has the system keep no more than so many bytes.
    """
    end = socket.create_connection(("127.0.0.1", port))
    end.setblocking(False)
    if receive_buffer is not None:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    reader, writer = await asyncio.open_connection(sock=end, limit=receive_buffer or 65_536)
    writer.write(sends)
    if half_closes:
        writer.write_eof()
    trickling = asyncio.ensure_future(_trickle(writer)) if trickles else None
    try:
        yield reader, writer
    finally:
        if trickling is not None:
            trickling.cancel()
            await asyncio.wait([trickling])
        writer.transport.abort()


async def _trickle(writer: asyncio.StreamWriter) -> None:
    for _ in range(1000):
        if writer.is_closing():
            break
        writer.write(b"x")
        await asyncio.sleep(0.1)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """Read until the connection is closed by the server."""
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE)
    except ConnectionError:
        return b""
