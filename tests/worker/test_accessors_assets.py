"""The state of a task's inlets and outlets, by asset."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from statemount.model import Asset, AssetScope
from tests.worker.accessors import FORMS, Site, site

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Named:
    """A reference to an asset by its name, such as orchestrators have."""

    name: str


@dataclass(frozen=True)
class Located:
    """A reference to an asset by its URI."""

    uri: str


@pytest.fixture(params=FORMS)
async def here(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """Return a server in memory."""
    async with site("memory://", request.param) as found:
        yield found


@pytest.fixture
async def assets(here: Site) -> tuple[Asset, Asset]:
    """Return two assets with which the task is registered."""
    orders = await here.world.state.directory.register_asset(name="orders", uri="s3://bucket/orders")
    sales = await here.world.state.directory.register_asset(name="sales", uri="s3://bucket/sales")
    here.world.ti_id, _ = await here.register(orders, sales)
    return orders, sales


async def test_subscript_by_every_kind_of_asset(here: Site, assets: tuple[Asset, Asset]) -> None:
    """Each inlet and outlet has its own state, whichever way it is given and asked for."""
    orders, sales = assets
    async with here.worker() as worker:
        states = worker.asset_states(inlets=[orders], outlets=[sales])
        await here.call(states[orders], "set", "watermark", "orders")
        await here.call(states[sales], "set", "watermark", "sales")
        for inlet, outlet in (
            ("orders", "sales"),
            ("s3://bucket/orders", "s3://bucket/sales"),
            (AssetScope(name="orders"), AssetScope(uri="s3://bucket/sales")),
            (AssetScope(asset_id=7, name="orders"), AssetScope(name="sales", uri="s3://bucket/sales")),
            (Named("orders"), Located("s3://bucket/sales")),
        ):
            for found in (states, worker.asset_states(inlets=[inlet], outlets=[outlet])):
                assert await here.call(found[inlet], "get", "watermark") == "orders"
                assert await here.call(found[outlet], "get", "watermark") == "sales"
    entries = [await here.asset_entry("watermark", asset.asset_id) for asset in assets]
    assert [entry.value for entry in entries if entry is not None] == ["orders", "sales"]


async def test_subscript_by_name_comes_first(here: Site) -> None:
    """An asset whose name looks like a URI is found by it; an object says which of the two is meant."""
    async with here.worker() as worker:
        states = worker.asset_states(inlets=[Named("s3://a"), "s3://b"], outlets=["c"])
        assert states["s3://a"] == worker.asset_state(name="s3://a")
        assert states["s3://b"] == states[Located("s3://b")] == worker.asset_state(uri="s3://b")
        assert states["c"] == worker.asset_state(name="c")
        with pytest.raises(KeyError):
            states[Named("s3://b")]
        with pytest.raises(KeyError):
            states[Located("c")]


@pytest.mark.parametrize(
    ("inlets", "outlets"),
    [
        ([Asset(1, "orders", "s3://bucket/orders")], []),
        ([], ["orders"]),
        (["orders"], ["orders"]),
        ([Asset(1, "orders", "s3://bucket/orders")], ["s3://bucket/orders", "orders"]),
        (["s3://bucket/orders"], [Asset(1, "orders", "s3://bucket/orders")]),
        ([Located("s3://bucket/orders")], []),
    ],
)
async def test_the_only_asset_is_used_directly(
    here: Site, assets: tuple[Asset, Asset], inlets: list[object], outlets: list[object]
) -> None:
    """With one asset, however often it is named, all methods are that asset's."""
    async with here.worker() as worker:
        states = worker.asset_states(inlets=inlets, outlets=outlets)
        await here.call(states, "set", "watermark", "2026-05-01")
        await here.call(states, "set", "other", 1)
        entry = await here.asset_entry("watermark", assets[0].asset_id)
        assert entry is not None
        assert entry.value == "2026-05-01"
        assert await here.call(states, "get", "watermark") == "2026-05-01"
        assert await here.call(states, "get", "missing", "default") == "default"
        await here.call(states, "delete", "watermark")
        assert await here.call(states, "get", "watermark") is None
        await here.call(states, "clear")
        assert await here.call(states, "get", "other") is None


async def test_direct_use_of_several_is_refused(here: Site) -> None:
    """With several assets, direct use is an error that names them all, and how to say which is meant."""
    async with here.worker() as worker:
        states = worker.asset_states(inlets=["orders"], outlets=["s3://bucket/sales"])
        assert repr(states) == "<AssetStateAccessors [name='orders', uri='s3://bucket/sales']>"
        for method, arguments in (("get", ["key"]), ("set", ["key", 1]), ("delete", ["key"]), ("clear", [])):
            with pytest.raises(ValueError, match=r"2 inlets and outlets \(name='orders', uri='s3://bucket/sales'\)"):
                await here.call(states, method, *arguments)
    assert here.calls == []


async def test_direct_use_of_none_is_refused(here: Site) -> None:
    """Without assets, direct use is an error that says so."""
    async with here.worker() as worker:
        states = worker.asset_states()
        assert repr(states) == "<AssetStateAccessors [none]>"
        with pytest.raises(ValueError, match="no inlet and no outlet"):
            await here.call(states, "get", "key")


async def test_an_asset_of_another_task_is_refused(here: Site) -> None:
    """An asset that is neither inlet nor outlet is an error that names those that are."""
    async with here.worker() as worker:
        states = worker.asset_states(inlets=["orders"])
        for asset in ("sales", AssetScope(uri="s3://bucket/orders")):
            with pytest.raises(KeyError, match="name='orders'"):
                states[asset]


@pytest.mark.parametrize(
    ("asset", "error"),
    [
        (7, TypeError),
        (None, TypeError),
        (AssetScope(asset_id=7), ValueError),
        ("", ValueError),
        (Named(""), ValueError),
    ],
    ids=repr,
)
async def test_what_is_no_asset_is_refused(here: Site, asset: object, error: type[Exception]) -> None:
    """What has neither a name nor a URI cannot be addressed: a worker does not know the ids of assets."""
    async with here.worker() as worker:
        with pytest.raises(error):
            worker.asset_states(inlets=[asset])
        if asset != "":
            with pytest.raises(error):
                worker.asset_states(inlets=["orders"])[asset]
