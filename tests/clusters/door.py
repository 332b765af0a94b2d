"""One address that leads to one of several servers at a time, as a proxy with a single writer does, or to none."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Door:
    """Passes connections on to one port on this machine.

    Args:
        port: Where they go at first.
    """

    def __init__(self, port: int) -> None:
        self._leads_to = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def open(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def close(self) -> None:
        """Break all connections, and listen no more."""
        if self._server is not None:
            self._server.close()
        while self._writers:
            self._break_all()
            await asyncio.sleep(0.01)

    def turn(self, port: int) -> None:
        """Lead to another port from now on; connections to the one before are broken."""
        self._leads_to = port
        self._break_all()

    def shut(self) -> None:
        """Lead nowhere from now on; connections are broken."""
        self.turn(0)

    def _break_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        leads_to = self._leads_to
        self._writers.add(writer)
        try:
            onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", leads_to)
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(onward_writer)
        if leads_to != self._leads_to:  # it was turned meanwhile
            writer.transport.abort()
        try:
            await asyncio.gather(_pass(reader, onward_writer), _pass(onward_reader, writer))
        finally:
            self._writers -= {writer, onward_writer}


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
