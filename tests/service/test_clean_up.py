"""Clean-up: what is removed, in which portions, and what is left."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from typing_extensions import override

from statemount.directory.memory import MemoryDirectory
from statemount.errors import AssetNotFoundError, ConfigurationError, UnavailableError
from statemount.interfaces import Registry, Store
from statemount.model import Asset, AssetScope, Run, TaskInstance, TaskScope
from statemount.operations import Set
from statemount.service.clean_up import CleanUp, CleanUpRules, Overdue
from statemount.store.memory import MemoryStore
from tests.clock import SECOND, FakeClock

pytestmark = pytest.mark.anyio

DAY = 86_400
TASK = TaskScope("dag", "run", "task")
RULES = CleanUpRules(
    batch_size=10,
    asset_grace=timedelta(days=7),
    directory_retention=timedelta(days=90),
    history_retention=timedelta(days=30),
)


class Rests:
    """Takes down how long was to be rested."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that is moved by hand."""
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> MemoryStore:
    """Return an empty store."""
    return MemoryStore(clock=clock)


@pytest.fixture
def registry(clock: FakeClock) -> MemoryDirectory:
    """Return an empty registry."""
    return MemoryDirectory(clock=clock)


@pytest.fixture
def rests() -> Rests:
    """Return what takes the place of sleep."""
    return Rests()


@pytest.fixture
def clean_up(store: MemoryStore, registry: MemoryDirectory, clock: FakeClock, rests: Rests) -> CleanUp:
    """Return a clean-up that need not wait."""
    return CleanUp(store, registry, clock, RULES, rest=rests)


async def expiring(store: Store, clock: FakeClock, count: int) -> None:
    """Write entries that end in a second, and one that does not end."""
    entries = [Set(f"k{number}", "1", clock.now + SECOND) for number in range(count)]
    await store.apply(TASK, [*entries, Set("eternal", "1")], writer=None)


async def inactive_asset(store: Store, registry: Registry, name: str = "orders") -> Asset:
    """Return an asset with state that was deactivated just now."""
    asset = await registry.register_asset(name=name)
    await store.apply(AssetScope(asset.asset_id), [Set("watermark", "7")], writer=None)
    await registry.deactivate_asset(asset.asset_id)
    return asset


async def test_nothing_is_over(clean_up: CleanUp, store: Store, registry: Registry, clock: FakeClock) -> None:
    """What is not over is left, and nothing is counted."""
    await expiring(store, clock, 3)
    await registry.register_task_instances([TaskInstance(uuid4(), TASK)])
    asset = await inactive_asset(store, registry)
    assert await clean_up.count() == await clean_up() == Overdue()
    assert (await store.list(TASK, limit=0)).total == 4
    assert await registry.has_task_instance(TASK)
    assert (await registry.restore_asset(asset.asset_id)).active


async def test_everything_that_is_over_is_removed(
    clean_up: CleanUp, store: Store, registry: Registry, clock: FakeClock
) -> None:
    """What is over goes, each kind in its time: an asset with its state, a task instance without; the counts agree."""
    await expiring(store, clock, 3)
    await registry.register_task_instances([TaskInstance(uuid4(), TASK)])
    asset = await inactive_asset(store, registry)
    for days, overdue in (
        (6, Overdue(3, 0, 0, 0)),
        (2, Overdue(0, 0, 1, 0)),
        (23, Overdue(0, 0, 0, 4)),  # four sets; three expiries come six days later
        (60, Overdue(0, 1, 0, 3)),
        (1, Overdue()),
    ):
        clock.advance(days * DAY)
        assert await clean_up.count() == overdue
        assert await clean_up() == overdue
    assert [entry.key for entry in (await store.list(TASK, limit=9)).entries] == ["eternal"]
    assert (await store.list(AssetScope(asset.asset_id), limit=9)).total == 0
    assert await registry.asset(asset.asset_id) is None


async def test_batches(clean_up: CleanUp, store: Store, clock: FakeClock, rests: Rests) -> None:
    """After each full batch there is a rest, never longer than a second; progress is told after every batch."""
    await expiring(store, clock, 25)
    clock.advance(1)
    progress: list[int] = []
    assert await clean_up(progress.append) == Overdue(25, 0, 0)
    assert progress == [10, 10, 5]
    assert len(rests.seconds) == 2
    assert all(0 <= seconds <= 1 for seconds in rests.seconds)


async def test_a_rest_is_as_long_as_the_batch_was(registry: MemoryDirectory, clock: FakeClock, rests: Rests) -> None:
    """Whoever works for long rests for long, up to a second: at most half of the time is clean-up's own."""

    class Slow(MemoryStore):
        @override
        async def sweep(self, *, limit: int = 1000) -> int:
            await asyncio.sleep(0.02)
            return await super().sweep(limit=limit)

    store = Slow(clock=clock)
    await expiring(store, clock, 10)
    clock.advance(1)
    await CleanUp(store, registry, clock, RULES, rest=rests)()
    assert len(rests.seconds) == 1
    assert 0.015 <= rests.seconds[0] <= 1


async def test_many_task_instances_and_assets(
    clean_up: CleanUp, store: Store, registry: Registry, clock: FakeClock, rests: Rests
) -> None:
    """Task instances and assets go in batches, too."""
    for number in range(12):
        await registry.register_task_instances([TaskInstance(uuid4(), TaskScope("dag", "run", "task", number))])
        await inactive_asset(store, registry, f"asset-{number}")
    clock.advance(91 * DAY)
    assert await clean_up() == Overdue(0, 12, 12)
    assert len(rests.seconds) == 2
    assert list(await registry.assets()) == []


async def test_many_changes(clean_up: CleanUp, store: Store, clock: FakeClock, rests: Rests) -> None:
    """The history goes in batches, too; what is younger than its retention stays."""
    for _ in range(2):
        await store.apply(TASK, [Set("k", str(number)) for number in range(25)], writer=None)
        clock.advance(29 * DAY)
    assert await clean_up() == Overdue(changes=25)
    assert len(rests.seconds) == 2
    assert len((await store.history(TASK)).changes) == 25


async def test_for_ever(store: Store, registry: Registry, clock: FakeClock, rests: Rests) -> None:
    """Durations of zero keep assets, task instances and the history for ever."""
    await registry.register_task_instances([TaskInstance(uuid4(), TASK)])
    asset = await inactive_asset(store, registry)
    clock.advance(1000 * DAY)
    clean_up = CleanUp(
        store,
        registry,
        clock,
        CleanUpRules(asset_grace=timedelta(0), directory_retention=timedelta(0), history_retention=timedelta(0)),
        rest=rests,
    )
    assert await clean_up.count() == await clean_up() == Overdue()
    assert len(await store.changes(AssetScope(asset.asset_id))) == 1
    assert await registry.has_task_instance(TASK)
    assert (await registry.restore_asset(asset.asset_id)).active


async def test_without_a_registry(store: Store, clock: FakeClock, rests: Rests) -> None:
    """Where the host's directory knows what there is, only entries and changes are removed."""
    await expiring(store, clock, 3)
    clock.advance(1000 * DAY)
    clean_up = CleanUp(store, None, clock, RULES, rest=rests)
    assert await clean_up.count() == await clean_up() == Overdue(3, 0, 0, 4)


async def test_what_nobody_counts(clock: FakeClock, rests: Rests) -> None:
    """A store and a registry that do not count are cleaned all the same."""

    class UncountedStore(MemoryStore):
        count_expired = Store.count_expired
        count_changes = Store.count_changes

    class UncountedRegistry(MemoryDirectory):
        count_overdue = Registry.count_overdue  # type: ignore[assignment]

    store, registry = UncountedStore(clock=clock), UncountedRegistry(clock=clock)
    await expiring(store, clock, 3)
    await inactive_asset(store, registry)
    clock.advance(8 * DAY)
    clean_up = CleanUp(store, registry, clock, RULES, rest=rests)
    assert await clean_up.count() == Overdue(None, None, None, None)
    assert await clean_up() == Overdue(3, 0, 1)


async def test_an_interrupted_removal_is_finished(registry: MemoryDirectory, clock: FakeClock, rests: Rests) -> None:
    """An asset whose state could not be dropped is gone for everybody, and its state goes the next time."""

    class Failing(MemoryStore):
        fails = True

        @override
        async def drop(self, target: Run | AssetScope) -> None:
            if self.fails:
                raise UnavailableError("the network is down")
            await super().drop(target)

    store = Failing(clock=clock)
    asset = await inactive_asset(store, registry)
    clock.advance(8 * DAY)
    clean_up = CleanUp(store, registry, clock, RULES, rest=rests)
    with pytest.raises(UnavailableError):
        await clean_up()
    with pytest.raises(AssetNotFoundError):
        await registry.restore_asset(asset.asset_id)
    assert await clean_up.count() == Overdue(0, 0, 1)
    store.fails = False
    assert await clean_up() == Overdue(0, 0, 1)
    assert (await store.list(AssetScope(asset.asset_id), limit=0)).total == 0


async def test_two_at_once(
    clean_up: CleanUp, store: MemoryStore, registry: MemoryDirectory, clock: FakeClock, rests: Rests
) -> None:
    """Two clean-ups at once leave nothing that is over, and touch nothing else."""
    await expiring(store, clock, 35)
    assets = [await inactive_asset(store, registry, f"asset-{number}") for number in range(5)]
    clock.advance(8 * DAY)
    kept = await inactive_asset(store, registry, "kept")
    other = CleanUp(store, registry, clock, RULES, rest=rests)
    first, second = await asyncio.gather(clean_up(), other())
    assert (first.entries or 0) + (second.entries or 0) == 35
    assert [await registry.asset(asset.asset_id) for asset in assets] == [None] * 5
    assert (await store.list(TASK, limit=0)).total == 1
    assert (await store.list(AssetScope(kept.asset_id), limit=0)).total == 1


@pytest.mark.parametrize(
    "rules",
    [
        {"batch_size": 0},
        {"asset_grace": timedelta(-1)},
        {"directory_retention": timedelta(microseconds=-1)},
        {"history_retention": timedelta(-1)},
    ],
)
def test_rules_that_make_no_sense(rules: dict[str, object]) -> None:
    """Empty batches and negative durations are refused."""
    with pytest.raises(ConfigurationError):
        CleanUpRules(**rules)  # type: ignore[arg-type]
