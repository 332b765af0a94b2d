"""A worker reaches its own task instance, and the assets that it is registered with."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from statemount.auth.policy import DefaultAuthorizer
from statemount.directory.memory import MemoryDirectory
from statemount.errors import AssetNotFoundError, ForbiddenError, TaskInstanceNotFoundError
from statemount.interfaces import Identity
from statemount.model import AssetScope, TaskInstance, TaskScope, Writer
from statemount.service.workers import Workers

pytestmark = pytest.mark.anyio

TASK_ID = UUID("0197f3a0-1111-7000-8000-000000000001")
SCOPE = TaskScope("dag", "run", "task", 3)
WORKER = Identity(str(TASK_ID), TASK_ID)
WATCHER = Identity(str(UUID(int=0)), is_watcher=True)


@pytest.fixture
async def directory() -> MemoryDirectory:
    """Return a directory with a task that has an inlet and an outlet, and with other assets."""
    directory = MemoryDirectory()
    assets = [await directory.register_asset(name=name, uri=f"s3://{name}") for name in ("in", "out", "other", "gone")]
    await directory.register_task_instances(
        [
            TaskInstance(
                TASK_ID,
                SCOPE,
                inlets=frozenset({assets[0].asset_id, assets[3].asset_id}),
                outlets=frozenset({assets[1].asset_id}),
            )
        ]
    )
    await directory.deactivate_asset(assets[3].asset_id)
    return directory


@pytest.fixture
def workers(directory: MemoryDirectory) -> Workers:
    """Return the rules for workers, where an inlet may only be read."""
    return Workers(directory, DefaultAuthorizer(asset_inlets="read"))


async def test_a_task_instance_has_its_scope(workers: Workers) -> None:
    """The scope of a task instance is the directory's; one that it does not know is not found."""
    assert await workers.task_scope(WORKER, TASK_ID) == SCOPE
    unknown = uuid4()
    with pytest.raises(TaskInstanceNotFoundError, match=f"^Task instance {unknown} not found$"):
        await workers.task_scope(WORKER, unknown)


async def test_assets_as_registered(workers: Workers, directory: MemoryDirectory) -> None:
    """An inlet may be read, an outlet also written, by name and by URI alike; the store knows the asset by its id."""
    ids = {asset.name: asset.asset_id for asset in await directory.assets()}
    for reach, prefix in ((workers.asset_by_name, ""), (workers.asset_by_uri, "s3://")):
        assert await reach(WORKER, f"{prefix}in", "read") == AssetScope(ids["in"])
        for action in ("read", "write", "delete"):
            assert await reach(WORKER, f"{prefix}out", action) == AssetScope(ids["out"])
        for name, action in (("in", "write"), ("in", "delete"), ("other", "read")):
            with pytest.raises(ForbiddenError):
                await reach(WORKER, f"{prefix}{name}", action)  # type: ignore[arg-type]


async def test_assets_that_are_not_there(workers: Workers) -> None:
    """An unknown asset and an inactive one are not found, said with what was asked for."""
    for name in ("gone", "it's"):
        with pytest.raises(AssetNotFoundError) as caught:
            await workers.asset_by_name(WORKER, name, "read")
        assert str(caught.value) == f"Asset with name={name!r} not found"
    with pytest.raises(AssetNotFoundError, match="^Asset with uri='s3://gone' not found$"):
        await workers.asset_by_uri(WORKER, "s3://gone", "read")


async def test_a_watcher_has_no_grants_of_its_own(workers: Workers, directory: MemoryDirectory) -> None:
    """A watcher is no task instance: it reaches an asset only if the rules let every watcher do so."""
    with pytest.raises(ForbiddenError):
        await workers.asset_by_name(WATCHER, "out", "read")
    open_to_watchers = Workers(directory, DefaultAuthorizer(watchers_reach_all_assets=True))
    assert isinstance(await open_to_watchers.asset_by_name(WATCHER, "other", "write"), AssetScope)


async def test_who_wrote(workers: Workers) -> None:
    """A task's writer has its ids, a watcher's its subject; a task that is no longer known writes nothing."""
    assert await workers.writer(WORKER) == Writer("task", "dag", "run", "task", 3)
    assert await workers.writer(WATCHER) == Writer("watcher", subject=str(UUID(int=0)))
    with pytest.raises(TaskInstanceNotFoundError):
        await workers.writer(Identity("x", uuid4()))
