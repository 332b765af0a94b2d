"""The directory that believes the token."""

from __future__ import annotations

import asyncio
import logging
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import pytest

from statemount.directory.cache import CachedRegistry
from statemount.directory.claims import ClaimsDirectory
from statemount.directory.memory import MemoryDirectory
from statemount.interfaces import Identity
from statemount.model import Asset, MappedTask, TaskScope
from tests.directory.watched import WatchedDirectory

pytestmark = pytest.mark.anyio

ID = UUID(int=7)
TASK = {"dag_id": "orders", "run_id": "2026-11-20", "task_id": "load"}


def identity(task_instance_id: UUID | None = ID, /, **claims: Any) -> Identity:
    """Return a worker's identity whose token holds these claims."""
    return Identity(str(task_instance_id), task_instance_id, claims=MappingProxyType(claims))


@pytest.fixture
def registry() -> MemoryDirectory:
    return MemoryDirectory()


@pytest.fixture(params=["plain", "cached"])
def directory(request: pytest.FixtureRequest, registry: MemoryDirectory) -> ClaimsDirectory:
    return ClaimsDirectory(registry if request.param == "plain" else CachedRegistry(registry))


@pytest.mark.parametrize(
    ("map_index", "expected"),
    [
        ({}, -1),
        ({"map_index": None}, -1),
        ({"map_index": -1}, -1),
        ({"map_index": 0}, 0),
        ({"map_index": 2**63 - 1}, 2**63 - 1),
    ],
)
async def test_task_scope(directory: ClaimsDirectory, map_index: dict[str, Any], expected: int) -> None:
    """The claims of a token name its task instance's scope; without a map index it is not mapped."""
    scope = await directory.task_scope(ID, identity(**TASK, **map_index))
    assert scope == TaskScope("orders", "2026-11-20", "load", expected)


async def test_longest_ids(directory: ClaimsDirectory) -> None:
    """Ids of 250 characters of any script are accepted."""
    text = "\U0001f600" * 250
    scope = await directory.task_scope(ID, identity(dag_id=text, run_id=text, task_id=text))
    assert scope == TaskScope(text, text, text)


async def test_other_identities(directory: ClaimsDirectory) -> None:
    """Nobody but its own token knows a task instance."""
    assert await directory.task_scope(ID) is None
    assert await directory.task_scope(ID, identity(uuid4(), **TASK)) is None
    assert await directory.task_scope(ID, identity(None, **TASK)) is None


@pytest.mark.parametrize("name", ["dag_id", "run_id", "task_id"])
@pytest.mark.parametrize("value", [None, "", "x" * 251, "a\0", "\ud800", 7, True, ["a"], {"a": "b"}])
async def test_malformed_id(
    directory: ClaimsDirectory, caplog: pytest.LogCaptureFixture, name: str, value: Any
) -> None:
    """A token whose claims hold a malformed id names no task instance, and the log says which claim it is."""
    assert await directory.task_scope(ID, identity(**{**TASK, name: value})) is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"the token of task instance {ID} names no task: {name} is " in record.getMessage()


@pytest.mark.parametrize("value", [-2, 2**63, 1.0, "1", True, False, [], {}])
async def test_malformed_map_index(directory: ClaimsDirectory, caplog: pytest.LogCaptureFixture, value: Any) -> None:
    """A token whose map index is malformed names no task instance, rather than another one."""
    assert await directory.task_scope(ID, identity(**TASK, map_index=value)) is None
    assert [record.getMessage() for record in caplog.records] == [
        f"the token of task instance {ID} names no task: map_index is no integer of -1 or above"
    ]


async def test_no_claims(directory: ClaimsDirectory, caplog: pytest.LogCaptureFixture) -> None:
    """A token without claims names no task instance and no assets."""
    assert await directory.task_scope(ID, identity()) is None
    assert await directory.asset_by_name("orders", identity()) is None
    assert await directory.asset_by_uri("orders", identity()) is None
    assert await directory.access(ID, Asset(1, "orders", "orders"), identity()) == frozenset()
    assert "dag_id is missing" in caplog.text


async def test_every_task_instance_exists(directory: ClaimsDirectory) -> None:
    """Every well-formed scope exists, for whoever asks, and no other."""
    assert await directory.has_task_instance(TaskScope("d", "r", "t", 3))
    assert await directory.has_task_instance(MappedTask("d", "r", "t"), identity(None))
    assert not await directory.has_task_instance(TaskScope("d", "r", "t", -2))
    assert not await directory.has_task_instance(MappedTask("d", "r" * 251, "t"))
    assert not await directory.has_task_instance(TaskScope("d", "\0", "t"))


@pytest.mark.parametrize("claim", ["inlets", "outlets"])
async def test_asset_by_name(directory: ClaimsDirectory, registry: MemoryDirectory, claim: str) -> None:
    """An asset that the claims name is registered when it is addressed, once."""
    worker = identity(**{claim: ["other", "orders"]})
    asset = await directory.asset_by_name("orders", worker)
    assert asset is not None
    assert (asset.name, asset.uri) == ("orders", "orders")
    assert await directory.asset_by_name("orders", worker) == asset
    assert await directory.asset_by_uri("orders", worker) == asset
    assert await directory.asset(asset.asset_id) == asset
    assert list(await registry.assets()) == [asset]


async def test_plain_name_is_a_uri(directory: ClaimsDirectory) -> None:
    """An asset that the claims only name has its name as its URI."""
    worker = identity(outlets=["orders"])
    asset = await directory.asset_by_uri("orders", worker)
    assert asset is not None
    assert (asset.name, asset.uri) == ("orders", "orders")


@pytest.mark.parametrize("is_first_by_name", [True, False])
async def test_asset_with_uri(directory: ClaimsDirectory, registry: MemoryDirectory, is_first_by_name: bool) -> None:
    """An asset that the claims give a URI is one asset, by its name and by its URI."""
    worker = identity(outlets=[{"name": "orders", "uri": "s3://orders"}])
    if is_first_by_name:
        found = [await directory.asset_by_name("orders", worker), await directory.asset_by_uri("s3://orders", worker)]
    else:
        found = [await directory.asset_by_uri("s3://orders", worker), await directory.asset_by_name("orders", worker)]
    assert found == list(await registry.assets()) * 2
    assert found[0] is not None
    assert (found[0].name, found[0].uri) == ("orders", "s3://orders")
    assert await directory.asset_by_uri("orders", worker) is None


async def test_uri_wins_over_plain_name(directory: ClaimsDirectory) -> None:
    """If the claims name an asset twice, once with its URI, it gets the URI."""
    worker = identity(inlets=["orders"], outlets=[{"name": "orders", "uri": "s3://orders"}])
    asset = await directory.asset_by_name("orders", worker)
    assert asset is not None
    assert asset.uri == "s3://orders"


async def test_unclaimed_asset(directory: ClaimsDirectory, registry: MemoryDirectory) -> None:
    """What no claim names is not registered; an asset that exists is found, and is not the worker's."""
    worker = identity(inlets=["orders"])
    assert await directory.asset_by_name("secrets", worker) is None
    assert await directory.asset_by_uri("secrets", worker) is None
    assert await directory.asset_by_name("secrets") is None
    assert list(await registry.assets()) == []
    secrets = await directory.registry.register_asset(name="secrets")
    assert await directory.asset_by_name("secrets", worker) == secrets
    assert await directory.access(ID, secrets, worker) == frozenset()


async def test_asset_that_was_registered(directory: ClaimsDirectory) -> None:
    """An asset that somebody registered is the one that the claims name, whatever URI it has."""
    asset = await directory.registry.register_asset(name="orders", uri="s3://orders")
    worker = identity(outlets=["orders"])
    assert await directory.asset_by_name("orders", worker) == asset
    assert await directory.asset_by_uri("s3://orders", worker) == asset
    assert await directory.access(ID, asset, worker) == {"outlet"}


async def test_access(directory: ClaimsDirectory) -> None:
    """Inlets and outlets are as the claims of the task instance's own token say."""
    worker = identity(inlets=["r", {"name": "b"}], outlets=[{"name": "w", "uri": "s3://w"}, "b"])
    assets = {name: await directory.registry.register_asset(name=name) for name in "rwbn"}
    assert await directory.access(ID, assets["r"], worker) == {"inlet"}
    assert await directory.access(ID, assets["w"], worker) == {"outlet"}
    assert await directory.access(ID, assets["b"], worker) == {"inlet", "outlet"}
    assert await directory.access(ID, assets["n"], worker) == frozenset()
    assert await directory.access(uuid4(), assets["b"], worker) == frozenset()
    assert await directory.access(ID, assets["b"]) == frozenset()
    assert await directory.access(ID, assets["b"], identity(None, inlets=["b"])) == frozenset()


async def test_answers_belong_to_the_identity(directory: ClaimsDirectory) -> None:
    """What one token is granted says nothing about the next one."""
    secrets = await directory.registry.register_asset(name="secrets")
    tokens: list[list[str]] = [["orders"], ["orders", "secrets"], []]
    granted = [await directory.access(ID, secrets, identity(inlets=inlets)) for inlets in tokens]
    assert granted == [frozenset(), {"inlet"}, frozenset()]


@pytest.mark.parametrize("value", ["orders", {"name": "orders"}, 7, True, 1.5])
async def test_malformed_list(directory: ClaimsDirectory, caplog: pytest.LogCaptureFixture, value: Any) -> None:
    """A claim that should be a list and is not counts as absent, and the log says so."""
    worker = identity(inlets=value, outlets=["events"])
    assert await directory.asset_by_name("orders", worker) is None
    assert f"the token of {ID}: inlets is no list" in caplog.text
    assert await directory.asset_by_name("events", worker) is not None


@pytest.mark.parametrize(
    "item",
    [
        None,
        "",
        7,
        [],
        ["orders"],
        {},
        "x" * 1501,
        "a\0",
        "\ud800",
        {"uri": "s3://orders"},
        {"name": 7},
        {"name": "orders", "uri": ""},
        {"name": "orders", "uri": 7},
        {"name": "orders", "uri": "\ud800"},
    ],
)
async def test_malformed_asset(directory: ClaimsDirectory, caplog: pytest.LogCaptureFixture, item: Any) -> None:
    """A malformed item of a list counts as absent, the others are good, and the log does not show what it held."""
    worker = identity(outlets=[item, "events"])
    assert await directory.asset_by_name("orders", worker) is None
    assert await directory.asset_by_uri("s3://orders", worker) is None
    events = await directory.asset_by_name("events", worker)
    assert events is not None
    assert await directory.access(ID, events, worker) == {"outlet"}
    assert f"the token of {ID}: outlets: an asset has no acceptable" in caplog.text
    assert "s3://" not in caplog.text


async def test_conflict(directory: ClaimsDirectory, caplog: pytest.LogCaptureFixture) -> None:
    """An asset whose URI belongs to another one cannot be had, and the log says why."""
    await directory.registry.register_asset(name="orders", uri="s3://orders")
    worker = identity(outlets=[{"name": "other", "uri": "s3://orders"}, {"name": "orders", "uri": "s3://moved"}])
    assert await directory.asset_by_name("other", worker) is None
    assert "an active asset has the URI 's3://orders'" in caplog.text
    assert await directory.asset_by_uri("s3://moved", worker) is None
    assert "an active asset has the name 'orders'" in caplog.text


async def test_deactivated_asset(directory: ClaimsDirectory) -> None:
    """An asset that was deactivated begins anew when a token names it again."""
    worker = identity(outlets=["orders"])
    old = await directory.asset_by_name("orders", worker)
    assert old is not None
    await directory.registry.deactivate_asset(old.asset_id)
    assert await directory.asset_by_name("orders") is None
    new = await directory.asset_by_name("orders", worker)
    assert new is not None
    assert new.asset_id > old.asset_id


async def test_concurrent_first_use(directory: ClaimsDirectory, registry: MemoryDirectory) -> None:
    """Many who address an asset for the first time at once get the same one."""
    worker = identity(outlets=["orders"])
    found = await asyncio.gather(*(directory.asset_by_name("orders", worker) for _ in range(20)))
    assert set(found) == set(await registry.assets())


async def test_life() -> None:
    """The registry is opened and closed with the directory."""
    registry = WatchedDirectory()
    directory = ClaimsDirectory(registry)
    await directory.open()
    await directory.close()
    assert registry.states == ["open", "closed"]
