"""Registries compared with a model, step by step, over random histories."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from statemount.directory.cache import CachedRegistry
from statemount.directory.memory import MemoryDirectory
from statemount.errors import AssetNotFoundError, ConflictError
from statemount.interfaces import Registry
from statemount.model import Asset, MappedTask, TaskInstance, TaskScope
from tests.clock import SECOND, FakeClock

T = TypeVar("T")

IDS = [UUID(int=number) for number in range(1, 4)]
SCOPES = [TaskScope("d", run, "t", index) for run in ("r", "s") for index in (-1, 0)]
NAMES = ["a", "b", "c"]
ASSET_IDS = range(1, 6)


class RegistryMachine(RuleBasedStateMachine):
    """The model is two plain lists that are searched from end to end."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        self.registry = self.make()
        self.run(self.registry.open())
        self.task_instances: list[TaskInstance] = []
        self.registered_at: dict[UUID, int] = {}
        self.assets: list[Asset] = []
        self.inactive_since: dict[int, int] = {}
        self.retired: list[int] = []

    def make(self) -> Registry:
        return MemoryDirectory(clock=self.clock)

    def teardown(self) -> None:
        self.run(self.registry.close())
        self.loop.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(coroutine)

    @initialize()
    def begin(self) -> None:
        for name in ("a", "b"):
            self.assets.append(self.run(self.registry.register_asset(name=name)))
        self.last_asset_id = len(self.assets)

    @rule(
        new=st.lists(
            st.builds(
                TaskInstance,
                st.sampled_from(IDS),
                st.sampled_from(SCOPES),
                st.integers(1, 3),
                st.frozensets(st.sampled_from([1, 2, 3]), max_size=2),
                st.frozensets(st.sampled_from([1, 2]), max_size=2),
            ),
            max_size=3,
        )
    )
    def register_task_instances(self, new: list[TaskInstance]) -> None:
        named = {asset_id for instance in new for asset_id in instance.inlets | instance.outlets}
        if named - {asset.asset_id for asset in self.assets}:
            with pytest.raises(AssetNotFoundError):
                self.run(self.registry.register_task_instances(new))
            return
        self.run(self.registry.register_task_instances(new))
        for instance in new:
            kept = [old for old in self.task_instances if old.id != instance.id and old.scope != instance.scope]
            self.task_instances = [*kept, instance]
            self.registered_at[instance.id] = self.clock.now

    @rule(seconds=st.integers(0, 2))
    def advance(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(age=st.integers(0, 2), limit=st.integers(1, 2))
    def remove_task_instances_before(self, age: int, limit: int) -> None:
        before = self.clock.now - age * SECOND
        outdated = {old.id for old in self.task_instances if self.registered_at[old.id] < before}
        assert self.run(self.registry.remove_task_instances_before(before, limit=limit)) == min(limit, len(outdated))
        left = {old.id for old in self.task_instances if self.run(self.registry.task_instance(old.id)) is not None}
        assert left >= {old.id for old in self.task_instances} - outdated
        self.task_instances = [old for old in self.task_instances if old.id in left]

    @rule(age=st.integers(0, 2), limit=st.integers(1, 2))
    def retire_assets(self, age: int, limit: int) -> None:
        before = self.clock.now - age * SECOND
        retired = list(self.run(self.registry.retire_assets(before, limit=limit)))
        possible = [asset_id for asset_id, since in self.inactive_since.items() if since < before]
        assert set(retired) <= {*self.retired, *possible}
        assert len(retired) == min(limit, len(self.retired) + len(possible))
        for asset_id in set(retired) - set(self.retired):
            del self.inactive_since[asset_id]
            self.retired.append(asset_id)
        self.assets = [asset for asset in self.assets if asset.asset_id not in self.retired]

    @rule(asset_id=st.sampled_from(ASSET_IDS))
    def forget_asset(self, asset_id: int) -> None:
        self.run(self.registry.forget_asset(asset_id))
        if asset_id in self.retired:
            self.retired.remove(asset_id)
            self.task_instances = [
                replace(old, inlets=old.inlets - {asset_id}, outlets=old.outlets - {asset_id})
                for old in self.task_instances
            ]

    @rule(task_instance_id=st.sampled_from(IDS))
    def remove_task_instance(self, task_instance_id: UUID) -> None:
        self.run(self.registry.remove_task_instance(task_instance_id))
        self.task_instances = [old for old in self.task_instances if old.id != task_instance_id]

    @rule(run_id=st.sampled_from(["r", "s"]))
    def remove_run(self, run_id: str) -> None:
        self.run(self.registry.remove_run(dag_id="d", run_id=run_id))
        self.task_instances = [old for old in self.task_instances if old.scope.run_id != run_id]

    @rule(name=st.sampled_from(NAMES), uri=st.sampled_from([None, *NAMES]), group=st.sampled_from(["g", "h"]))
    def register_asset(self, name: str, uri: str | None, group: str) -> None:
        wanted = (name, uri or name)
        active = [asset for asset in self.assets if asset.active]
        same = [asset for asset in active if (asset.name, asset.uri) == wanted]
        if same:
            new = replace(same[0], group=group)
            self.assets[self.assets.index(same[0])] = new
        elif any(asset.name == wanted[0] or asset.uri == wanted[1] for asset in active):
            with pytest.raises(ConflictError):
                self.run(self.registry.register_asset(name=name, uri=uri, group=group))
            return
        else:
            self.last_asset_id += 1
            new = Asset(self.last_asset_id, *wanted, group)
            self.assets.append(new)
        assert self.run(self.registry.register_asset(name=name, uri=uri, group=group)) == new

    @rule(asset_id=st.sampled_from(ASSET_IDS))
    def deactivate_asset(self, asset_id: int) -> None:
        place = self.place(asset_id)
        if place is None:
            with pytest.raises(AssetNotFoundError):
                self.run(self.registry.deactivate_asset(asset_id))
            return
        self.run(self.registry.deactivate_asset(asset_id))
        self.assets[place] = replace(self.assets[place], active=False)
        self.inactive_since.setdefault(asset_id, self.clock.now)

    def place(self, asset_id: int) -> int | None:
        """Return where in the model's list an asset is."""
        return next((place for place, asset in enumerate(self.assets) if asset.asset_id == asset_id), None)

    @rule(asset_id=st.sampled_from(ASSET_IDS))
    def restore_asset(self, asset_id: int) -> None:
        place = self.place(asset_id)
        if place is None:
            with pytest.raises(AssetNotFoundError):
                self.run(self.registry.restore_asset(asset_id))
            return
        wanted = self.assets[place]
        others = [asset for asset in self.assets if asset.active and asset.asset_id != asset_id]
        if not wanted.active and any(asset.name == wanted.name or asset.uri == wanted.uri for asset in others):
            with pytest.raises(ConflictError):
                self.run(self.registry.restore_asset(asset_id))
            return
        self.assets[place] = replace(wanted, active=True)
        self.inactive_since.pop(asset_id, None)
        assert self.run(self.registry.restore_asset(asset_id)) == self.assets[place]

    @invariant()
    def answers_agree(self) -> None:
        self.run(self.compare())

    async def compare(self) -> None:
        registry = self.registry
        by_id = {instance.id: instance for instance in self.task_instances}
        for task_instance_id in IDS:
            expected = by_id.get(task_instance_id)
            assert await registry.task_instance(task_instance_id) == expected
            assert await registry.task_scope(task_instance_id) == (expected.scope if expected else None)
            for asset in self.assets:
                access = set()
                if expected and asset.asset_id in expected.inlets:
                    access.add("inlet")
                if expected and asset.asset_id in expected.outlets:
                    access.add("outlet")
                assert await registry.access(task_instance_id, asset) == access
        scopes = {instance.scope for instance in self.task_instances}
        for scope in SCOPES:
            assert await registry.has_task_instance(scope) == (scope in scopes)
        for run_id in ("r", "s"):
            exists = any(scope.run_id == run_id for scope in scopes)
            assert await registry.has_task_instance(MappedTask("d", run_id, "t")) == exists
        active = [asset for asset in self.assets if asset.active]
        for name in NAMES:
            named = [asset for asset in active if asset.name == name]
            assert await registry.asset_by_name(name) == (named[0] if named else None)
            located = [asset for asset in active if asset.uri == name]
            assert await registry.asset_by_uri(name) == (located[0] if located else None)
        for asset_id in ASSET_IDS:
            expected_asset = next((asset for asset in self.assets if asset.asset_id == asset_id), None)
            assert await registry.asset(asset_id) == expected_asset
        assert list(await registry.assets()) == self.assets


SETTINGS = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


class CachedMachine(RegistryMachine):
    def make(self) -> Registry:
        return CachedRegistry(MemoryDirectory(clock=self.clock))


class SmallMachine(RegistryMachine):
    def make(self) -> Registry:
        return CachedRegistry(MemoryDirectory(clock=self.clock), max_answers=2)


def test_memory_directory() -> None:
    """The directory in memory answers as the model does after any history."""
    run_state_machine_as_test(RegistryMachine, settings=SETTINGS)


def test_cached_registry() -> None:
    """A registry that remembers its answers is never behind its own changes."""
    run_state_machine_as_test(CachedMachine, settings=SETTINGS)


def test_cached_registry_with_few_answers() -> None:
    """A registry that remembers very few answers is never behind its own changes."""
    run_state_machine_as_test(SmallMachine, settings=SETTINGS)
