"""A claim through the client, awaited: the twin of :mod:`statemount.client.sync_claim`, with the same names."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from types import TracebackType
from typing import Protocol, TypeVar

from anyio import move_on_after
from typing_extensions import Self

from statemount.client.errors import ClaimLostError
from statemount.client.leases import Lease, LeaseHolder
from statemount.client.scripts import THROWN, Look, Pause, Put, Remove, Script, Step
from statemount.client.values import StateEntry, StateValue
from statemount.errors import KeyNotFoundError, StateMountError
from statemount.model import JsonValue

_logger = logging.getLogger("statemount.client")

T = TypeVar("T")

_RELEASE_SECONDS = 5.0


class AsyncLeasable(Protocol):
    """As :class:`~statemount.client.sync_claim.Leasable`, awaited."""

    async def get_entry(self, key: str) -> StateValue | StateEntry: ...
    async def set(self, key: str, value: JsonValue, *, expires_at: datetime, if_revision: int) -> int | None: ...
    async def delete(self, key: str, *, if_revision: int) -> None: ...


class AsyncClaim(LeaseHolder):
    """As :class:`~statemount.client.Claim`, awaited: for an ``async with`` block."""

    def __init__(self, state: AsyncLeasable, lease: Lease, sleep: Callable[[float], Awaitable[None]]) -> None:
        super().__init__(lease)
        self._state = state
        self._sleep = sleep

    async def take(self) -> Self:
        self._check_free()
        self._held = await self._run(self._lease.taking())
        return self

    async def renew(self) -> None:
        held = self._current()
        try:
            self._held = await self._run(self._lease.renewing(held))
        except ClaimLostError:
            self._held = None
            raise

    async def release(self) -> None:
        held, self._held = self._current(), None
        await self._run(self._lease.releasing(held))

    async def __aenter__(self) -> Self:
        return await self.take()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._held is None:  # it is known to be lost
            return
        try:
            with move_on_after(_RELEASE_SECONDS, shield=True):  # also where the task is cancelled
                await self.release()
        except StateMountError as failure:
            if error is None:
                raise
            _logger.warning("after an error the claim of key %r could not be released: %s", self.key, failure)

    async def _run(self, script: Script[T]) -> T:
        try:
            step = next(script)
            while True:
                try:
                    outcome = await self._perform(step)
                except THROWN as error:
                    step = script.throw(error)
                else:
                    step = script.send(outcome)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _perform(self, step: Step) -> object:
        match step:
            case Look(key):
                try:
                    return await self._state.get_entry(key)
                except KeyNotFoundError:
                    return None
            case Put(key, value, expires_at, if_revision):
                return await self._state.set(key, value, expires_at=expires_at, if_revision=if_revision)
            case Remove(key, if_revision):
                await self._state.delete(key, if_revision=if_revision)
            case Pause(seconds):
                await self._sleep(seconds)
        return None
