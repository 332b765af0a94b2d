"""What the drivers of database servers have in common: a transaction is a conversation on the event loop."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

from statemount.database.drivers.base import BeginError, CommitError, Driver
from statemount.database.query import Query, Row, ScriptFactory

T = TypeVar("T")

_GRACE_SECONDS = 2.0  # the server's own limits come first; this is for one that does not answer at all


class ServerDriver(Driver):
    """Runs scripts over a connection that is broken off when the server does not answer in time."""

    @abstractmethod
    async def begin(self, raw: Any) -> None:
        """Begin a transaction."""

    @abstractmethod
    async def commit(self, raw: Any) -> None:
        """Commit it."""

    @abstractmethod
    async def rollback(self, raw: Any) -> None:
        """Roll it back."""

    def refuses_commit(self, error: BaseException) -> bool:
        """Tell whether the server has answered COMMIT with an error that says that it has rolled back instead."""
        return False

    @abstractmethod
    async def execute(self, raw: Any, query: Query) -> Sequence[Row]:
        """Run one query, and return its rows."""

    async def read(self, raw: Any, factory: ScriptFactory[T]) -> T:
        watchdog = self._watch(raw)
        try:
            return await self._run(raw, factory)
        finally:
            watchdog.cancel()

    async def write(self, raw: Any, factory: ScriptFactory[T]) -> T:
        watchdog = self._watch(raw)
        try:
            try:
                await self.begin(raw)
            except Exception as error:
                raise BeginError from error
            try:
                result = await self._run(raw, factory)
            except Exception:
                await self._roll_back(raw)
                raise
            try:
                await self.commit(raw)
            except Exception as error:
                await self._roll_back(raw)
                if self.refuses_commit(error):  # so that it is known what became of it
                    raise
                raise CommitError from error
            return result
        except asyncio.CancelledError:
            self.abort(raw)  # nobody will end this transaction any more
            raise
        finally:
            watchdog.cancel()

    def _watch(self, raw: Any) -> asyncio.TimerHandle:
        seconds = self.statement_seconds + _GRACE_SECONDS
        return asyncio.get_running_loop().call_later(seconds, self.abort, raw)

    async def _roll_back(self, raw: Any) -> None:
        """Roll back; where that fails the connection is broken off, and the server does it."""
        if self.is_closed(raw):
            return
        try:
            await self.rollback(raw)
        except Exception:
            self.abort(raw)

    async def _run(self, raw: Any, factory: ScriptFactory[T]) -> T:
        script = factory()
        try:
            query = next(script)
            while True:
                query = script.send(await self.execute(raw, query))
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        finally:
            script.close()
