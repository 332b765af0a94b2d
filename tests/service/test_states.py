"""Task state and asset state follow the same rules, in process as over any route."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from statemount.errors import InvalidInputError, KeyNotFoundError, ScopeFullError, TooLargeError
from statemount.model import AssetScope, MappedTask, TaskScope, Writer
from statemount.service.assets import AssetStates
from statemount.service.expiry import Retention
from statemount.service.limits import ValueLimits
from statemount.service.tasks import TaskStates
from statemount.store.memory import MemoryStore
from statemount.store.options import StoreOptions
from tests.clock import SECOND, START, FakeClock

pytestmark = pytest.mark.anyio

TASK = TaskScope("dag", "run", "task")
ASSET = AssetScope(1)
WORKER = Writer.of_task(TASK)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that is moved by hand."""
    return FakeClock()


@dataclass(frozen=True)
class Both:
    """Task state and asset state over one store."""

    tasks: TaskStates
    assets: AssetStates


@pytest.fixture
def service(clock: FakeClock) -> Both:
    """Return the rules of state over a store in memory, with small limits."""
    store = MemoryStore(clock=clock, options=StoreOptions(max_entries=3))
    limits = ValueLimits(max_value_bytes=20, max_body_bytes=40)
    retention = Retention(timedelta(seconds=10))
    return Both(TaskStates(store, limits, retention, clock), AssetStates(store, limits))


async def test_a_round_trip(service: Both) -> None:
    """What was set is got and listed, until it is deleted or cleared."""
    for states, scope in ((service.tasks, TASK), (service.assets, ASSET)):
        result = await states.set(scope, "k", {"a": [1]})  # type: ignore[arg-type]
        entry = await states.get(scope, "k")  # type: ignore[arg-type]
        assert (entry.load(), entry.revision, entry.writer) == ({"a": [1]}, result.revision, Writer("api"))
        assert (await states.list(scope)).entries == (entry,)  # type: ignore[arg-type]
        assert (await states.list(scope, limit=0)).total == 1  # type: ignore[arg-type]
        assert (await states.list(scope, offset=1)).entries == ()  # type: ignore[arg-type]
        assert (await states.delete(scope, "k")).status == "changed"  # type: ignore[arg-type]
        assert (await states.delete(scope, "k")).status == "unchanged"  # type: ignore[arg-type]
        await states.set(scope, "l", 1)  # type: ignore[arg-type]
        await states.clear(scope)  # type: ignore[arg-type]
        with pytest.raises(KeyNotFoundError, match="^key 'l' not found$") as caught:
            await states.get(scope, "l")  # type: ignore[arg-type]
        assert caught.value.key == "l"


async def test_when_a_task_entry_ends(service: Both, clock: FakeClock) -> None:
    """Task state ends after the default retention, at the time that was given, or never; asset state never."""
    await service.tasks.set(TASK, "default", 1)
    await service.tasks.set(TASK, "never", 1, expires_at=None)
    await service.tasks.set(TASK, "soon", 1, expires_at=clock.now + SECOND)
    await service.assets.set(ASSET, "asset", 1)
    ends = {entry.key: entry.expires_at for entry in (await service.tasks.list(TASK)).entries}
    assert ends == {"default": START + 10 * SECOND, "never": None, "soon": START + SECOND}
    clock.advance(10)
    assert [entry.key for entry in (await service.tasks.list(TASK)).entries] == ["never"]
    assert (await service.assets.get(ASSET, "asset")).expires_at is None


async def test_set_replaces_the_expiry_and_patch_keeps_it(service: Both, clock: FakeClock) -> None:
    """A second set replaces value and expiry; a patch only the value, and only of a key that is there."""
    await service.tasks.set(TASK, "k", 1, expires_at=clock.now + 5 * SECOND)
    await service.tasks.patch(TASK, "k", 2)
    entry = await service.tasks.get(TASK, "k")
    assert (entry.load(), entry.expires_at) == (2, clock.now + 5 * SECOND)
    await service.tasks.set(TASK, "k", 3, expires_at=None)
    assert (await service.tasks.get(TASK, "k")).expires_at is None
    with pytest.raises(KeyNotFoundError):
        await service.tasks.patch(TASK, "other", 1)
    with pytest.raises(KeyNotFoundError):
        await service.assets.patch(ASSET, "other", 1)
    await service.tasks.set(TASK, "gone", 1, expires_at=clock.now)
    with pytest.raises(KeyNotFoundError):
        await service.tasks.patch(TASK, "gone", 1)
    assert (await service.tasks.list(TASK)).total == 1


async def test_clear_of_every_map_index(service: Both) -> None:
    """One call clears all map indexes of a task."""
    scopes = [TaskScope("dag", "run", "task", index) for index in (-1, 0, 5)]
    for scope in scopes:
        await service.tasks.set(scope, "k", 1)
    await service.tasks.clear(MappedTask("dag", "run", "task"), writer=WORKER)
    assert [(await service.tasks.list(scope)).total for scope in scopes] == [0, 0, 0]


async def test_the_writer_decides_the_limit(service: Both) -> None:
    """The public API's limit is not a worker's; the body limit is everybody's."""
    value = "x" * 30
    for states, scope in ((service.tasks, TASK), (service.assets, ASSET)):
        with pytest.raises(InvalidInputError, match="max_value_storage_bytes"):
            await states.set(scope, "k", value)  # type: ignore[arg-type]
        await states.set(scope, "k", value, writer=WORKER)  # type: ignore[arg-type]
        assert (await states.get(scope, "k")).writer == WORKER  # type: ignore[arg-type]
        with pytest.raises(InvalidInputError, match="max_value_storage_bytes"):
            await states.patch(scope, "k", value)  # type: ignore[arg-type]
        with pytest.raises(TooLargeError):
            await states.set(scope, "k", value * 2, writer=WORKER)  # type: ignore[arg-type]


async def test_a_refusal_changes_nothing(service: Both) -> None:
    """Bad keys and values are refused by every call, before the store is asked, and a full scope is said to be full."""
    for states, scope in ((service.tasks, TASK), (service.assets, ASSET)):
        for key in ("", "a\0", "x" * 513, "\ud800"):
            for work in (
                states.get(scope, key),  # type: ignore[arg-type]
                states.set(scope, key, 1),  # type: ignore[arg-type]
                states.patch(scope, key, 1),  # type: ignore[arg-type]
                states.delete(scope, key),  # type: ignore[arg-type]
            ):
                with pytest.raises(InvalidInputError):
                    await work
        for value in (None, float("nan"), "\ud800", object()):
            with pytest.raises(InvalidInputError):
                await states.set(scope, "k", value)  # type: ignore[arg-type]
        for number in range(3):
            await states.set(scope, f"k{number}", 1)  # type: ignore[arg-type]
        with pytest.raises(ScopeFullError, match="at most 3 keys"):
            await states.set(scope, "k3", 1)  # type: ignore[arg-type]
        assert [entry.key for entry in (await states.list(scope)).entries] == ["k0", "k1", "k2"]  # type: ignore[arg-type]
