"""The directory over HTTP, against the real app."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from uuid import uuid4

import pytest

from statemount.client import AssetPage, Registration
from statemount.directory.claims import ClaimsDirectory
from statemount.directory.memory import MemoryDirectory
from statemount.errors import (
    AssetNotFoundError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    InvalidTokenError,
    NoRegistryError,
    TaskInstanceNotFoundError,
)
from statemount.model import Asset, AssetScope, TaskInstance, TaskScope
from statemount.mount import StateMount
from tests.client.support import AUTH, Way, World, closing, done, running

pytestmark = pytest.mark.anyio


async def test_assets(stored_world: World) -> None:
    """Assets are registered, listed, hidden and restored; a name belongs to one active asset."""
    async with closing(stored_world.user()) as client:
        directory = client.directory
        asset = await done(directory.register_asset(name="orders", uri="s3://orders", group="sales"))
        assert asset == Asset(asset.asset_id, "orders", "s3://orders", "sales")
        assert await done(directory.register_asset(name="orders", uri="s3://orders", group="sales")) == asset
        assert (await done(directory.register_asset(name="plain"))).uri == "plain"
        with pytest.raises(ConflictError):
            await done(directory.register_asset(name="orders", uri="s3://others"))
        await done(directory.deactivate_asset(asset.asset_id))
        page = await done(directory.assets())
        assert page.total == len(page.assets) == 3
        assert Asset(asset.asset_id, "orders", "s3://orders", "sales", active=False) in page.assets
        assert await done(directory.assets(limit=1, offset=2)) == AssetPage(page.assets[2:], 3)
        assert await done(directory.restore_asset(asset.asset_id)) == asset
        with pytest.raises(AssetNotFoundError, match="^Asset with id 4711 not found$"):
            await done(directory.deactivate_asset(4711))


async def test_task_instances(stored_world: World) -> None:
    """Task instances are registered one by one or together, with assets named in every way, and forgotten."""
    scopes = [TaskScope("dag", "run", "task", index) for index in range(3)]
    ids = [uuid4() for _ in scopes]
    async with closing(stored_world.user()) as client:
        directory = client.directory
        asset = await done(directory.register_asset(name="orders", uri="s3://orders"))
        other = await done(directory.register_asset(name="other"))
        inlets = [asset, asset.asset_id, "s3://orders", AssetScope(name="orders"), AssetScope(other.asset_id)]
        await done(directory.register_task_instance(Registration(ids[0], scopes[0], 2, inlets, ["other"])))
        known = await done(directory.task_instance(ids[0]))
        both = frozenset({asset.asset_id, other.asset_id})
        assert known == TaskInstance(ids[0], scopes[0], 2, both, frozenset({other.asset_id}))
        retry = TaskInstance(uuid4(), scopes[0], 3, both)
        await done(directory.register_task_instances([retry, *map(Registration, ids[1:], scopes[1:])]))
        assert await done(directory.task_instance(str(retry.id))) == retry
        with pytest.raises(TaskInstanceNotFoundError):
            await done(directory.task_instance(ids[0]))
        await done(directory.succeeded(ids[1]))
        await done(directory.remove_task_instance(ids[1]))
        await done(directory.remove_task_instance(ids[1]))
        with pytest.raises(TaskInstanceNotFoundError):
            await done(directory.succeeded(ids[1]))
        await done(directory.drop_run(dag_id="dag", run_id="run"))
        with pytest.raises(TaskInstanceNotFoundError):
            await done(directory.task_instance(ids[2]))


async def test_revocations(stored_world: World) -> None:
    """A token, and every token of a task instance, is revoked; until when may be said."""
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    async with closing(stored_world.user()) as client, closing(stored_world.worker()) as worker:
        task = worker.task_instance(stored_world.ti_id)
        await done(client.directory.revoke_token("unknown"))
        await done(client.directory.revoke_token("unknown", until=tomorrow))
        await done(task.set("key", 1))
        assert await done(task.get("key")) == 1
        await done(client.directory.revoke_task_instance(stored_world.ti_id, until=tomorrow))
        with pytest.raises(InvalidTokenError):
            await done(task.get("key"))
        with pytest.raises(InvalidInputError):
            await done(client.directory.revoke_token(""))


async def test_refusals(world: World) -> None:
    """An unknown asset, an id that is none and a missing permission are told apart."""
    registration = Registration(uuid4(), TaskScope("dag", "run", "task"), inlets=["unknown"])
    async with closing(world.user()) as client, closing(world.user(["directory:read"])) as reader:
        with pytest.raises(AssetNotFoundError):
            await done(client.directory.register_task_instance(registration))
        with pytest.raises(InvalidInputError) as caught:
            await done(client.directory.task_instance("no-uuid"))
        assert [problem.loc for problem in caught.value.problems] == [("path", "task_instance_id")]
        with pytest.raises(ForbiddenError, match="^Forbidden$"):
            await done(reader.directory.register_asset(name="orders"))
        assert (await done(reader.directory.assets())).total == 1


async def test_a_directory_that_is_not_filled(way: Way) -> None:
    """Where the token's claims are the directory, registering a task instance is refused, as in process."""
    state = StateMount("memory://", auth=AUTH, directory=ClaimsDirectory(MemoryDirectory()))
    async with running(state, way, is_filled=False) as world, closing(world.user()) as client:
        with pytest.raises(NoRegistryError, match="^no task instance can be registered with ClaimsDirectory$"):
            await done(client.directory.register_task_instance(TaskInstance(uuid4(), world.scope)))
