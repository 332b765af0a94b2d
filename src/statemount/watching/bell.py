"""Telling other processes at once which scopes have moved, and hearing it from them.

It only saves time: whatever is not heard is found by asking the database.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import secrets
from base64 import b64encode
from collections.abc import Callable, Collection
from typing import Protocol, TypeAlias

from statemount.database.digests import scope_digest
from statemount.model import Scope

_logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.02
"""The shortest time from one call to the next."""

_TAG_BYTES = 9
_EVERYTHING = "*"
_MOST_TAGS = 500
"""So many fit into the 8,000 bytes of a notification; of more scopes it says that all may have moved."""

Heard: TypeAlias = Callable[[str], None]
"""Is given what somebody has called."""

IsUp: TypeAlias = Callable[[bool], None]
"""Is told whether the line is up: what was called while it was not is lost."""


class Line(Protocol):
    """What calls go over, to all processes that listen."""

    async def call(self, text: str) -> None:
        """Call a short text.

        Raises:
            UnavailableError: It cannot be called now.
        """

    async def listen(self, heard: Heard, is_up: IsUp) -> None:
        """Listen until this is cancelled, again and again where the line breaks."""


def tag_of(scope: Scope) -> str:
    """Return the short name that a scope has in calls."""
    return b64encode(scope_digest(scope)[:_TAG_BYTES]).decode()


class Bell:
    """Calls out which scopes have moved, a moment after it is told: many of them in one call.

    Args:
        line: What it calls over.
        interval: Seconds from one call to the next, at least.
    """

    def __init__(self, line: Line, *, interval: float = INTERVAL_SECONDS) -> None:
        self._line = line
        self._interval = interval
        self._own = secrets.token_hex(6)
        self._moved: set[Scope] = set()
        self._has_everything = False
        self._task: asyncio.Task[None] | None = None
        self._is_failing = False

    def ring(self, scope: Scope | None) -> None:
        """Call out that a scope has moved; None = that any may have."""
        if scope is None or len(self._moved) >= _MOST_TAGS:
            self._has_everything = True
        else:
            self._moved.add(scope)
        if self._task is None or self._task.done():
            loop = asyncio.get_running_loop()
            self._task = contextvars.Context().run(loop.create_task, self._call_out())
            self._task._log_destroy_pending = False  # type: ignore[attr-defined]

    async def _call_out(self) -> None:
        while self._moved or self._has_everything:
            tags = [_EVERYTHING] if self._has_everything else [tag_of(scope) for scope in self._moved]
            self._moved.clear()
            self._has_everything = False
            try:
                await self._line.call(f"{self._own} {' '.join(tags)}")
            except Exception as error:
                self._note(error)
            else:
                self._is_failing = False
            await asyncio.sleep(self._interval)

    def _note(self, error: Exception) -> None:
        log = _logger.debug if self._is_failing else _logger.warning
        log("other processes are not told of changes at once: %s: %s", type(error).__name__, error)
        self._is_failing = True

    async def listen(self, moved: Callable[[Collection[str] | None], None], is_up: IsUp) -> None:
        """Listen until this is cancelled.

        Args:
            moved: Is told the tags of scopes that have moved, by what other processes call; None = any may have.
            is_up: Is told whether they are heard.
        """

        def heard(text: str) -> None:
            caller, *tags = text.split(" ")
            if caller != self._own:
                moved(None if _EVERYTHING in tags else tags)

        await self._line.listen(heard, is_up)

    async def close(self) -> None:
        """Call out what is left."""
        if self._task is not None:
            await asyncio.wait([self._task])
