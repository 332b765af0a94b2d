"""A checkpoint: how far a long task has come, saved now and then, so that the next attempt goes on from there."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from types import TracebackType

from typing_extensions import Self

from statemount.client import StateValue
from statemount.errors import PreconditionFailedError
from statemount.model import JsonValue
from statemount.worker.accessor import StateAccessor, check_value
from statemount.worker.recipes.doubts import Doubts

EVERY: float = 30.0
"""Seconds between two saves, unless set otherwise."""


class Checkpoint:
    """How far a task has come; made by :func:`checkpoint`. Not to be used by two threads at once.

    At the end of a ``with`` block, also of one that fails, what was reported last is saved.

    Attributes:
        value: What was reported last; at first, what an earlier attempt has saved.
    """

    def __init__(
        self, state: StateAccessor, key: str, seen: StateValue, every: float, clock: Callable[[], float]
    ) -> None:
        self.value: JsonValue = seen.value
        self._state = state
        self._key = key
        self._revision: int | None = seen.revision
        self._every = every
        self._clock = clock
        self._saved_at: float | None = None
        self._is_saved = True

    def save(self, value: JsonValue) -> bool:
        """Report how far the task has come; return whether it was saved now, and not left for later.

        The first report is saved at once. What is reported and not yet saved was reported less than the interval after
        the last save began. Where saving fails, the next report tries again.

        Args:
            value: What is done, not what is about to be done. It is copied.

        Raises:
            ValueError: The value is None.
        """
        now = self._report(value)
        if now is None:
            return False
        self._write()
        self._saved(now)
        return True

    def flush(self) -> None:
        """Save what was reported last, if it is not saved."""
        if not self._is_saved:
            now = self._clock()
            self._write()
            self._saved(now)

    async def asave(self, value: JsonValue) -> bool:
        """Do what ``save`` does."""
        now = self._report(value)
        if now is None:
            return False
        await self._awrite()
        self._saved(now)
        return True

    async def aflush(self) -> None:
        """Do what ``flush`` does."""
        if not self._is_saved:
            now = self._clock()
            await self._awrite()
            self._saved(now)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.flush()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aflush()

    def _report(self, value: JsonValue) -> float | None:
        """Take a report; return the time if it is to be saved now."""
        check_value(value)
        self.value = deepcopy(value)
        self._is_saved = False
        now = self._clock()
        is_due = self._saved_at is None or now - self._saved_at >= self._every
        return now if is_due else None

    def _write(self) -> None:
        """Save over what was seen last, so that a late request of an earlier attempt finds that gone."""
        doubts = Doubts()

        def attempt() -> None:
            try:
                with doubts.settled():
                    self._revision = self._state.set(self._key, self.value, if_revision=self._revision)
            except PreconditionFailedError:
                self._revision = self._state.get_entry(self._key).revision
                raise

        self._state.contend(attempt)

    async def _awrite(self) -> None:
        doubts = Doubts()

        async def attempt() -> None:
            try:
                with doubts.settled():
                    self._revision = await self._state.aset(self._key, self.value, if_revision=self._revision)
            except PreconditionFailedError:
                self._revision = (await self._state.aget_entry(self._key)).revision
                raise

        await self._state.acontend(attempt)

    def _saved(self, began: float) -> None:
        self._saved_at = began
        self._is_saved = True


def checkpoint(
    state: StateAccessor,
    *,
    key: str = "checkpoint",
    every: float = EVERY,
    default: JsonValue = None,
    clock: Callable[[], float] = time.monotonic,
) -> Checkpoint:
    """Return where to go on, and what saves how far the task has come.

    One worker at a time uses it for one key: of two, the last to save is resumed from. The last request of one that was
    killed changes nothing once the next one has saved.

    Args:
        key: Under which it is saved.
        every: Seconds from the beginning of one save to the next, at least; 0 = each report is saved.
        default: Where the first attempt begins.
        clock: Tells seconds, from any beginning.
    """
    return Checkpoint(state, key, state.get_entry(key, default), every, clock)


async def acheckpoint(
    state: StateAccessor,
    *,
    key: str = "checkpoint",
    every: float = EVERY,
    default: JsonValue = None,
    clock: Callable[[], float] = time.monotonic,
) -> Checkpoint:
    """Do what :func:`checkpoint` does, for an ``async with`` block."""
    return Checkpoint(state, key, await state.aget_entry(key, default), every, clock)
