"""The directory that believes everything."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID, uuid4

import pytest

from statemount.directory.cache import CachedRegistry
from statemount.directory.memory import MemoryDirectory
from statemount.directory.open import OpenDirectory
from statemount.interfaces import Identity
from statemount.model import Asset, MappedTask, TaskScope
from tests.directory.watched import WatchedDirectory

pytestmark = pytest.mark.anyio

ID = UUID(int=7)
TASK = {"dag_id": "orders", "run_id": "2026-11-20", "task_id": "load", "map_index": 3}


@pytest.fixture(params=["plain", "cached"])
def directory(request: pytest.FixtureRequest) -> OpenDirectory:
    registry = MemoryDirectory()
    return OpenDirectory(registry if request.param == "plain" else CachedRegistry(registry))


async def test_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """It warns when it is opened that it is for development only, and its registry lives as long as it does."""
    registry = WatchedDirectory()
    directory = OpenDirectory(registry)
    assert caplog.records == []
    await directory.open()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "for development only" in record.getMessage()
    await directory.close()
    assert registry.states == ["open", "closed"]


async def test_scope_from_claims(directory: OpenDirectory) -> None:
    """A task instance has the scope that its own token's claims name."""
    own = Identity(str(ID), ID, claims=TASK)
    assert await directory.task_scope(ID, own) == TaskScope("orders", "2026-11-20", "load", 3)


@pytest.mark.parametrize(
    "identity",
    [None, Identity("someone"), Identity(str(ID), ID), Identity("x", uuid4(), claims=TASK)]
    + [Identity(str(ID), ID, claims={**TASK, "dag_id": bad}) for bad in (None, "", 7)],
)
async def test_scope_of_its_own(directory: OpenDirectory, identity: Identity | None) -> None:
    """Without claims that name its scope, a task instance has one of its own."""
    assert await directory.task_scope(ID, identity) == TaskScope("open", "open", str(ID))
    assert await directory.task_scope(UUID(int=8), identity) == TaskScope("open", "open", str(UUID(int=8)))


@pytest.mark.parametrize("target", [TaskScope("d", "r", "t", 3), MappedTask("d", "r", "t")])
async def test_every_task_instance_exists(directory: OpenDirectory, target: Any) -> None:
    """Every task instance exists."""
    assert await directory.has_task_instance(target)


async def test_assets(directory: OpenDirectory) -> None:
    """An asset is registered when it is addressed by name or URI, and is the same from then on."""
    by_name = await directory.asset_by_name("orders")
    by_uri = await directory.asset_by_uri("s3://events")
    assert by_name is not None
    assert by_uri is not None
    assert (by_name.name, by_name.uri, by_uri.name, by_uri.uri) == ("orders", "orders", "s3://events", "s3://events")
    assert await directory.asset_by_name("orders") == await directory.asset_by_uri("orders") == by_name
    assert await directory.asset_by_name("s3://events") == await directory.asset_by_uri("s3://events") == by_uri
    assert await directory.asset(by_name.asset_id) == by_name
    assert await directory.asset(999) is None
    assert list(await directory.registry.assets()) == [by_name, by_uri]


async def test_registered_asset(directory: OpenDirectory) -> None:
    """An asset that somebody registered is found by its name and its URI."""
    asset = await directory.registry.register_asset(name="orders", uri="s3://orders")
    assert await directory.asset_by_name("orders") == asset
    assert await directory.asset_by_uri("s3://orders") == asset


async def test_conflict(directory: OpenDirectory, caplog: pytest.LogCaptureFixture) -> None:
    """A URI that is the name of an asset with another URI is no asset, and the log says why."""
    await directory.registry.register_asset(name="orders", uri="s3://orders")
    assert await directory.asset_by_uri("orders") is None
    assert "an active asset has the name 'orders'" in caplog.text


async def test_access(directory: OpenDirectory) -> None:
    """Every task instance reads and writes every asset."""
    assert await directory.access(ID, Asset(1, "orders", "orders")) == {"inlet", "outlet"}
