"""What a host does with runs, task instances and assets."""

from __future__ import annotations

from uuid import uuid4

import pytest

from statemount.directory.cache import CachedDirectory
from statemount.directory.memory import MemoryDirectory
from statemount.errors import (
    AssetNotFoundError,
    ConflictError,
    InvalidInputError,
    KeyNotFoundError,
    TaskInstanceNotFoundError,
)
from statemount.model import AssetScope, MappedTask, Run, TaskInstance, TaskScope
from statemount.mount import StateMount

pytestmark = pytest.mark.anyio

SCOPE = TaskScope("etl", "monday", "load")


async def test_a_dropped_run_takes_everything_with_it() -> None:
    """Its task instances are unknown, their state is gone, later writes are refused; other runs stay."""
    state = StateMount("memory://")
    scopes = [SCOPE, TaskScope("etl", "monday", "load", 3), TaskScope("etl", "tuesday", "load")]
    for scope in scopes:
        await state.directory.register_task_instances([TaskInstance(uuid4(), scope)])
        await state.service.tasks.set(scope, "key", 1)
    for _ in range(2):
        await state.service.host.drop_run(Run("etl", "monday"))
    assert not await state.directory.has_task_instance(MappedTask("etl", "monday", "load"))
    assert [(await state.service.tasks.list(scope)).total for scope in scopes] == [0, 0, 1]
    with pytest.raises(TaskInstanceNotFoundError):
        await state.service.tasks.set(SCOPE, "key", 2)
    assert await state.directory.has_task_instance(scopes[2])


async def test_a_run_is_dropped_though_the_directory_takes_nothing() -> None:
    """With a directory of the host's own there is nothing registered to forget, and the state goes."""
    state = StateMount("memory://", directory=CachedDirectory(MemoryDirectory()))
    await state.service.tasks.set(SCOPE, "key", 1)
    await state.service.host.drop_run(Run("etl", "monday"))
    assert (await state.service.tasks.list(SCOPE)).total == 0


@pytest.mark.parametrize("run", [Run("", "r"), Run("d", "r" * 251), Run("d", "\ud800"), Run("d\0", "r")])
async def test_a_run_that_cannot_be_is_refused(run: Run) -> None:
    """Ids that no run can have are refused."""
    with pytest.raises(InvalidInputError):
        await StateMount("memory://").service.host.drop_run(run)


async def test_a_success_clears_the_state_if_it_is_set_so() -> None:
    """A task instance that has succeeded keeps its state, unless it is to be cleared; it must be known."""
    for clears in (False, True):
        state = StateMount("memory://", clear_on_success=clears)
        task_instance = TaskInstance(uuid4(), SCOPE)
        await state.directory.register_task_instances([task_instance])
        await state.service.tasks.set(SCOPE, "key", 1)
        await state.service.host.succeeded(task_instance.id)
        assert (await state.service.tasks.list(SCOPE)).total == (0 if clears else 1)
        with pytest.raises(TaskInstanceNotFoundError, match="not found"):
            await state.service.host.succeeded(uuid4())


async def test_a_restored_asset_has_its_state() -> None:
    """An asset that is deactivated keeps its state, and has it when it is restored."""
    state = StateMount("memory://")
    asset = await state.directory.register_asset(name="orders")
    await state.service.assets.set(AssetScope(asset.asset_id), "watermark", 7)
    await state.service.host.deactivate_asset(asset.asset_id)
    assert await state.directory.asset_by_name("orders") is None
    assert await state.service.host.restore_asset(asset.asset_id) == asset
    assert (await state.service.assets.get(AssetScope(asset.asset_id), "watermark")).load() == 7


async def test_an_asset_whose_name_was_taken_is_not_restored() -> None:
    """Another active asset with the name or URI is in the way; its state is its own."""
    state = StateMount("memory://")
    old = await state.directory.register_asset(name="orders")
    await state.service.assets.set(AssetScope(old.asset_id), "watermark", 7)
    await state.service.host.deactivate_asset(old.asset_id)
    new = await state.directory.register_asset(name="orders")
    with pytest.raises(ConflictError):
        await state.service.host.restore_asset(old.asset_id)
    with pytest.raises(KeyNotFoundError):
        await state.service.assets.get(AssetScope(new.asset_id), "watermark")
    for missing in (state.service.host.deactivate_asset(99), state.service.host.restore_asset(99)):
        with pytest.raises(AssetNotFoundError, match="Asset with id 99 not found"):
            await missing


async def test_assets_are_found_by_id_name_or_uri() -> None:
    """An id finds an asset active or not; a text may be the name or else the URI of an active one."""
    state = StateMount("memory://")
    host = state.service.host
    orders = await state.directory.register_asset(name="orders", uri="s3://orders")
    report = await state.directory.register_asset(name="s3://report", uri="report")
    gone = await state.directory.register_asset(name="gone")
    await host.deactivate_asset(gone.asset_id)
    assert await host.find_asset(AssetScope(orders.asset_id)) == orders
    assert (await host.find_asset(AssetScope(gone.asset_id))).asset_id == gone.asset_id
    assert await host.find_asset(AssetScope(name="orders")) == orders
    assert await host.find_asset(AssetScope(uri="s3://orders")) == orders
    assert await host.find_asset(AssetScope(name="report", uri="report")) == report
    references = [AssetScope(name="orders"), AssetScope(uri="report"), AssetScope(orders.asset_id)]
    assert await host.asset_ids(references) == {orders.asset_id, report.asset_id}
    for reference, said in (
        (AssetScope(99), "Asset with id 99 not found"),
        (AssetScope(name="gone"), "Asset with name='gone' not found"),
        (AssetScope(name="gone", uri="gone"), "Asset with name='gone' not found"),
        (AssetScope(uri="orders"), "Asset with uri='orders' not found"),
    ):
        with pytest.raises(AssetNotFoundError, match=said):
            await host.asset_ids([AssetScope(name="orders"), reference])
