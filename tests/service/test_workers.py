"""A worker reaches its own task instance, and the assets that it is registered with."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from statemount.auth.policy import DefaultAuthorizer
from statemount.directory.memory import MemoryDirectory
from statemount.errors import AssetNotFoundError, ForbiddenError, TaskInstanceNotFoundError
from statemount.interfaces import Action, Identity
from statemount.model import Access, Asset, AssetScope, TaskInstance, TaskScope, Writer
from statemount.operations import Check, Condition, Delete, Get, Increment, Operation, Set
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


SET, GET = Set("k", "1"), Get("k")


async def test_a_batch_needs_what_its_operations_need(workers: Workers, directory: MemoryDirectory) -> None:
    """On an inlet that may only be read a batch may only read; what it may do is said with whether it may read."""
    ids = {asset.name: asset.asset_id for asset in await directory.assets()}
    looks: list[Operation] = [GET, Check("k", Condition(exists=True))]
    refused: list[tuple[str, list[Operation]]] = [
        ("in", [GET, SET]),
        ("in", [Delete("k")]),
        ("in", [Increment("k")]),
        ("other", looks),
    ]
    for reach, prefix in ((workers.batch_by_name, ""), (workers.batch_by_uri, "s3://")):
        assert await reach(WORKER, f"{prefix}in", looks) == (AssetScope(ids["in"]), True)
        assert await reach(WORKER, f"{prefix}out", [GET, SET, Delete("k")]) == (AssetScope(ids["out"]), True)
        for name, operations in refused:
            with pytest.raises(ForbiddenError):
                await reach(WORKER, f"{prefix}{name}", operations)
        with pytest.raises(AssetNotFoundError):
            await reach(WORKER, f"{prefix}gone", looks)


class Only(DefaultAuthorizer):
    """Lets a worker do only some of what it may do by default."""

    def __init__(self, *actions: Action) -> None:
        super().__init__()
        self._actions = actions

    def check_task_instance(self, identity: Identity, task_instance_id: UUID | None, action: Action) -> None:
        super().check_task_instance(identity, task_instance_id, action)
        self._check(action)

    def check_asset(self, identity: Identity, asset: Asset, access: frozenset[Access], action: Action) -> None:
        super().check_asset(identity, asset, access, action)
        self._check(action)

    def _check(self, action: Action) -> None:
        if action not in self._actions:
            raise ForbiddenError("no", reason=action)


@pytest.mark.parametrize(
    ("actions", "operations", "answer"),
    [
        (["read"], [GET], True),
        (["read"], [GET, SET], "write"),
        (["write"], [SET, Increment("k")], False),
        (["write"], [SET, GET], "read"),
        (["write", "delete"], [Delete("k"), SET], False),
        (["write", "read"], [SET, Delete("k")], "delete"),
    ],
)
async def test_a_host_may_allow_less(
    directory: MemoryDirectory, actions: list[Action], operations: list[Operation], answer: bool | str
) -> None:
    """The authorizer is asked for each action once, on task instances as on assets, and whether a worker may read."""
    workers = Workers(directory, Only(*actions))
    workers.check_some_action(WORKER, TASK_ID)
    for ask in (
        lambda: workers.batch_by_name(WORKER, "out", operations),
        lambda: _answered(workers.check_batch(WORKER, TASK_ID, operations)),
    ):
        if isinstance(answer, bool):
            found = await ask()
            assert (found if isinstance(found, bool) else found[1]) is answer
        else:
            with pytest.raises(ForbiddenError) as caught:
                await ask()
            assert caught.value.reason == answer


async def _answered(answer: bool) -> bool:
    return answer


async def test_who_may_do_nothing_is_refused_at_once(directory: MemoryDirectory) -> None:
    """Before it is known what a worker wants, it is refused if it may do nothing at all, or the state is another's."""
    for actions in (["read"], ["write"], ["delete"]):
        Workers(directory, Only(*actions)).check_some_action(WORKER, TASK_ID)  # type: ignore[arg-type]
    for authorizer, task_instance_id in (
        (Only(), TASK_ID),
        (DefaultAuthorizer(), uuid4()),
        (DefaultAuthorizer(), None),
    ):
        with pytest.raises(ForbiddenError):
            Workers(directory, authorizer).check_some_action(WORKER, task_instance_id)


async def test_who_wrote(workers: Workers) -> None:
    """A task's writer has its ids, a watcher's its subject; a task that is no longer known writes nothing."""
    assert await workers.writer(WORKER) == Writer("task", "dag", "run", "task", 3)
    assert await workers.writer(WATCHER) == Writer("watcher", subject=str(UUID(int=0)))
    with pytest.raises(TaskInstanceNotFoundError):
        await workers.writer(Identity("x", uuid4()))
