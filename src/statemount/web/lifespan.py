"""The lifespan protocol of ASGI: our start and stop, alone or around a host app's own."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from statemount.errors import ConfigurationError
from statemount.interfaces import AsgiScope
from statemount.web.requests import Message, Receive, Send

_logger = logging.getLogger(__name__)

Host: TypeAlias = Callable[[Receive, Send], Awaitable[None]]
"""Runs the host app on the lifespan scope."""


class Startable(Protocol):
    """An ASGI app that whoever mounts it starts and stops."""

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer a request."""

    async def start(self) -> None:
        """Get ready. A database that is down is no reason to fail.

        Raises:
            ConfigurationError: It can never work like this.
        """

    async def stop(self) -> None:
        """Give everything back. A no-op if it is not started."""


async def serve_lifespan(state: Startable, receive: Receive, send: Send, host: Host | None = None) -> None:
    """Start, wait for the end, stop; the server is answered once, whatever the host app does.

    ``state`` starts before the host app hears of the startup, and stops after the host app has finished its shutdown.
    A host app that refuses the lifespan scope (it raises, or returns, without an answer) is left out. If ``state``
    cannot start, the host app is not asked at all.
    """
    startup = await receive()
    try:
        await state.start()
    except ConfigurationError as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    lifespan = _Lifespan(state, receive, send)
    try:
        if host is not None:
            await lifespan.run_host(host, startup)
        await lifespan.finish()
    finally:
        await state.stop()


class _Lifespan:
    """What has been said between the server and the host app so far."""

    def __init__(self, state: Startable, receive: Receive, send: Send) -> None:
        self._state = state
        self._receive = receive
        self._send = send
        self._is_started = False
        self._is_shutdown = False
        self._is_over = False

    async def run_host(self, host: Host, startup: Message) -> None:
        unread = [startup]

        async def receive() -> Message:
            if unread:
                return unread.pop()
            message = await self._receive()
            self._is_shutdown = self._is_shutdown or message["type"] == "lifespan.shutdown"
            return message

        try:
            await host(receive, self._send_for_host)
        except Exception as error:
            if self._is_started or self._is_over:
                raise
            _logger.info("the host app refuses the lifespan scope: %r", error)

    async def _send_for_host(self, message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            self._is_started = True
        else:  # a failed startup, or the end of the shutdown
            self._is_over = True
            await self._state.stop()
        await self._send(message)

    async def finish(self) -> None:
        """Say what the host app has left unsaid."""
        if self._is_over:
            return
        if not self._is_started:
            await self._send({"type": "lifespan.startup.complete"})
        if not self._is_shutdown:
            await self._receive()
        await self._state.stop()
        await self._send({"type": "lifespan.shutdown.complete"})
