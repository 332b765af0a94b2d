"""`statemount asset`: the state of assets on a server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.cli.remote import Remote, remote


@pytest.fixture
def asset() -> Iterator[Remote]:
    """Return the command, against a server without assets."""
    with remote("asset") as found:
        yield found


def registered(asset: Remote, name: str, uri: str | None = None) -> str:
    """Register an asset, and return its id."""
    with asset.client() as client:
        return str(client.directory.register_asset(name=name, uri=uri).asset_id)


def test_a_value_is_set_got_changed_and_deleted(asset: Remote) -> None:
    """A key is set, printed, changed, deleted and cleared."""
    orders = registered(asset, "orders")
    assert asset("set", orders, "watermark", '"2026-01-01"') == ""
    assert asset("get", orders, "watermark") == '"2026-01-01"'
    assert asset("get", orders, "watermark", "--raw") == "2026-01-01"
    assert asset("patch", orders, "watermark", "--text", "2026-01-02") == ""
    assert asset("get", orders, "watermark", "--raw") == "2026-01-02"
    assert asset("delete", orders, "watermark") == asset("delete", orders, "watermark") == ""
    assert asset.ends("get", orders, "watermark") == (3, "key 'watermark' not found")
    asset("set", orders, "cursor", "1")
    assert asset("clear", orders) == ""
    assert json.loads(asset("list", orders, "--json")) == []


def test_an_asset_is_named_by_id_name_or_uri(asset: Remote) -> None:
    """Digits are an id; anything else is a name, or else a URI."""
    orders, lake = registered(asset, "orders", "s3://orders"), registered(asset, "lake", "orders")
    asset("set", orders, "key", "1")
    asset("set", lake, "key", "2")
    named = {name: json.loads(asset("get", name, "key")) for name in (orders, "orders", "s3://orders", lake, "lake")}
    assert named == {orders: 1, "orders": 1, "s3://orders": 1, lake: 2, "lake": 2}
    assert asset.ends("get", "nothing", "key") == (3, "no asset has the name or URI 'nothing'")
    assert asset.ends("get", "999", "key")[0] == 3


def test_an_active_asset_comes_before_inactive_ones(asset: Remote) -> None:
    """A name means the active asset; if there is none, the inactive one, unless there are several."""
    first = registered(asset, "orders")
    asset("set", first, "key", "1")
    with asset.client() as client:
        client.directory.deactivate_asset(int(first))
        assert asset("get", "orders", "key") == "1"
        second = registered(asset, "orders", "s3://orders")
        asset("set", "orders", "key", "2")
        assert [asset("get", name, "key") for name in (first, second, "orders")] == ["1", "2", "2"]
        client.directory.deactivate_asset(int(second))
    code, message = asset.ends("get", "orders", "key")
    assert (code, f"the ids {first}, {second}" in message) == (1, True)
    assert asset("get", "s3://orders", "key") == "2"


def test_one_of_many_assets(asset: Remote) -> None:
    """A name is found however many assets there are."""
    for number in range(101):
        registered(asset, f"asset {number:03}")
    asset("set", "asset 100", "key", "1")
    assert asset("get", "asset 100", "key") == "1"


def test_a_name_takes_a_permission_that_an_id_does_not(asset: Remote) -> None:
    """Who may not list the assets is told to give the id."""
    orders = registered(asset, "orders")
    asset("set", orders, "key", "1", permissions=["state:write"])
    assert asset("get", orders, "key", permissions=["state:read"]) == "1"
    code, message = asset.ends("get", "orders", "key", permissions=["state:read"])
    assert code == 1
    assert "takes the permission directory:read; or give the id" in message


def test_a_list_says_who_wrote(asset: Remote) -> None:
    """Entries are listed in columns, or as JSON, with who wrote them last."""
    orders = registered(asset, "orders")
    client, _ = asset.worker(map_index=2, outlets=["orders"])
    with client:
        client.asset(name="orders").set("a", 1)
    asset("set", orders, "b", "2")
    head, *lines = asset("list", "orders").splitlines()
    assert re.split(r" {2,}", head) == ["KEY", "VALUE", "UPDATED", "WRITTEN BY"]
    cells = [re.split(r" {2,}", line) for line in lines]
    assert [(cell[0], cell[1], cell[3]) for cell in cells] == [("a", "1", "etl/monday/load/2"), ("b", "2", "api")]
    task = {"kind": "task", "dag_id": "etl", "run_id": "monday", "task_id": "load", "map_index": 2}
    listed = json.loads(asset("list", orders, "--json", "--limit", "1"))
    assert [(entry["key"], entry["value"], entry["last_updated_by"]) for entry in listed] == [("a", 1, task)]
    entry = json.loads(asset("get", orders, "b", "--json"))
    assert list(entry) == ["key", "value", "revision", "updated_at", "last_updated_by"]
    assert entry["last_updated_by"] == {"kind": "api"}


def test_an_inactive_asset_can_be_read_and_edited(asset: Remote) -> None:
    """The state of a deactivated asset is there for people."""
    orders = registered(asset, "orders")
    with asset.client() as client:
        client.directory.deactivate_asset(int(orders))
    asset("set", "orders", "key", "1")
    assert asset("get", orders, "key") == "1"
