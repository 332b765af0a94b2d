"""What the client does, against the real app: on a socket and on the loop, in both contract versions."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest

from statemount.client import ContractVersion, StateEntry, StatePage, StateValue
from statemount.errors import (
    AssetNotFoundError,
    ForbiddenError,
    InvalidInputError,
    KeyNotFoundError,
    TaskInstanceNotFoundError,
)
from statemount.model import TaskInstance, TaskScope, Writer
from tests.client.support import AUTH, World, closing, done

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("contract", ["airflow33", "aip103"])]

VALUES: list[Any] = [0, False, "", [], {}, "ä\u0000\n", 1e300, 10**400, {"a": [None, {"b": 1.5}]}]

KEYS = [
    ".",
    "..",
    "...",
    "../..",
    "a/../b",
    "./a",
    "a/.",
    "a/..",
    ".a",
    "a.b",
    "/",
    "//",
    "/a",
    "a/",
    "a b",
    "a+b",
    "ä",
    "\U0001f600",
    "%2F",
    "%",
    "%zz",
    "%2e%2e",
    "?",
    "a?b=c&d",
    "#",
    "\n",
    "\r\nx: y",
    "\t",
    "\x7f",
    "\\",
    "a;b",
    "clear",
    "value",
    "x" * 512,
    "\u20ac" * 512,
]


NAMES = [".", "..", "a/b", "../a", "a/../b", "%2F", "?#&=+", "ä b\n"]


async def test_a_worker_uses_its_task_instance(stored_world: World, contract: ContractVersion) -> None:
    """A worker sets, gets, overwrites, deletes and clears keys of its own task instance."""
    async with closing(stored_world.worker(contract=contract)) as client:
        state = client.task_instance(stored_world.ti_id)
        for value in VALUES:
            revision = await done(state.set("key", value))
            assert await done(state.get("key")) == value
            assert await done(state.get_entry("key")) == StateValue(value, revision)
        await done(state.set("other", 1))
        await done(state.delete("key"))
        await done(state.delete("key"))
        with pytest.raises(KeyNotFoundError, match="^key 'key' not found$") as caught:
            await done(state.get("key"))
        assert caught.value.key == "key"
        await done(state.clear())
        with pytest.raises(KeyNotFoundError):
            await done(state.get("other"))


async def test_a_worker_uses_an_asset(stored_world: World, contract: ContractVersion) -> None:
    """A worker sets, gets, deletes and clears keys of an asset that its task is registered with."""
    async with closing(stored_world.worker(contract=contract)) as client:
        asset = client.asset(name=stored_world.asset_name)
        for value in VALUES:
            revision = await done(asset.set("key", value))
            assert await done(asset.get("key")) == value
            assert await done(asset.get_entry("key")) == StateValue(value, revision)
        await done(asset.delete("key"))
        with pytest.raises(KeyNotFoundError):
            await done(asset.get("key"))
        await done(asset.set("other", 1))
        await done(asset.clear())
        with pytest.raises(KeyNotFoundError):
            await done(asset.get("other"))


async def test_an_asset_by_uri(world: World, contract: ContractVersion) -> None:
    """An asset's name and its URI are two ways to the same state; AIP-103's paths know the name alone."""
    async with closing(world.worker(contract=contract)) as client:
        if contract == "aip103":
            with pytest.raises(ValueError, match="by their names alone"):
                client.asset(uri=world.asset_uri)
        else:
            asset = client.asset(uri=world.asset_uri)
            await done(asset.set("key", 1))
            assert await done(client.asset(name=world.asset_name).get("key")) == 1
            await done(asset.delete("key"))
            await done(asset.set("key", 2))
            await done(asset.clear())
            with pytest.raises(KeyNotFoundError):
                await done(asset.get("key"))
        with pytest.raises(ValueError, match="exactly one"):
            client.asset()
        with pytest.raises(ValueError, match="exactly one"):
            client.asset(name="a", uri="b")


async def test_a_worker_clears_all_map_indices(world: World, contract: ContractVersion) -> None:
    """A worker clears its own map index, or all of them: whichever contract version the client speaks."""
    scopes = [TaskScope("dag", "run", "mapped", index) for index in (0, 1)]
    instances = [TaskInstance(uuid4(), scope) for scope in scopes]
    await world.state.directory.register_task_instances(instances)
    clients = [world.client(AUTH.tokens.worker(one.id), contract=contract) for one in instances]
    states = [client.task_instance(one.id) for client, one in zip(clients, instances, strict=True)]
    for state in states:
        await done(state.set("key", 1))
    await done(states[0].clear())
    assert await done(states[1].get("key")) == 1
    await done(states[0].clear(all_map_indices=True))
    with pytest.raises(KeyNotFoundError):
        await done(states[1].get("key"))
    for client in clients:
        await done(client.close())


async def test_a_worker_sets_an_expiry(world: World, contract: ContractVersion) -> None:
    """A time of expiry arrives to the microsecond, in whatever zone it is given; one that is over is gone at once."""
    moment = datetime(2100, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    async with closing(world.worker(contract=contract)) as client, closing(world.user(contract=contract)) as user:
        state, seen = client.task_instance(world.ti_id), public_task(user, world)
        await done(state.set("key", 1, expires_at=moment))
        assert (await done(seen.get("key"))).expires_at == moment
        await done(state.set("key", 1))
        assert (await done(seen.get("key"))).expires_at is None
        await done(state.set("key", 1, expires_at=datetime(2020, 1, 1, tzinfo=timezone.utc)))
        with pytest.raises(KeyNotFoundError):
            await done(state.get("key"))
        with pytest.raises(InvalidInputError) as caught:
            await done(state.set("key", 1, expires_at=datetime(2100, 1, 1)))
        assert caught.value.problems[0].loc == ("body", "expires_at")


async def test_public_task_state(stored_world: World, contract: ContractVersion) -> None:
    """A user lists, gets, sets, changes, deletes and clears a task instance's entries."""
    before = datetime.now(timezone.utc) - timedelta(seconds=1)
    async with closing(stored_world.user(contract=contract)) as client:
        state = public_task(client, stored_world)
        assert await done(state.list()) == StatePage((), 0, 0)
        await done(state.set("b", {"x": 1}))
        await done(state.set("a", 2, expires_at=None))
        entry = await done(state.get("b"))
        assert (entry.key, entry.value, entry.last_updated_by) == ("b", {"x": 1}, None)
        assert before < entry.updated_at < before + timedelta(minutes=10)
        assert timedelta(days=29) < entry.expires_at - entry.updated_at < timedelta(days=31)
        page = await done(state.list())
        assert ([one.key for one in page.entries], page.total) == (["a", "b"], 2)
        assert page.entries[1] == entry
        page = await done(state.list(limit=1, offset=1))
        assert ([one.key for one in page.entries], page.total) == (["b"], 2)
        revision = await done(state.patch("b", 3))
        changed = await done(state.get("b"))
        assert (changed.value, changed.expires_at, changed.revision) == (3, entry.expires_at, revision)
        with pytest.raises(KeyNotFoundError):
            await done(state.patch("c", 3))
        moment = datetime(2100, 1, 1, tzinfo=timezone.utc)
        await done(state.set("b", 3, expires_at=moment))
        assert (await done(state.get("b"))).expires_at == moment
        await done(state.delete("b"))
        with pytest.raises(KeyNotFoundError):
            await done(state.get("b"))
        await done(state.clear())
        assert (await done(state.list(limit=0))).total == 0


async def test_public_task_state_of_all_map_indices(world: World, contract: ContractVersion) -> None:
    """A user reaches one map index, and clears all of them."""
    await world.state.directory.register_task_instances(
        [TaskInstance(uuid4(), TaskScope("dag", "run", "mapped", index)) for index in (0, 1)]
    )
    async with closing(world.user(contract=contract)) as client:
        first, second = (
            client.public.task(dag_id="dag", run_id="run", task_id="mapped", map_index=index) for index in (0, 1)
        )
        await done(first.set("key", 0))
        await done(second.set("key", 1))
        assert (await done(second.get("key"))).value == 1
        await done(first.clear())
        assert (await done(second.list())).total == 1
        await done(first.clear(all_map_indices=True))
        assert (await done(second.list())).total == 0


async def test_public_asset_state(stored_world: World, contract: ContractVersion) -> None:
    """A user lists, gets, sets, changes, deletes and clears an asset's entries, and sees who wrote them."""
    is_told = contract == "airflow33"
    async with (
        closing(stored_world.user(contract=contract)) as client,
        closing(stored_world.worker(contract=contract)) as worker,
    ):
        state = client.public.asset(stored_world.asset_id)
        await done(worker.asset(name=stored_world.asset_name).set("key", 1))
        entry = await done(state.get("key"))
        assert isinstance(entry, StateEntry)
        assert (entry.value, entry.expires_at) == (1, None)
        assert entry.last_updated_by == (Writer.of_task(stored_world.scope) if is_told else None)
        await done(state.set("other", 1))
        await done(state.patch("other", 2))
        page = await done(state.list())
        assert [(one.key, one.value) for one in page.entries] == [("key", 1), ("other", 2)]
        assert page.entries[1].last_updated_by == (Writer("api") if is_told else None)
        with pytest.raises(KeyNotFoundError):
            await done(state.patch("missing", 2))
        await done(state.delete("key"))
        with pytest.raises(KeyNotFoundError):
            await done(state.get("key"))
        await done(state.clear())
        page = await done(state.list())
        assert (page.entries, page.total) == ((), 0)


async def test_every_key_arrives_intact(world: World, contract: ContractVersion) -> None:
    """A key of any characters is the same one for the worker, for a user and in the store, and no other is touched."""
    ordered = sorted(KEYS, key=str.encode)
    async with closing(world.worker(contract=contract)) as client, closing(world.user(contract=contract)) as user:
        own, asset = client.task_instance(world.ti_id), client.asset(name=world.asset_name)
        task, public_asset = public_task(user, world), user.public.asset(world.asset_id)
        for key in KEYS:
            await done(own.set(key, "own"))
            await done(asset.set(key, "asset"))
            assert await done(own.get(key)) == "own"
            assert await done(asset.get(key)) == "asset"
            for state in (task, public_asset):
                assert (await done(state.get(key))).key == key
                await done(state.set(key, "public"))
                await done(state.patch(key, f"patched {key}"))
            assert await done(own.get(key)) == await done(asset.get(key)) == f"patched {key}"
        for state in (task, public_asset):
            entries = (await done(state.list(limit=100))).entries
            assert [(one.key, one.value) for one in entries] == [(key, f"patched {key}") for key in ordered]
        for key in KEYS:
            for state in (own, asset):
                await done(state.delete(key))
                with pytest.raises(KeyNotFoundError):
                    await done(state.get(key))
        assert (await done(task.list())).total == (await done(public_asset.list())).total == 0


async def test_every_name_arrives_intact(world: World, contract: ContractVersion) -> None:
    """Ids of a task and an asset's name and URI may have any characters, as keys may.

    A task's public path alone takes no slash in an id, encoded or not.
    """
    async with closing(world.user(contract=contract)) as user:
        for name in NAMES:
            scope, uri = TaskScope(name, name, name), f"x:{name}"
            asset = await done(user.directory.register_asset(name=name, uri=uri))
            instance = TaskInstance(uuid4(), scope, outlets=frozenset({asset.asset_id}))
            await done(user.directory.register_task_instance(instance))
            async with closing(world.client(AUTH.tokens.worker(instance.id), contract=contract)) as client:
                await done(client.asset(name=name).set("key", 1))
                if contract == "airflow33":
                    assert await done(client.asset(uri=uri).get("key")) == 1
                await done(client.asset(name=name).clear())
                assert (await done(user.public.asset(asset.asset_id).list())).total == 0
                await done(client.task_instance(instance.id).set("key", 1))
                if "/" not in name:
                    task = user.public.task(dag_id=name, run_id=name, task_id=name)
                    assert (await done(task.get("key"))).value == 1
                await done(user.directory.drop_run(dag_id=name, run_id=name))
                with pytest.raises(TaskInstanceNotFoundError):
                    await done(client.task_instance(instance.id).get("key"))


async def test_what_does_not_exist(world: World, contract: ContractVersion) -> None:
    """A missing task instance and a missing asset have errors of their own, and a foreign one is forbidden."""
    missing = uuid4()
    async with (
        closing(world.client(AUTH.tokens.worker(missing), contract=contract)) as client,
        closing(world.worker(contract=contract)) as worker,
        closing(world.user(contract=contract)) as user,
    ):
        for call in (client.task_instance(missing).get, client.task_instance(missing).delete):
            with pytest.raises(TaskInstanceNotFoundError, match=f"^Task instance {missing} not found$"):
                await done(call("key"))
        with pytest.raises(TaskInstanceNotFoundError, match="^Task instance not found for dag_id='no', "):
            await done(user.public.task(dag_id="no", run_id="no", task_id="no").set("key", 1))
        with pytest.raises(AssetNotFoundError, match="^Asset with name='no' not found$"):
            await done(worker.asset(name="no").get("key"))
        with pytest.raises(AssetNotFoundError, match=f"^Asset with id {2**40} not found$"):
            await done(user.public.asset(2**40).get("key"))
        with pytest.raises(ForbiddenError, match="^Token subject does not match task instance ID$"):
            await done(worker.task_instance(missing).get("key"))
        foreign = await done(user.directory.register_asset(name="foreign"))
        with pytest.raises(ForbiddenError, match="^Asset not registered with this task$"):
            await done(worker.asset(name=foreign.name).get("key"))


def public_task(client: Any, world: World) -> Any:
    """Return the task's state as a user reaches it."""
    scope = world.scope
    return client.public.task(dag_id=scope.dag_id, run_id=scope.run_id, task_id=scope.task_id)
