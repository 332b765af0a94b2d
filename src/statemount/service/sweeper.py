"""The sweeper: clean-up in the background, for as long as a runtime lives."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial

from statemount.errors import StateMountError
from statemount.interfaces import Clock, Registry, Resource, Store
from statemount.observer import SILENT, Observer
from statemount.service.clean_up import CleanUp, CleanUpRules, Progress, Rest

_logger = logging.getLogger(__name__)


class Sweeper(Resource):
    """Cleans up again and again, in a task of its own with an empty context.

    Rounds are half an interval to one and a half apart, at random, so that several processes do not run together.
    What fails is tried again in the next round, and is logged once until it succeeds or fails otherwise.

    Args:
        registry: None = the directory is none that a host fills.
        interval: Seconds from one round to the next, on average.
        sleep: Waits for so many seconds.
        chance: Returns a number from 0 to 1.
        swept: Is called after entries were removed.
        observer: Is told what was removed.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry | None,
        clock: Clock,
        rules: CleanUpRules,
        *,
        interval: float,
        sleep: Rest = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        swept: Callable[[], None] = lambda: None,
        observer: Observer = SILENT,
    ) -> None:
        self._observer = observer
        self._interval = interval
        self._sleep = sleep
        self._chance = chance
        self._swept = swept
        clean_up = CleanUp(store, registry, clock, rules, rest=self._rest)
        self._chores: dict[str, tuple[str, Callable[[Progress], Awaitable[int]]]] = {
            "expired entries": ("entries", clean_up.entries),
            "old task instances": ("task_instances", clean_up.task_instances),
            "inactive assets": ("assets", clean_up.assets),
            "old changes": ("changes", clean_up.changes),
        }
        self._failures: dict[str, type[Exception]] = {}
        self._task: asyncio.Task[None] | None = None
        self._is_resting = False
        self._is_ending = False

    async def open(self) -> None:
        self._observer.sweeping()
        loop = asyncio.get_running_loop()
        self._task = contextvars.Context().run(loop.create_task, self._run())
        # A loop that is closed with its tasks pending is no fault of this one.
        self._task._log_destroy_pending = False  # type: ignore[attr-defined]

    async def close(self) -> None:
        """End; a batch that is under way is finished first."""
        self._is_ending = True
        if self._task is not None:
            if self._is_resting:
                self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while not self._is_ending:
            await self._rest(self._interval * (0.5 + self._chance()))
            for name, (what, chore) in self._chores.items():
                if not self._is_ending:
                    await self._do(name, what, chore)

    async def _rest(self, seconds: float) -> None:
        if self._is_ending:
            raise asyncio.CancelledError
        self._is_resting = True
        try:
            await self._sleep(seconds)
        finally:
            self._is_resting = False

    async def _do(self, name: str, what: str, chore: Callable[[Progress], Awaitable[int]]) -> None:
        try:
            removed = await chore(partial(self._observer.swept, what))
        except Exception as error:
            self._observer.sweep_ended(what, is_failure=True)
            self._note(name, error)
            return
        self._observer.sweep_ended(what, is_failure=False)
        if self._failures.pop(name, None) is not None:
            _logger.info("%s are removed again", name)
        if removed and what == "entries":
            self._swept()
        if removed:
            _logger.debug("%d %s were removed", removed, name)

    def _note(self, name: str, error: Exception) -> None:
        is_known = self._failures.get(name) is type(error)
        self._failures[name] = type(error)
        if is_known:
            _logger.debug("%s still cannot be removed: %s", name, error)
        else:
            traceback = None if isinstance(error, StateMountError) else error
            _logger.warning("%s cannot be removed, which is tried again: %s", name, error, exc_info=traceback)
