"""A directory whose answers are remembered for a few seconds."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import Protocol, runtime_checkable
from uuid import UUID

from statemount.directory.answers import Answers
from statemount.directory.registration import access_of
from statemount.interfaces import Clock, Directory, Identity, Registry
from statemount.model import Access, Asset, MappedTask, TaskInstance, TaskScope, Timestamp
from statemount.observer import SILENT, Observer

DEFAULT_MAX_AGE = timedelta(seconds=5)
"""The time within which a removed task instance or a withdrawn grant is refused everywhere."""

DEFAULT_MAX_ANSWERS = 100_000
"""How many answers to each kind of question are remembered."""


def monotonic() -> Timestamp:
    """Return microseconds of a clock that is never set back. It says nothing about the date."""
    return time.monotonic_ns() // 1000


class CachedDirectory(Directory):
    """Remembers what another directory answers, that something exists and that it does not.

    The other one is asked without the identity, since an answer is everybody's. So a directory that reads the identity
    is not wrapped in this one; it wraps a cached registry itself: ``ClaimsDirectory(CachedRegistry(registry))``.

    Whoever asks while the same question is being looked up waits for that answer.

    Args:
        max_age: How long after its look-up began an answer is given; zero = not at all.
        max_answers: How many answers to each kind of question are remembered, two or more.
        clock: In microseconds; only differences count.
        observer: Is told whether an answer is remembered.

    Raises:
        ConfigurationError: A bound makes no sense.
    """

    def __init__(
        self,
        directory: Directory,
        *,
        max_age: timedelta = DEFAULT_MAX_AGE,
        max_answers: int = DEFAULT_MAX_ANSWERS,
        clock: Clock = monotonic,
        observer: Observer = SILENT,
    ) -> None:
        self._directory = directory
        self._scopes = Answers[int, "TaskScope | None"](
            clock=clock, max_age=max_age, max_answers=max_answers, observer=observer
        )
        self._existing = Answers["tuple[str | int, ...]", bool](
            clock=clock, max_age=max_age, max_answers=max_answers, observer=observer
        )
        self._by_id = Answers[int, "Asset | None"](
            clock=clock, max_age=max_age, max_answers=max_answers, observer=observer
        )
        self._by_name = Answers[str, "Asset | None"](
            clock=clock, max_age=max_age, max_answers=max_answers, observer=observer
        )
        self._by_uri = Answers[str, "Asset | None"](
            clock=clock, max_age=max_age, max_answers=max_answers, observer=observer
        )
        self._access = Answers["tuple[int, int]", "frozenset[Access]"](
            clock=clock, max_age=max_age, max_answers=max_answers, observer=observer
        )
        self._attempts = Answers[int, "int | None"](
            clock=clock, max_age=max_age, max_answers=max_answers, observer=observer
        )

    async def open(self) -> None:
        await self._directory.open()

    async def close(self) -> None:
        for answers in (self._scopes, self._existing, self._by_id, self._by_name, self._by_uri, self._access):
            await answers.settle()
        await self._attempts.settle()
        await self._directory.close()

    async def task_scope(self, task_instance_id: UUID, identity: Identity | None = None) -> TaskScope | None:
        key = task_instance_id.int
        known = self._scopes.known(key)
        if known is not None:
            return known[1]
        return await self._scopes.ask(key, lambda: self._directory.task_scope(task_instance_id))

    async def has_task_instance(self, target: TaskScope | MappedTask, identity: Identity | None = None) -> bool:
        key: tuple[str | int, ...] = (target.dag_id, target.run_id, target.task_id)
        if isinstance(target, TaskScope):
            key += (target.map_index,)
        known = self._existing.known(key)
        if known is not None:
            return known[1]
        return await self._existing.ask(key, lambda: self._directory.has_task_instance(target))

    async def asset(self, asset_id: int, identity: Identity | None = None) -> Asset | None:
        known = self._by_id.known(asset_id)
        if known is not None:
            return known[1]
        return await self._by_id.ask(asset_id, lambda: self._directory.asset(asset_id))

    async def asset_by_name(self, name: str, identity: Identity | None = None) -> Asset | None:
        known = self._by_name.known(name)
        if known is not None:
            return known[1]
        return await self._by_name.ask(name, lambda: self._directory.asset_by_name(name))

    async def asset_by_uri(self, uri: str, identity: Identity | None = None) -> Asset | None:
        known = self._by_uri.known(uri)
        if known is not None:
            return known[1]
        return await self._by_uri.ask(uri, lambda: self._directory.asset_by_uri(uri))

    async def access(self, task_instance_id: UUID, asset: Asset, identity: Identity | None = None) -> frozenset[Access]:
        key = task_instance_id.int, asset.asset_id
        known = self._access.known(key)
        if known is not None:
            return known[1]
        return await self._access.ask(key, lambda: self._directory.access(task_instance_id, asset))

    async def try_number(self, task_instance_id: UUID, identity: Identity | None = None) -> int | None:
        key = task_instance_id.int
        known = self._attempts.known(key)
        if known is not None:
            return known[1]
        return await self._attempts.ask(key, lambda: self._directory.try_number(task_instance_id))


@runtime_checkable
class AnswersSoon(Protocol):
    """A registry that answers all who ask in one turn of the event loop at its end, which is no wait to be shared."""

    def task_instance_soon(self, task_instance_id: UUID) -> Awaitable[TaskInstance | None] | None:
        """Return the answer to come, or None: ask in the usual way."""


class CachedRegistry(CachedDirectory, Registry):
    """A cached directory that passes changes on, and forgets the answers that they make wrong.

    A task instance's registration is remembered whole, so that its scope and its access to every asset are one
    look-up. :meth:`task_instance` and :meth:`assets` always ask the other registry.

    Args:
        registry: Who is asked and changed.
        max_age: As for :class:`CachedDirectory`.
        max_answers: As for :class:`CachedDirectory`.
        clock: As for :class:`CachedDirectory`.
        observer: As for :class:`CachedDirectory`.

    Raises:
        ConfigurationError: A bound makes no sense.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        max_age: timedelta = DEFAULT_MAX_AGE,
        max_answers: int = DEFAULT_MAX_ANSWERS,
        clock: Clock = monotonic,
        observer: Observer = SILENT,
    ) -> None:
        super().__init__(registry, max_age=max_age, max_answers=max_answers, clock=clock, observer=observer)
        self._registry = registry
        self._soon = registry.task_instance_soon if isinstance(registry, AnswersSoon) else None
        self._registrations = Answers[int, "TaskInstance | None"](
            clock=clock, max_age=max_age, max_answers=max_answers, label=_scope_of, observer=observer
        )

    async def close(self) -> None:
        await self._registrations.settle()
        await super().close()

    async def task_scope(self, task_instance_id: UUID, identity: Identity | None = None) -> TaskScope | None:
        known = self._registrations.known(task_instance_id.int)
        registration = await self._look_up(task_instance_id) if known is None else known[1]
        return None if registration is None else registration.scope

    async def access(self, task_instance_id: UUID, asset: Asset, identity: Identity | None = None) -> frozenset[Access]:
        known = self._registrations.known(task_instance_id.int)
        registration = await self._look_up(task_instance_id) if known is None else known[1]
        return access_of(registration, asset.asset_id)

    async def try_number(self, task_instance_id: UUID, identity: Identity | None = None) -> int | None:
        known = self._registrations.known(task_instance_id.int)
        registration = await self._look_up(task_instance_id) if known is None else known[1]
        return None if registration is None else registration.try_number

    async def _look_up(self, task_instance_id: UUID) -> TaskInstance | None:
        soon = None if self._soon is None else self._soon(task_instance_id)
        if soon is not None:
            began, era = self._registrations.clock(), self._registrations.era
            registration = await soon
            if self._registrations.era is era:  # else what was looked up may have been changed since
                self._registrations.learn(task_instance_id.int, began, registration)
            return registration
        return await self._registrations.ask(
            task_instance_id.int, lambda: self._registry.task_instance(task_instance_id)
        )

    async def register_task_instances(self, task_instances: Sequence[TaskInstance]) -> None:
        try:
            await self._registry.register_task_instances(task_instances)
        finally:
            # The scope is forgotten too: a task instance that had it until now is unknown from here on.
            self._registrations.forget([new.id.int for new in task_instances], [new.scope for new in task_instances])
            self._existing.forget_all()

    async def task_instance(self, task_instance_id: UUID) -> TaskInstance | None:
        return await self._registry.task_instance(task_instance_id)

    async def remove_task_instance(self, task_instance_id: UUID) -> None:
        try:
            await self._registry.remove_task_instance(task_instance_id)
        finally:
            self._registrations.forget([task_instance_id.int])
            self._existing.forget_all()

    async def remove_run(self, *, dag_id: str, run_id: str) -> None:
        try:
            await self._registry.remove_run(dag_id=dag_id, run_id=run_id)
        finally:
            self._forget_all_task_instances()

    async def remove_task_instances_before(self, before: Timestamp, *, limit: int = 1000) -> int:
        try:
            removed = await self._registry.remove_task_instances_before(before, limit=limit)
        except BaseException:
            self._forget_all_task_instances()
            raise
        if removed:
            self._forget_all_task_instances()
        return removed

    async def register_asset(self, *, name: str, uri: str | None = None, group: str = "asset") -> Asset:
        try:
            asset = await self._registry.register_asset(name=name, uri=uri, group=group)
        except BaseException:
            self._forget_all_assets()
            raise
        self._forget_asset(asset)
        return asset

    async def assets(self, *, limit: int = 100, offset: int = 0) -> Sequence[Asset]:
        return await self._registry.assets(limit=limit, offset=offset)

    async def count_assets(self) -> int:
        return await self._registry.count_assets()

    async def deactivate_asset(self, asset_id: int) -> None:
        try:
            await self._registry.deactivate_asset(asset_id)
        finally:
            self._forget_all_assets()

    async def restore_asset(self, asset_id: int) -> Asset:
        try:
            asset = await self._registry.restore_asset(asset_id)
        except BaseException:
            self._forget_all_assets()
            raise
        self._forget_asset(asset)
        return asset

    async def retire_assets(self, before: Timestamp, *, limit: int = 1000) -> Sequence[int]:
        try:
            retired = await self._registry.retire_assets(before, limit=limit)
        except BaseException:
            self._forget_all_assets()
            raise
        if retired:
            self._forget_all_assets()
        return retired

    async def forget_asset(self, asset_id: int) -> None:
        try:
            await self._registry.forget_asset(asset_id)
        finally:
            self._registrations.forget_all()

    async def count_overdue(
        self, *, registered_before: Timestamp, inactive_before: Timestamp
    ) -> tuple[int, int] | None:
        return await self._registry.count_overdue(registered_before=registered_before, inactive_before=inactive_before)

    def _forget_asset(self, asset: Asset) -> None:
        self._by_id.forget([asset.asset_id])
        self._by_name.forget([asset.name])
        self._by_uri.forget([asset.uri])

    def _forget_all_task_instances(self) -> None:
        self._registrations.forget_all()
        self._existing.forget_all()

    def _forget_all_assets(self) -> None:
        for answers in (self._by_id, self._by_name, self._by_uri):
            answers.forget_all()


def _scope_of(task_instance: TaskInstance | None) -> TaskScope | None:
    return None if task_instance is None else task_instance.scope
