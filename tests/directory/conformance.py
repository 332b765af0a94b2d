"""What every directory and every registry promises. A test class derives from it and supplies ``registry``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol
from uuid import UUID, uuid4

import pytest

from statemount.errors import AssetNotFoundError, ConflictError, InvalidInputError
from statemount.interfaces import Registry
from statemount.model import Access, Asset, MappedTask, TaskInstance, TaskScope
from tests.clock import SECOND, FakeClock

SCOPE = TaskScope("orders", "2026-11-20", "load")


def task_instance(
    scope: TaskScope = SCOPE,
    *,
    id: UUID | None = None,
    try_number: int = 1,
    inlets: tuple[Asset, ...] = (),
    outlets: tuple[Asset, ...] = (),
) -> TaskInstance:
    """Return a registration, with a UUID of its own unless one is given."""
    return TaskInstance(
        uuid4() if id is None else id,
        scope,
        try_number,
        frozenset(asset.asset_id for asset in inlets),
        frozenset(asset.asset_id for asset in outlets),
    )


class Fillable(Protocol):
    """What a directory's own tests need: questions as of :class:`~statemount.interfaces.Directory`, and a filling.

    A :class:`~statemount.interfaces.Registry` is one. For a directory that only reads, a test writes what it reads.
    """

    async def task_scope(self, task_instance_id: UUID) -> TaskScope | None: ...
    async def try_number(self, task_instance_id: UUID) -> int | None: ...
    async def has_task_instance(self, target: TaskScope | MappedTask) -> bool: ...
    async def asset(self, asset_id: int) -> Asset | None: ...
    async def asset_by_name(self, name: str) -> Asset | None: ...
    async def asset_by_uri(self, uri: str) -> Asset | None: ...
    async def access(self, task_instance_id: UUID, asset: Asset) -> frozenset[Access]: ...
    async def register_task_instances(self, task_instances: Sequence[TaskInstance]) -> None: ...
    async def register_asset(self, *, name: str, uri: str | None = None, group: str = "asset") -> Asset: ...
    async def deactivate_asset(self, asset_id: int) -> None: ...
    async def restore_asset(self, asset_id: int) -> Asset: ...


@pytest.mark.anyio
class DirectoryConformance:
    """The contract of :class:`~statemount.interfaces.Directory`.

    ``registry`` is an open directory without task instances and assets, which sees what it is filled with at once.
    """

    async def test_nothing_is_known(self, registry: Fillable) -> None:
        """Nothing exists in an empty directory."""
        absent = uuid4()
        assert await registry.task_scope(absent) is None
        assert not await registry.has_task_instance(SCOPE)
        assert not await registry.has_task_instance(MappedTask(SCOPE.dag_id, SCOPE.run_id, SCOPE.task_id))
        assert await registry.asset(1) is None
        assert await registry.asset_by_name("orders") is None
        assert await registry.asset_by_uri("s3://orders") is None
        assert await registry.access(absent, Asset(1, "orders", "orders")) == frozenset()

    async def test_a_retry_has_the_same_scope(self, registry: Fillable) -> None:
        """A new try is known by its own UUID and has the scope of the one before, whose UUID is unknown by then."""
        asset = await registry.register_asset(name="a")
        first, second = task_instance(outlets=(asset,)), task_instance(try_number=2, outlets=(asset,))
        await registry.register_task_instances([first])
        assert await registry.task_scope(first.id) == SCOPE
        assert await registry.try_number(first.id) == 1
        await registry.register_task_instances([second])
        assert await registry.task_scope(second.id) == SCOPE
        assert await registry.try_number(second.id) == 2
        assert await registry.access(second.id, asset) == {"outlet"}
        assert await registry.task_scope(first.id) is None
        assert await registry.try_number(first.id) is None
        assert await registry.access(first.id, asset) == frozenset()

    async def test_an_inactive_asset_has_no_name(self, registry: Fillable) -> None:
        """An asset that is not active is found by its id alone, and still registered with its tasks."""
        asset = await registry.register_asset(name="orders", uri="s3://orders", group="lake")
        new = task_instance(inlets=(asset,))
        await registry.register_task_instances([new])
        await registry.deactivate_asset(asset.asset_id)
        inactive = Asset(asset.asset_id, "orders", "s3://orders", "lake", active=False)
        assert await registry.asset_by_name("orders") is None
        assert await registry.asset_by_uri("s3://orders") is None
        assert await registry.asset(asset.asset_id) == inactive
        assert await registry.access(new.id, inactive) == {"inlet"}

    @pytest.mark.parametrize("asset_id", [0, -1, 2**31, 2**63, 10**30, -(10**30)])
    async def test_an_impossible_asset_id(self, registry: Fillable, asset_id: int) -> None:
        """No asset has an id that is zero, negative or beyond what an id may be."""
        await registry.register_asset(name="orders")
        assert await registry.asset(asset_id) is None

    @pytest.mark.parametrize("text", ["", "x" * 1501, "a\0", "\udfff"])
    async def test_an_impossible_text(self, registry: Fillable, text: str) -> None:
        """What can be no name and no id is unknown, and no error."""
        assert await registry.asset_by_name(text) is None
        assert await registry.asset_by_uri(text) is None
        assert not await registry.has_task_instance(TaskScope(text, "r", "t"))
        assert not await registry.has_task_instance(MappedTask("d", "r", text))

    @pytest.mark.parametrize("map_index", [-2, 2**31, 2**63, 10**30])
    async def test_an_absent_map_index(self, registry: Fillable, map_index: int) -> None:
        """A task instance does not exist with a map index that it does not have, however large or small."""
        await registry.register_task_instances([task_instance()])
        assert not await registry.has_task_instance(replace(SCOPE, map_index=map_index))

    async def test_map_indices(self, registry: Fillable) -> None:
        """A mapped task exists with the map indices that are registered, and as a whole if any is."""
        await registry.register_task_instances([task_instance(TaskScope("orders", "r", "load", 7))])
        assert await registry.has_task_instance(TaskScope("orders", "r", "load", 7))
        assert not await registry.has_task_instance(TaskScope("orders", "r", "load", 8))
        assert not await registry.has_task_instance(TaskScope("orders", "r", "load"))
        assert await registry.has_task_instance(MappedTask("orders", "r", "load"))
        assert not await registry.has_task_instance(MappedTask("orders", "r", "loa"))
        assert not await registry.has_task_instance(MappedTask("orders", "other", "load"))

    async def test_unmapped_is_an_index(self, registry: Fillable) -> None:
        """A task that is not mapped counts when any map index is asked for."""
        await registry.register_task_instances([task_instance()])
        assert await registry.has_task_instance(MappedTask(SCOPE.dag_id, SCOPE.run_id, SCOPE.task_id))

    async def test_register_asset(self, registry: Fillable) -> None:
        """A registered asset is found by id, name and URI; without a URI, the name is its URI."""
        plain = await registry.register_asset(name="orders")
        full = await registry.register_asset(name="events", uri="s3://lake/events", group="lake")
        assert (plain.name, plain.uri, plain.group, plain.active) == ("orders", "orders", "asset", True)
        assert (full.name, full.uri, full.group, full.active) == ("events", "s3://lake/events", "lake", True)
        for asset in (plain, full):
            assert await registry.asset(asset.asset_id) == asset
            assert await registry.asset_by_name(asset.name) == asset
            assert await registry.asset_by_uri(asset.uri) == asset
        assert await registry.asset_by_name("s3://lake/events") is None
        assert await registry.asset_by_uri("events") is None

    async def test_asset_is_seen_at_once(self, registry: Fillable) -> None:
        """An asset that was missing a moment ago is there as soon as it is registered."""
        assert await registry.asset_by_name("orders") is None
        assert await registry.asset_by_uri("s3://orders") is None
        asset = await registry.register_asset(name="orders", uri="s3://orders")
        assert await registry.asset_by_name("orders") == asset
        assert await registry.asset_by_uri("s3://orders") == asset
        assert await registry.asset(asset.asset_id) == asset

    async def test_task_instance_is_seen_at_once(self, registry: Fillable) -> None:
        """A task instance that was missing a moment ago is there as soon as it is registered."""
        asset = await registry.register_asset(name="orders")
        new = task_instance(inlets=(asset,))
        assert await registry.task_scope(new.id) is None
        assert await registry.access(new.id, asset) == frozenset()
        assert not await registry.has_task_instance(SCOPE)
        assert not await registry.has_task_instance(MappedTask(SCOPE.dag_id, SCOPE.run_id, SCOPE.task_id))
        await registry.register_task_instances([new])
        assert await registry.task_scope(new.id) == SCOPE
        assert await registry.access(new.id, asset) == {"inlet"}
        assert await registry.has_task_instance(SCOPE)
        assert await registry.has_task_instance(MappedTask(SCOPE.dag_id, SCOPE.run_id, SCOPE.task_id))

    async def test_restore_asset(self, registry: Fillable) -> None:
        """A restored asset is back under its id, name and URI; restoring an active one changes nothing."""
        asset = await registry.register_asset(name="orders", uri="s3://orders", group="lake")
        await registry.deactivate_asset(asset.asset_id)
        assert await registry.asset_by_name("orders") is None
        assert await registry.restore_asset(asset.asset_id) == asset
        assert await registry.restore_asset(asset.asset_id) == asset
        assert await registry.asset(asset.asset_id) == asset
        assert await registry.asset_by_name("orders") == asset
        assert await registry.asset_by_uri("s3://orders") == asset

    async def test_access(self, registry: Fillable) -> None:
        """Access is as registered: inlet, outlet, both or none, and for that task instance only."""
        read, written, both, neither = [await registry.register_asset(name=name) for name in "rwbn"]
        new = task_instance(inlets=(read, both), outlets=(written, both))
        other = task_instance(TaskScope("orders", "r", "other"))
        await registry.register_task_instances([new, other])
        assert await registry.access(new.id, read) == {"inlet"}
        assert await registry.access(new.id, written) == {"outlet"}
        assert await registry.access(new.id, both) == {"inlet", "outlet"}
        assert await registry.access(new.id, neither) == frozenset()
        assert await registry.access(other.id, both) == frozenset()
        assert await registry.access(uuid4(), both) == frozenset()

    async def test_withdraw_access(self, registry: Fillable) -> None:
        """Registering a task instance again without an asset withdraws its access."""
        asset = await registry.register_asset(name="orders")
        new = task_instance(inlets=(asset,), outlets=(asset,))
        await registry.register_task_instances([new])
        assert await registry.access(new.id, asset) == {"inlet", "outlet"}
        await registry.register_task_instances([task_instance(id=new.id, inlets=(asset,))])
        assert await registry.access(new.id, asset) == {"inlet"}
        await registry.register_task_instances([task_instance(id=new.id)])
        assert await registry.access(new.id, asset) == frozenset()


class RegistryConformance(DirectoryConformance):
    """The contract of :class:`~statemount.interfaces.Registry`.

    ``registry`` is an open registry without task instances and assets, which takes its time from ``clock``.
    """

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    async def test_unknown(self, registry: Registry) -> None:
        """Nothing exists in an empty registry, and to remove what does not exist is no error."""
        absent = uuid4()
        await registry.remove_task_instance(absent)
        await registry.remove_run(dag_id="orders", run_id="2026-11-20")
        assert await registry.task_scope(absent) is None
        assert await registry.task_instance(absent) is None
        assert not await registry.has_task_instance(SCOPE)
        assert not await registry.has_task_instance(MappedTask("orders", "2026-11-20", "load"))
        assert await registry.asset(1) is None
        assert await registry.asset_by_name("orders") is None
        assert await registry.asset_by_uri("s3://orders") is None
        assert list(await registry.assets()) == []
        assert await registry.access(absent, Asset(1, "orders", "orders")) == frozenset()
        assert await registry.try_number(absent) is None

    async def test_register_task_instance(self, registry: Registry) -> None:
        """A registered task instance is found by its UUID and by its scope, with everything that was registered."""
        source = await registry.register_asset(name="source")
        target = await registry.register_asset(name="target")
        new = task_instance(try_number=3, inlets=(source,), outlets=(target, source))
        await registry.register_task_instances([new])
        assert await registry.task_scope(new.id) == SCOPE
        assert await registry.task_instance(new.id) == new
        assert await registry.has_task_instance(SCOPE)

    async def test_attempts(self, registry: Registry) -> None:
        """Which attempt a task instance is at is what was registered last."""
        for try_number in (0, 1, 2, 2**63 - 1):
            new = task_instance(id=UUID(int=1), try_number=try_number)
            await registry.register_task_instances([new])
            assert await registry.try_number(new.id) == try_number

    async def test_register_no_task_instances(self, registry: Registry) -> None:
        """To register nothing changes nothing."""
        await registry.register_task_instances([])
        assert not await registry.has_task_instance(SCOPE)

    async def test_register_twice(self, registry: Registry) -> None:
        """Registering the same task instance again changes nothing."""
        new = task_instance()
        await registry.register_task_instances([new])
        await registry.register_task_instances([new])
        assert await registry.task_instance(new.id) == new

    async def test_largest_map_index(self, registry: Registry) -> None:
        """A map index takes 64 bits."""
        new = task_instance(TaskScope("orders", "r", "load", 2**63 - 1))
        await registry.register_task_instances([new])
        assert await registry.task_instance(new.id) == new

    async def test_retry(self, registry: Registry) -> None:
        """Another UUID for a known scope replaces the old one, which is unknown from then on."""
        asset = await registry.register_asset(name="a")
        first, second = task_instance(outlets=(asset,)), task_instance(try_number=2)
        await registry.register_task_instances([first])
        assert await registry.task_scope(first.id) == SCOPE
        await registry.register_task_instances([second])
        assert await registry.task_scope(first.id) is None
        assert await registry.task_instance(first.id) is None
        assert await registry.access(first.id, asset) == frozenset()
        assert await registry.task_instance(second.id) == second
        await registry.remove_task_instance(first.id)
        assert await registry.has_task_instance(SCOPE)

    async def test_register_elsewhere(self, registry: Registry) -> None:
        """The same UUID with another scope replaces its registration, and the scope that it had is free."""
        asset = await registry.register_asset(name="a")
        old = task_instance(outlets=(asset,))
        new = task_instance(TaskScope("orders", "next", "load", 4), id=old.id, inlets=(asset,))
        await registry.register_task_instances([old])
        assert await registry.has_task_instance(SCOPE)
        await registry.register_task_instances([new])
        assert await registry.task_instance(old.id) == new
        assert await registry.access(old.id, asset) == {"inlet"}
        assert not await registry.has_task_instance(SCOPE)

    async def test_register_many(self, registry: Registry) -> None:
        """A thousand task instances are registered in one call."""
        new = [task_instance(TaskScope("orders", "r", "load", index)) for index in range(1000)]
        await registry.register_task_instances(new)
        for registered in (new[0], new[500], new[999]):
            assert await registry.task_instance(registered.id) == registered

    async def test_register_in_order(self, registry: Registry) -> None:
        """Registrations of one call that contradict each other count as if they came one after the other."""
        other = TaskScope("orders", "r", "other")
        first, second = task_instance(), task_instance()
        moved = task_instance(other, id=first.id)
        third = task_instance(other, id=uuid4(), try_number=2)
        await registry.register_task_instances([first, second, moved])
        assert await registry.task_instance(first.id) == moved
        assert await registry.task_instance(second.id) == second
        await registry.register_task_instances([third, moved, third, third])
        assert await registry.task_instance(third.id) == third
        assert await registry.task_instance(first.id) is None

    async def test_exchange_scopes(self, registry: Registry) -> None:
        """Two task instances exchange their scopes in one call: each is registered at its end."""
        other = TaskScope("orders", "r", "other")
        first, second = task_instance(), task_instance(other)
        await registry.register_task_instances([first, second])
        crossed = [task_instance(other, id=first.id), task_instance(id=second.id)]
        await registry.register_task_instances(crossed)
        assert await registry.task_instance(first.id) == crossed[0]
        assert await registry.task_instance(second.id) == crossed[1]

    async def test_unknown_assets(self, registry: Registry) -> None:
        """If an inlet or outlet of one task instance is no asset, none is registered."""
        good = task_instance()
        missing = Asset(999, "missing", "missing")
        for bad in (
            task_instance(TaskScope("orders", "r", "a"), inlets=(missing,)),
            task_instance(TaskScope("orders", "r", "a"), outlets=(missing,)),
        ):
            with pytest.raises(AssetNotFoundError, match="Asset with id 999 not found"):
                await registry.register_task_instances([good, bad])
        assert await registry.task_instance(good.id) is None
        assert not await registry.has_task_instance(SCOPE)

    async def test_failed_registration_replaces_nothing(self, registry: Registry) -> None:
        """A registration that is refused leaves the older one in place."""
        old = task_instance()
        await registry.register_task_instances([old])
        with pytest.raises(AssetNotFoundError):
            await registry.register_task_instances([task_instance(inlets=(Asset(999, "missing", "missing"),))])
        assert await registry.task_instance(old.id) == old

    @pytest.mark.parametrize(
        "scope",
        [
            TaskScope("", "r", "t"),
            TaskScope("d", "r" * 251, "t"),
            TaskScope("d", "r", "t\0"),
            TaskScope("d", "r", "\ud800"),
            TaskScope("d", "r", "t", -2),
            TaskScope("d", "r", "t", 2**63),
        ],
    )
    async def test_unacceptable_scope(self, registry: Registry, scope: TaskScope) -> None:
        """Ids and map indices that cannot be kept are refused, and nothing of the call is registered."""
        good = task_instance()
        with pytest.raises(InvalidInputError):
            await registry.register_task_instances([good, task_instance(scope)])
        assert await registry.task_instance(good.id) is None

        assert not await registry.has_task_instance(scope)
        assert not await registry.has_task_instance(MappedTask(scope.dag_id, scope.run_id, scope.task_id))

    async def test_exact_ids(self, registry: Registry) -> None:
        """Two scopes are one only if every character of their ids is the same, wherever one id ends."""
        scopes = [
            TaskScope("d", "r", "a"),
            TaskScope("d", "r", "A"),
            TaskScope("d", "r", "a "),
            TaskScope("d", "r", "é"),
            TaskScope("d", "r", "e\N{COMBINING ACUTE ACCENT}"),
            TaskScope("dr", "a", "a"),
            TaskScope("d", "ra", "a"),
            TaskScope("\U0001f600" * 250, "r" * 250, "\n"),
        ]
        new = [task_instance(scope) for scope in scopes]
        await registry.register_task_instances(new)
        for registered in new:
            assert await registry.task_instance(registered.id) == registered
            await registry.remove_task_instance(registered.id)
            assert not await registry.has_task_instance(registered.scope)

    async def test_remove_task_instance(self, registry: Registry) -> None:
        """A removed task instance is unknown, its neighbours are not, and it may be registered again."""
        asset = await registry.register_asset(name="a")
        gone = task_instance(TaskScope("orders", "r", "load", 0), outlets=(asset,))
        stays = task_instance(TaskScope("orders", "r", "load", 1), outlets=(asset,))
        await registry.register_task_instances([gone, stays])
        await registry.remove_task_instance(gone.id)
        await registry.remove_task_instance(gone.id)
        assert await registry.task_scope(gone.id) is None
        assert await registry.task_instance(gone.id) is None
        assert not await registry.has_task_instance(gone.scope)
        assert await registry.access(gone.id, asset) == frozenset()
        assert await registry.task_instance(stays.id) == stays
        assert await registry.has_task_instance(MappedTask("orders", "r", "load"))
        await registry.register_task_instances([gone])
        assert await registry.task_instance(gone.id) == gone
        assert await registry.has_task_instance(gone.scope)

    async def test_remove_run(self, registry: Registry) -> None:
        """Removing a run forgets its task instances, and those of no other run."""
        asset = await registry.register_asset(name="a")
        gone = [
            task_instance(TaskScope("orders", "r", "load", 0), outlets=(asset,)),
            task_instance(TaskScope("orders", "r", "send"), outlets=(asset,)),
        ]
        stay = [
            task_instance(TaskScope("orders", "r2", "load", 0), outlets=(asset,)),
            task_instance(TaskScope("other", "r", "load", 0), outlets=(asset,)),
        ]
        await registry.register_task_instances(gone + stay)
        await registry.remove_run(dag_id="orders", run_id="r")
        for removed in gone:
            assert await registry.task_scope(removed.id) is None
            assert not await registry.has_task_instance(removed.scope)
            assert await registry.access(removed.id, asset) == frozenset()
        assert not await registry.has_task_instance(MappedTask("orders", "r", "load"))
        for kept in stay:
            assert await registry.task_instance(kept.id) == kept
            assert await registry.access(kept.id, asset) == {"outlet"}
        await registry.register_task_instances(gone)
        assert await registry.has_task_instance(MappedTask("orders", "r", "load"))

    async def test_register_asset_twice(self, registry: Registry) -> None:
        """The same name and URI are the same asset; its group is the one named last."""
        first = await registry.register_asset(name="orders", uri="s3://orders")
        again = await registry.register_asset(name="orders", uri="s3://orders", group="lake")
        assert again == Asset(first.asset_id, "orders", "s3://orders", "lake")
        assert await registry.asset(first.asset_id) == again
        assert await registry.asset_by_name("orders") == again
        assert await registry.asset_by_uri("s3://orders") == again
        assert list(await registry.assets()) == [again]

    async def test_asset_conflicts(self, registry: Registry) -> None:
        """Another active asset's name or URI is refused, and nothing is changed."""
        orders = await registry.register_asset(name="orders", uri="s3://orders")
        events = await registry.register_asset(name="events")
        for name, uri in (
            ("orders", "s3://other"),
            ("orders", None),
            ("other", "s3://orders"),
            ("orders", "events"),
            ("events", "s3://orders"),
        ):
            with pytest.raises(ConflictError):
                await registry.register_asset(name=name, uri=uri, group="refused")
        assert list(await registry.assets()) == [orders, events]

    async def test_exact_names(self, registry: Registry) -> None:
        """Two assets are one only if every character of their names is the same."""
        names = ["a", "A", "a ", " a", "é", "e\N{COMBINING ACUTE ACCENT}", "\U0001f600" * 1500, "x" * 1499, "x" * 1500]
        registered = [await registry.register_asset(name=name) for name in names]
        assert len({asset.asset_id for asset in registered}) == len(names)
        for name, asset in zip(names, registered, strict=True):
            assert await registry.asset_by_name(name) == asset
            assert await registry.asset_by_uri(name) == asset

    @pytest.mark.parametrize("text", ["", "x" * 1501, "a\0", "\udfff"])
    async def test_unacceptable_asset(self, registry: Registry, text: str) -> None:
        """Names, URIs and groups that cannot be kept are refused."""
        with pytest.raises(InvalidInputError):
            await registry.register_asset(name=text)
        with pytest.raises(InvalidInputError):
            await registry.register_asset(name="orders", uri=text)
        with pytest.raises(InvalidInputError):
            await registry.register_asset(name="orders", group=text)
        assert await registry.asset_by_name(text) is None
        assert await registry.asset_by_uri(text) is None
        assert list(await registry.assets()) == []

    async def test_deactivate_asset(self, registry: Registry) -> None:
        """A deactivated asset is found by id only, and so are its registrations."""
        asset = await registry.register_asset(name="orders", uri="s3://orders", group="lake")
        new = task_instance(outlets=(asset,))
        await registry.register_task_instances([new])
        assert await registry.asset_by_name("orders") == await registry.asset_by_uri("s3://orders") == asset
        await registry.deactivate_asset(asset.asset_id)
        await registry.deactivate_asset(asset.asset_id)
        inactive = Asset(asset.asset_id, "orders", "s3://orders", "lake", active=False)
        assert await registry.asset_by_name("orders") is None
        assert await registry.asset_by_uri("s3://orders") is None
        assert await registry.asset(asset.asset_id) == inactive
        assert list(await registry.assets()) == [inactive]
        assert await registry.access(new.id, inactive) == {"outlet"}

    async def test_register_with_inactive_asset(self, registry: Registry) -> None:
        """A task instance may be registered with an asset that is not active."""
        asset = await registry.register_asset(name="orders")
        await registry.deactivate_asset(asset.asset_id)
        new = task_instance(inlets=(asset,))
        await registry.register_task_instances([new])
        assert await registry.task_instance(new.id) == new

    async def test_register_deactivated_name(self, registry: Registry) -> None:
        """A deactivated asset's name registered anew is another asset, with a new id and no registrations."""
        old = await registry.register_asset(name="orders")
        registered = task_instance(outlets=(old,))
        await registry.register_task_instances([registered])
        await registry.deactivate_asset(old.asset_id)
        new = await registry.register_asset(name="orders")
        assert new.asset_id > old.asset_id
        assert await registry.asset_by_name("orders") == new
        assert await registry.access(registered.id, new) == frozenset()
        with pytest.raises(ConflictError):
            await registry.restore_asset(old.asset_id)
        await registry.deactivate_asset(new.asset_id)
        assert (await registry.restore_asset(old.asset_id)).asset_id == old.asset_id

    async def test_restore_conflicts(self, registry: Registry) -> None:
        """An asset stays inactive as long as an active one has its name or its URI."""
        old = await registry.register_asset(name="orders", uri="s3://orders")
        await registry.deactivate_asset(old.asset_id)
        for name, uri in (("orders", "s3://other"), ("other", "s3://orders")):
            taken = await registry.register_asset(name=name, uri=uri)
            with pytest.raises(ConflictError):
                await registry.restore_asset(old.asset_id)
            assert await registry.asset_by_name(name) == taken
            await registry.deactivate_asset(taken.asset_id)
        assert (await registry.restore_asset(old.asset_id)).active

    async def test_missing_asset(self, registry: Registry) -> None:
        """An asset that never was can be neither deactivated nor restored."""
        with pytest.raises(AssetNotFoundError, match="Asset with id 999 not found"):
            await registry.deactivate_asset(999)
        with pytest.raises(AssetNotFoundError, match="Asset with id 999 not found"):
            await registry.restore_asset(999)

    async def test_impossible_asset_ids(self, registry: Registry) -> None:
        """No asset has an id that is zero, negative or beyond 64 bits."""
        await registry.register_asset(name="orders")
        for asset_id in (0, -1, 2**63, 10**30, -(10**30)):
            assert await registry.asset(asset_id) is None
            with pytest.raises(AssetNotFoundError):
                await registry.deactivate_asset(asset_id)

    async def test_list_assets(self, registry: Registry) -> None:
        """Assets are listed by ascending id, inactive ones included, page by page."""
        registered = [await registry.register_asset(name=name) for name in ("c", "a", "d", "b")]
        await registry.deactivate_asset(registered[1].asset_id)
        listed = list(await registry.assets())
        assert [asset.asset_id for asset in listed] == sorted(asset.asset_id for asset in registered)
        assert [asset.name for asset in listed] == ["c", "a", "d", "b"]
        assert [asset.active for asset in listed] == [True, False, True, True]
        assert list(await registry.assets(limit=2)) == listed[:2]
        assert list(await registry.assets(limit=2, offset=1)) == listed[1:3]
        assert list(await registry.assets(limit=2, offset=4)) == []
        assert list(await registry.assets(limit=0)) == []

    async def test_count_assets(self, registry: Registry) -> None:
        """Assets are counted as they are listed: inactive ones included, retired ones not."""
        assert await registry.count_assets() == 0
        registered = [await registry.register_asset(name=name) for name in "abc"]
        await registry.deactivate_asset(registered[1].asset_id)
        assert await registry.count_assets() == await Registry.count_assets(registry) == 3
        assert list(await registry.retire_assets(2**62)) == [registered[1].asset_id]
        assert await registry.count_assets() == await Registry.count_assets(registry) == 2

    async def test_concurrent_assets(self, registry: Registry) -> None:
        """One asset registered by many at once is one asset."""
        registered = await asyncio.gather(*(registry.register_asset(name="orders") for _ in range(20)))
        assert len(set(registered)) == 1
        assert list(await registry.assets()) == [registered[0]]

    async def test_concurrent_conflict(self, registry: Registry) -> None:
        """Of many who claim one name at once for different URIs, exactly one gets it."""
        outcomes = await asyncio.gather(
            *(registry.register_asset(name="orders", uri=f"s3://{number}") for number in range(10)),
            return_exceptions=True,
        )
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Asset"] + 9 * ["ConflictError"]
        assert len(await registry.assets()) == 1

    async def test_concurrent_retries(self, registry: Registry) -> None:
        """Of many UUIDs registered for one scope at once, exactly one is known afterwards."""
        tries = [task_instance(try_number=number) for number in range(1, 11)]
        await asyncio.gather(*(registry.register_task_instances([new]) for new in tries))
        known = [new for new in tries if await registry.task_scope(new.id) == SCOPE]
        assert len(known) == 1
        assert await registry.task_instance(known[0].id) == known[0]

    async def test_remove_task_instances_before(self, registry: Registry, clock: FakeClock) -> None:
        """Task instances registered before a time are forgotten in bounded steps; the others stay."""
        asset = await registry.register_asset(name="orders")
        old = [task_instance(TaskScope("orders", "r", "load", index), outlets=(asset,)) for index in range(5)]
        await registry.register_task_instances(old)
        assert await registry.has_task_instance(old[0].scope)
        clock.advance(1)
        young = task_instance(TaskScope("orders", "r", "send"), outlets=(asset,))
        await registry.register_task_instances([young])
        assert await registry.remove_task_instances_before(clock.now - SECOND) == 0
        assert await registry.count_overdue(registered_before=clock.now, inactive_before=clock.now) == (5, 0)
        assert await registry.remove_task_instances_before(clock.now, limit=3) == 3
        assert sum([await registry.has_task_instance(gone.scope) for gone in old]) == 2
        assert await registry.remove_task_instances_before(clock.now, limit=3) == 2
        assert await registry.remove_task_instances_before(clock.now, limit=3) == 0
        for gone in old:
            assert await registry.task_instance(gone.id) is None
            assert await registry.task_scope(gone.id) is None
            assert not await registry.has_task_instance(gone.scope)
            assert await registry.access(gone.id, asset) == frozenset()
        assert await registry.task_instance(young.id) == young
        assert await registry.access(young.id, asset) == {"outlet"}
        await registry.register_task_instances(old)
        assert await registry.task_instance(old[0].id) == old[0]

    async def test_registered_again(self, registry: Registry, clock: FakeClock) -> None:
        """A task instance's age is counted from when it was registered last."""
        new = task_instance()
        await registry.register_task_instances([new])
        clock.advance(1)
        await registry.register_task_instances([new])
        assert await registry.remove_task_instances_before(clock.now) == 0
        clock.advance(1)
        retry = task_instance(try_number=2)
        await registry.register_task_instances([retry])
        assert await registry.remove_task_instances_before(clock.now) == 0
        assert await registry.task_instance(retry.id) == retry

    async def test_retire_assets(self, registry: Registry, clock: FakeClock) -> None:
        """Assets that were inactive since before a time become unknown, and are returned until they are forgotten."""
        assets = [await registry.register_asset(name=name) for name in "abcd"]
        ids = [asset.asset_id for asset in assets]
        new = task_instance(inlets=tuple(assets), outlets=(assets[0],))
        await registry.register_task_instances([new])
        for asset_id in ids[:2]:
            await registry.deactivate_asset(asset_id)
        clock.advance(1)
        await registry.deactivate_asset(ids[2])
        assert list(await registry.retire_assets(clock.now - SECOND)) == []
        assert [await registry.asset(asset_id) is None for asset_id in ids] == [False] * 4
        assert await registry.count_overdue(registered_before=0, inactive_before=clock.now) == (0, 2)
        assert list(await registry.retire_assets(clock.now, limit=1)) == ids[:1]
        assert list(await registry.retire_assets(clock.now, limit=1)) == ids[:1]
        assert sorted(await registry.retire_assets(clock.now)) == ids[:2]
        assert await registry.count_overdue(registered_before=0, inactive_before=clock.now) == (0, 2)
        assert [await registry.asset(asset_id) is None for asset_id in ids] == [True, True, False, False]
        assert [asset.asset_id for asset in await registry.assets()] == ids[2:]
        for asset_id in ids[:2]:
            with pytest.raises(AssetNotFoundError):
                await registry.restore_asset(asset_id)
            with pytest.raises(AssetNotFoundError):
                await registry.deactivate_asset(asset_id)
            with pytest.raises(AssetNotFoundError):
                await registry.register_task_instances([task_instance(inlets=(assets[asset_id - ids[0]],))])
            await registry.forget_asset(asset_id)
            await registry.forget_asset(asset_id)
        assert list(await registry.retire_assets(clock.now)) == []
        assert await registry.count_overdue(registered_before=0, inactive_before=clock.now) == (0, 0)
        assert await registry.task_instance(new.id) == task_instance(id=new.id, inlets=tuple(assets[2:]))
        assert await registry.access(new.id, assets[0]) == frozenset()
        assert (await registry.restore_asset(ids[2])).active

    async def test_forget_asset_that_is_not_retired(self, registry: Registry, clock: FakeClock) -> None:
        """To forget an asset that is active, inactive or unknown changes nothing."""
        active = await registry.register_asset(name="active")
        inactive = await registry.register_asset(name="inactive")
        new = task_instance(inlets=(active, inactive))
        await registry.register_task_instances([new])
        await registry.deactivate_asset(inactive.asset_id)
        for asset_id in (active.asset_id, inactive.asset_id, 999, 0, -1, 2**63):
            await registry.forget_asset(asset_id)
        assert [asset.asset_id for asset in await registry.assets()] == [active.asset_id, inactive.asset_id]
        assert await registry.task_instance(new.id) == new
        assert (await registry.restore_asset(inactive.asset_id)).active

    async def test_ids_of_forgotten_assets(self, registry: Registry, clock: FakeClock) -> None:
        """The name of a forgotten asset is free, and its id is never given to another."""
        old = await registry.register_asset(name="orders")
        await registry.deactivate_asset(old.asset_id)
        clock.advance(1)
        assert list(await registry.retire_assets(clock.now)) == [old.asset_id]
        await registry.forget_asset(old.asset_id)
        new = await registry.register_asset(name="orders")
        assert new.asset_id > old.asset_id

    async def test_restored_asset_is_not_retired(self, registry: Registry, clock: FakeClock) -> None:
        """An asset's inactivity begins anew when it is deactivated again."""
        asset = await registry.register_asset(name="orders")
        await registry.deactivate_asset(asset.asset_id)
        clock.advance(1)
        await registry.restore_asset(asset.asset_id)
        assert list(await registry.retire_assets(clock.now)) == []
        await registry.deactivate_asset(asset.asset_id)
        assert list(await registry.retire_assets(clock.now)) == []
        assert await registry.restore_asset(asset.asset_id) == asset

    async def test_restore_or_retire(self, registry: Registry, clock: FakeClock) -> None:
        """Of those who restore and retire an asset at once one wins: it is active, or it is gone for ever."""
        for number in range(20):
            asset = await registry.register_asset(name=f"orders-{number}")
            await registry.deactivate_asset(asset.asset_id)
            clock.advance(1)
            restored, retired = await asyncio.gather(
                registry.restore_asset(asset.asset_id), registry.retire_assets(clock.now), return_exceptions=True
            )
            assert not isinstance(retired, BaseException)
            if asset.asset_id in retired:
                assert isinstance(restored, AssetNotFoundError)
                assert await registry.asset(asset.asset_id) is None
                await registry.forget_asset(asset.asset_id)
            else:
                assert restored == asset
                assert await registry.asset(asset.asset_id) == asset

    async def test_concurrent_removal(self, registry: Registry, clock: FakeClock) -> None:
        """Of what several remove at once, while others register anew, each is removed once and nothing young is."""
        old = [task_instance(TaskScope("orders", "r", "load", index)) for index in range(200)]
        await registry.register_task_instances(old)
        clock.advance(1)
        again = old[::4]
        *removed, _ = await asyncio.gather(
            *(registry.remove_task_instances_before(clock.now, limit=70) for _ in range(4)),
            registry.register_task_instances(again),
        )
        removed.append(await registry.remove_task_instances_before(clock.now))
        assert 150 <= sum(filter(None, removed)) <= 200
        for registered in old:
            assert await registry.task_instance(registered.id) == (registered if registered in again else None)
