"""The sweeper: when it works, when it rests, how it ends, and what it says."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Sequence
from contextvars import ContextVar
from datetime import timedelta
from uuid import uuid4

import pytest
from typing_extensions import override

from statemount.directory.cache import CachedDirectory
from statemount.directory.memory import MemoryDirectory
from statemount.errors import UnavailableError
from statemount.model import TaskInstance, TaskScope, Timestamp
from statemount.mount import StateMount
from statemount.operations import Set
from statemount.service.clean_up import CleanUpRules
from statemount.service.sweeper import Sweeper
from statemount.store.memory import MemoryStore
from tests.clock import SECOND, FakeClock
from tests.database.support import until
from tests.service.naps import Naps

pytestmark = pytest.mark.anyio

TASK = TaskScope("dag", "run", "task")
RULES = CleanUpRules(batch_size=10)
caller: ContextVar[str] = ContextVar("caller", default="nobody")


class WatchedStore(MemoryStore):
    """Tells what reaches it, may be held up, and fails as it is told.

    Attributes:
        contexts: What a caller of each sweep has in its context.
        error: Raised instead of sweeping.
        gate: Where a sweep waits.
        begun: A sweep has begun.
    """

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self.contexts: list[str] = []
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.begun = asyncio.Event()

    @override
    async def sweep(self, *, limit: int = 1000) -> int:
        self.contexts.append(caller.get())
        self.begun.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return await super().sweep(limit=limit)


class BrokenDirectory(MemoryDirectory):
    """A registry whose retention fails in an unexpected way."""

    @override
    async def remove_task_instances_before(self, before: Timestamp, *, limit: int = 1000) -> int:
        raise RuntimeError("no such column")


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that is moved by hand."""
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> WatchedStore:
    """Return an empty store."""
    return WatchedStore(clock)


@pytest.fixture
def naps() -> Naps:
    """Return the sweeper's sleep."""
    return Naps()


@pytest.fixture
async def sweeper(store: WatchedStore, clock: FakeClock, naps: Naps) -> AsyncIterator[Sweeper]:
    """Return an open sweeper that sleeps until it is woken."""
    caller.set("a request")
    chance = itertools.cycle([0.0, 0.5, 1.0]).__next__
    sweeper = Sweeper(store, None, clock, RULES, interval=60, sleep=naps, chance=chance)
    await sweeper.open()
    yield sweeper
    await sweeper.close()


async def expiring(store: MemoryStore, clock: FakeClock, count: int) -> None:
    """Write entries that are expired, and one that is not."""
    entries = [Set(f"k{number}", "1", clock.now + SECOND) for number in range(count)]
    await store.apply(TASK, [*entries, Set("eternal", "1")], writer=None)
    clock.advance(1)


def said(caplog: pytest.LogCaptureFixture) -> Sequence[str]:
    """Return the sweeper's log from INFO on, and forget it."""
    records = [record for record in caplog.records if record.name == "statemount.service.sweeper"]
    lines = [f"{record.levelname} {record.getMessage()}" for record in records if record.levelno >= logging.INFO]
    caplog.clear()
    return lines


async def test_rounds(sweeper: Sweeper, store: WatchedStore, clock: FakeClock, naps: Naps) -> None:
    """It sleeps first; then each round removes what is expired, in batches with rests, and it sleeps again."""
    await expiring(store, clock, 12)
    await naps.begun()
    assert (naps.seconds, await store.count_expired()) == ([30.0], 12)
    await naps.end()
    assert await store.count_expired() == 2
    assert naps.seconds[1] <= 1
    await naps.end()
    assert await store.count_expired() == 0
    assert naps.seconds[2] == 60.0
    await expiring(store, clock, 3)
    await naps.end()
    assert await store.count_expired() == 0
    assert naps.seconds[3:] == [90.0]
    assert (await store.list(TASK, limit=0)).total == 1


async def test_it_has_a_context_of_its_own(sweeper: Sweeper, store: WatchedStore, naps: Naps) -> None:
    """Nothing of whoever started it is in its context."""
    await naps.end()
    assert store.contexts == ["nobody"]


async def test_an_outage_is_told_once(
    sweeper: Sweeper, store: WatchedStore, naps: Naps, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that does not answer is logged once, not in each round, and so is that it answers again."""
    caplog.set_level(logging.DEBUG)
    store.error = UnavailableError("the database does not answer")
    await naps.end()
    assert said(caplog) == [
        "WARNING expired entries cannot be removed, which is tried again: the database does not answer"
    ]
    await naps.end()
    assert said(caplog) == []
    store.error = None
    await naps.end()
    assert said(caplog) == ["INFO expired entries are removed again"]


async def test_one_chore_that_fails_leaves_the_others_alone(
    store: WatchedStore, clock: FakeClock, naps: Naps, caplog: pytest.LogCaptureFixture
) -> None:
    """What fails unexpectedly is logged once with its traceback, and everything else is removed."""
    await expiring(store, clock, 3)
    registry = BrokenDirectory(clock=clock)
    asset = await registry.register_asset(name="orders")
    await registry.deactivate_asset(asset.asset_id)
    clock.advance(timedelta(days=8).total_seconds())
    sweeper = Sweeper(store, registry, clock, RULES, interval=60, sleep=naps)
    await sweeper.open()
    await naps.end()
    assert await registry.asset(asset.asset_id) is None
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.getMessage() == "old task instances cannot be removed, which is tried again: no such column"
    assert record.exc_info is not None
    assert await store.count_expired() == 0
    caplog.clear()
    await naps.end()
    assert said(caplog) == []
    await sweeper.close()


async def test_it_ends_while_it_sleeps(sweeper: Sweeper, store: WatchedStore, naps: Naps) -> None:
    """Whoever closes it while it sleeps does not wait for the end of the interval."""
    await naps.begun()
    await asyncio.wait_for(sweeper.close(), 5)
    assert store.contexts == []


async def test_it_ends_before_it_has_begun(store: WatchedStore, clock: FakeClock, naps: Naps) -> None:
    """It can be closed at once, and without having been opened."""
    sweeper = Sweeper(store, None, clock, RULES, interval=60, sleep=naps)
    await sweeper.close()
    sweeper = Sweeper(store, None, clock, RULES, interval=60, sleep=naps)
    await sweeper.open()
    await sweeper.close()
    assert naps.seconds == []


async def test_a_batch_under_way_is_finished(
    sweeper: Sweeper, store: WatchedStore, clock: FakeClock, naps: Naps
) -> None:
    """Whoever closes it during a batch waits for that batch, and no other is begun."""
    await expiring(store, clock, 25)
    store.gate = asyncio.Event()
    ending = asyncio.ensure_future(naps.end())
    await store.begun.wait()
    closing = asyncio.ensure_future(sweeper.close())
    await asyncio.wait([closing], timeout=0.05)
    assert not closing.done()
    store.gate.set()
    await asyncio.wait_for(closing, 5)
    assert await store.count_expired() == 15
    ending.cancel()


async def test_it_ends_with_its_event_loop(sweeper: Sweeper, store: WatchedStore, clock: FakeClock, naps: Naps) -> None:
    """A sweeper that is cancelled in the middle of a batch ends, and can be closed."""
    store.gate = asyncio.Event()
    ending = asyncio.ensure_future(naps.end())
    await store.begun.wait()
    assert sweeper._task is not None
    sweeper._task.cancel()
    await asyncio.wait_for(sweeper.close(), 5)
    assert sweeper._task.cancelled()
    ending.cancel()


async def test_an_app_sweeps_as_long_as_it_runs(backend_url: str | None) -> None:
    """An app removes what is over on any database, with the settings that it has, and stops when it is stopped."""
    clock = FakeClock()
    state = StateMount(
        backend_url or "memory://", clock=clock, sweep_interval_seconds=0.01, sweep_batch_size=2, asset_grace_days=1
    )
    asset = await state.directory.register_asset(name="orders")
    await state.directory.register_task_instances([TaskInstance(uuid4(), TASK)])
    for number in range(5):
        await state.service.tasks.set(TASK, f"k{number}", 1, expires_at=clock.now + SECOND)
    await state.service.tasks.set(TASK, "eternal", 1, expires_at=None)
    await state.service.host.deactivate_asset(asset.asset_id)
    await asyncio.sleep(0.05)
    assert (await state.service.tasks.list(TASK)).total == 6
    clock.advance(timedelta(days=91).total_seconds())

    async def is_clean() -> bool:
        is_known = await state.directory.has_task_instance(TASK) or await state.directory.asset(asset.asset_id)
        is_old = await state.service.store.count_changes(before=clock.now)
        return not is_known and await state.service.store.count_expired() == is_old == 0

    await until(is_clean)
    assert (await state.service.tasks.list(TASK)).total == 1
    await state.stop()


async def test_the_sweeper_is_switched_off() -> None:
    """With an interval of 0 nothing is removed in the background; the host may do so itself."""
    clock = FakeClock()
    before = asyncio.all_tasks()
    state = StateMount("memory://", clock=clock, sweep_interval_seconds=0, directory=CachedDirectory(MemoryDirectory()))
    await state.service.tasks.set(TASK, "k", 1, expires_at=clock.now)
    assert [task.get_name() for task in asyncio.all_tasks() - before] == ["statemount runtime"]
    assert (await state.service.clean_up()).entries == 1
    await state.stop()
