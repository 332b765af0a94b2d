"""LISTEN and NOTIFY of PostgreSQL: a short text for every process that listens, with no promise that it arrives."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

import asyncpg

from statemount.database.connections import Connections
from statemount.database.drivers.postgresql import PostgreSQLDriver
from statemount.database.query import Query, Script
from statemount.database.url import DatabaseUrl

_logger = logging.getLogger("statemount.database")

_CHECK_SECONDS = 30.0  # a connection that only listens does not notice by itself that the server is gone
_ANSWER_SECONDS = 5.0
_SHORTEST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0


class Notifications:
    """One channel of one database.

    A NOTIFY is a statement of its own, outside of any other transaction: within one it takes a lock, until the commit,
    that is the same for the whole database. LISTEN needs a session that stays: behind a pooler that gives each
    transaction another one, it needs another URL.

    Args:
        connections: What NOTIFY goes over.
        channel: Its name: 1 to 63 characters.
        url: Where to listen, over a connection that is held for it; None = nowhere.
    """

    def __init__(self, connections: Connections, *, channel: str, url: DatabaseUrl) -> None:
        self._connections = connections
        self._channel = channel
        self._url = url

    async def call(self, text: str) -> None:
        """Send a text of less than 8,000 bytes. It runs in the task that calls, which is not a request's.

        Raises:
            UnavailableError: The database does not answer.
        """
        await self._connections.read(lambda: self._call_script(text))

    def _call_script(self, text: str) -> Script[None]:
        yield Query("SELECT pg_notify($1, $2)", (self._channel, text))

    async def listen(self, heard: Callable[[str], None], is_up: Callable[[bool], None]) -> None:
        """Listen until this is cancelled; a connection that breaks is replaced.

        Args:
            heard: Is given each text, one's own included.
            is_up: Is told when it listens, and when it does so no longer: what is sent meanwhile is lost.
        """
        pause = _SHORTEST_PAUSE_SECONDS
        is_failing = False
        while True:
            try:
                connection = await self._connect()
            except Exception as error:
                log = _logger.debug if is_failing else _logger.warning
                log("notifications cannot be heard, which is tried again: %s: %s", type(error).__name__, error)
                is_failing = True
            else:
                was_up = await self._hear(connection, heard, is_up)
                is_failing = is_failing and not was_up
                pause = _SHORTEST_PAUSE_SECONDS if was_up else pause
            await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - so that processes do not come together
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _connect(self) -> Any:
        driver = PostgreSQLDriver(statement_seconds=_ANSWER_SECONDS, lock_seconds=_ANSWER_SECONDS)
        name = self._url.options.get("application_name", "statemount")
        return await driver.connect(self._url, server_settings={"application_name": f"{name} (watching)"})

    async def _hear(self, connection: Any, heard: Callable[[str], None], is_up: Callable[[bool], None]) -> bool:
        """Listen on a connection until it breaks; return whether it ever did."""
        ended = asyncio.Event()
        was_up = False
        try:
            connection.add_termination_listener(lambda _: ended.set())
            await connection.add_listener(self._channel, lambda *told: heard(told[-1]))
            was_up = True
            is_up(True)
            while not ended.is_set():
                try:
                    await asyncio.wait_for(ended.wait(), _CHECK_SECONDS)
                except asyncio.TimeoutError:
                    await connection.execute("SELECT 1", timeout=_ANSWER_SECONDS)
        except (OSError, asyncio.TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _logger.info("notifications are not heard for a moment: %s: %s", type(error).__name__, error)
        finally:
            connection.terminate()
            if was_up:
                is_up(False)
        return was_up
