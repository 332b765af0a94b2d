"""Clean-up: what is over is removed, in batches with rests in between, so that requests are not held up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from statemount.errors import ConfigurationError
from statemount.interfaces import Clock, Registry, Store
from statemount.model import AssetScope, Timestamp

Progress: TypeAlias = Callable[[int], None]
"""Is told, after every batch, how many were removed."""

Rest: TypeAlias = Callable[[float], Awaitable[None]]
"""Waits for so many seconds."""

_LONGEST_REST = 1.0
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class CleanUpRules:
    """What is removed, and in what portions.

    Args:
        batch_size: Most entries, changes, task instances or assets that are removed at once.
        asset_grace: How long the state of an inactive asset is kept; zero = for ever.
        directory_retention: How long a task instance is known after it was registered last; zero = for ever.
        history_retention: How long the history keeps a change; zero = for ever.

    Raises:
        ConfigurationError: A number is negative, or the batches are empty.
    """

    batch_size: int = 1000
    asset_grace: timedelta = timedelta(days=7)
    directory_retention: timedelta = timedelta(days=90)
    history_retention: timedelta = timedelta(days=7)

    def __post_init__(self) -> None:
        shortest = min(self.asset_grace, self.directory_retention, self.history_retention)
        if self.batch_size < 1 or shortest < timedelta(0):
            raise ConfigurationError("clean-up needs batches of one or more, and durations that are not negative")


@dataclass(frozen=True, slots=True)
class Overdue:
    """How many were removed, or are to be removed. None = nobody counts them."""

    entries: int | None = 0
    task_instances: int | None = 0
    assets: int | None = 0
    changes: int | None = 0


class CleanUp:
    """Removes what is over. Several may be at work at once, in one process or in many.

    Expired entries and old changes go from any store; task instances and assets from a registry, if there is one.
    After each batch it rests for as long as the batch took, so that at most half of the time is its own.

    Args:
        registry: None = the directory is none that a host fills.
        rest: Waits between two batches.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry | None,
        clock: Clock,
        rules: CleanUpRules,
        *,
        rest: Rest = asyncio.sleep,
    ) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._rules = rules
        self._rest = rest

    async def __call__(self, progress: Progress | None = None) -> Overdue:
        """Remove everything that is over, and return how much it was.

        Args:
            progress: Is told of removed entries.
        """
        entries = await self.entries(progress)
        return Overdue(entries, await self.task_instances(), await self.assets(), await self.changes())

    async def count(self) -> Overdue:
        """Return how much there is to be removed; nothing is."""
        entries = await self._store.count_expired()
        changes = await self._store.count_changes(before=self._changed_before())
        if self._registry is None:
            return Overdue(entries, changes=changes)
        before = self._registered_before(), self._inactive_before()
        counted = await self._registry.count_overdue(registered_before=before[0], inactive_before=before[1])
        task_instances, assets = (None, None) if counted is None else counted
        return Overdue(entries, task_instances, assets, changes)

    async def entries(self, progress: Progress | None = None) -> int:
        """Remove expired entries; return how many."""
        return await self._in_batches(lambda: self._store.sweep(limit=self._rules.batch_size), progress)

    async def changes(self, progress: Progress | None = None) -> int:
        """Remove changes from the history that are over their retention; return how many."""
        before = self._changed_before()
        if not self._rules.history_retention:
            return 0
        return await self._in_batches(lambda: self._store.trim(before=before, limit=self._rules.batch_size), progress)

    async def task_instances(self, progress: Progress | None = None) -> int:
        """Forget task instances that are over their retention, not their state; return how many."""
        registry, before = self._registry, self._registered_before()
        if registry is None or not self._rules.directory_retention:
            return 0
        return await self._in_batches(
            lambda: registry.remove_task_instances_before(before, limit=self._rules.batch_size), progress
        )

    async def assets(self, progress: Progress | None = None) -> int:
        """Remove assets whose grace period is over, with their state; return how many."""
        registry, before = self._registry, self._inactive_before()
        if registry is None or not self._rules.asset_grace:
            return 0
        return await self._in_batches(lambda: self._remove_assets(registry, before), progress)

    async def _remove_assets(self, registry: Registry, before: Timestamp) -> int:
        # Nobody can restore the asset any more when its state goes, and its record goes last: nothing is left behind.
        asset_ids = await registry.retire_assets(before, limit=self._rules.batch_size)
        for asset_id in asset_ids:
            await self._store.drop(AssetScope(asset_id))
            await registry.forget_asset(asset_id)
        return len(asset_ids)

    def _changed_before(self) -> Timestamp:
        return self._before(self._rules.history_retention)

    def _registered_before(self) -> Timestamp:
        return self._before(self._rules.directory_retention)

    def _inactive_before(self) -> Timestamp:
        return self._before(self._rules.asset_grace)

    def _before(self, age: timedelta) -> Timestamp:
        """Return the time before which a thing is too old; with an age of zero, nothing is."""
        return self._clock() - age // _MICROSECOND if age else 0

    async def _in_batches(self, batch: Callable[[], Awaitable[int]], progress: Progress | None = None) -> int:
        time = asyncio.get_running_loop().time
        total = 0
        while True:
            began = time()
            removed = await batch()
            total += removed
            if progress is not None:
                progress(removed)
            if removed < self._rules.batch_size:
                return total
            await self._rest(min(time() - began, _LONGEST_REST))
