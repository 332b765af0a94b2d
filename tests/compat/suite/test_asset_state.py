"""Asset state through the Task SDK's client, by name and by URI."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.api.client import Client
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse, OKResponse
from samples import KEYS, VALUES
from worker import VALIDATION_ERROR, Asset, Worker, not_found_message, refusal_of

OK = OKResponse(ok=True)

KEYS_OF_ASSETS = {**KEYS, "dot": ".", "two dots": ".."}
"""An asset's key travels in the query, where a dot means nothing."""


def not_found(key: str) -> ErrorResponse:
    return ErrorResponse(error=ErrorType.ASSET_STORE_NOT_FOUND, detail={"key": key})


@pytest.fixture(params=["name", "uri"])
def by(request: pytest.FixtureRequest) -> str:
    """Address assets by either."""
    return str(request.param)


def reference(asset: Asset, by: str) -> dict[str, str]:
    return {by: getattr(asset, by)}


@pytest.mark.parametrize("value", list(VALUES.values()), ids=list(VALUES))
def test_a_value_comes_back_equal(client: Client, worker: Worker, by: str, value: Any) -> None:
    """What was set is what is read, to the type of each number and the order of the keys."""
    outlet = reference(worker.outlet, by)
    assert client.asset_state_store.set("key", value, **outlet) == OK
    assert repr(client.asset_state_store.get("key", **outlet).value) == repr(value)


@pytest.mark.parametrize("key", list(KEYS_OF_ASSETS.values()), ids=list(KEYS_OF_ASSETS))
def test_a_key_names_one_entry(client: Client, worker: Worker, by: str, key: str) -> None:
    """Set, get and delete reach the entry of exactly this key."""
    state, outlet = client.asset_state_store, reference(worker.outlet, by)
    state.set("bystander", "untouched", **outlet)
    assert state.get(key, **outlet) == not_found(key)
    assert state.set(key, {"key": key}, **outlet) == OK
    assert state.get(key, **outlet).value == {"key": key}
    assert state.delete(key, **outlet) == OK
    assert state.delete(key, **outlet) == OK
    assert state.get(key, **outlet) == not_found(key)
    assert state.get("bystander", **outlet).value == "untouched"


def test_name_and_uri_name_the_same_asset(client: Client, worker: Worker) -> None:
    """What is written by name is read by URI, and the other way round."""
    name, uri = reference(worker.outlet, "name"), reference(worker.outlet, "uri")
    client.asset_state_store.set("key", "by name", **name)
    assert client.asset_state_store.get("key", **uri).value == "by name"
    client.asset_state_store.set("key", "by uri", **uri)
    assert client.asset_state_store.get("key", **name).value == "by uri"
    client.asset_state_store.delete("key", **name)
    assert client.asset_state_store.get("key", **uri) == not_found("key")


def test_a_clear_removes_every_key_of_one_asset(client: Client, worker: Worker, by: str) -> None:
    """A clear leaves nothing of its own asset, and everything of others; a second one succeeds."""
    outlet, inlet = reference(worker.outlet, by), reference(worker.inlet, by)
    client.asset_state_store.set("key", "inlet's", **inlet)
    client.task_state_store.set(worker.id, "key", "task's", None)
    for key in ("a", "b/c", "."):
        client.asset_state_store.set(key, 1, **outlet)
    assert client.asset_state_store.clear(**outlet) == OK
    assert client.asset_state_store.clear(**outlet) == OK
    for key in ("a", "b/c", "."):
        assert client.asset_state_store.get(key, **outlet) == not_found(key)
    assert client.asset_state_store.get("key", **inlet).value == "inlet's"
    assert client.task_state_store.get(worker.id, "key").value == "task's"


def test_tasks_share_the_state_of_their_asset(client: Client, worker: Worker) -> None:
    """What one task writes to an asset, the next one reads and replaces."""
    client.asset_state_store.set("watermark", "2026-01-01", name=worker.outlet.name)
    other = Worker.hire(worker.server, outlet=worker.outlet.name)
    with other.client() as others_client:
        assert others_client.asset_state_store.get("watermark", name=worker.outlet.name).value == "2026-01-01"
        others_client.asset_state_store.set("watermark", "2026-01-02", uri=worker.outlet.uri)
    assert client.asset_state_store.get("watermark", name=worker.outlet.name).value == "2026-01-02"


def test_a_value_of_a_megabyte_comes_back_equal(client: Client, worker: Worker, by: str) -> None:
    """A worker may keep large values."""
    client.asset_state_store.set("large", "ä" * 600_000, **reference(worker.outlet, by))
    assert client.asset_state_store.get("large", **reference(worker.outlet, by)).value == "ä" * 600_000


class TestRefusals:
    @pytest.mark.parametrize("kind", ["unknown", "inactive"])
    def test_an_asset_that_is_not_there(self, client: Client, worker: Worker, by: str, kind: str) -> None:
        """Of an asset that is unknown or inactive no key is found, and nothing can be written or removed."""
        asset = worker.inactive if kind == "inactive" else Asset("no/such 'asset'", "s3://no/such")
        where = reference(asset, by)
        assert client.asset_state_store.get("key", **where) == not_found("key")
        for call in (
            lambda: client.asset_state_store.set("key", 1, **where),
            lambda: client.asset_state_store.delete("key", **where),
            lambda: client.asset_state_store.clear(**where),
        ):
            assert not_found_message(call) == f"Asset with {by}={where[by]!r} not found"

    def test_an_asset_that_the_task_is_not_registered_with(self, client: Client, worker: Worker, by: str) -> None:
        """An asset that the task is not registered with is refused, for reading too."""
        where = reference(worker.foreign, by)
        for call in (
            lambda: client.asset_state_store.get("key", **where),
            lambda: client.asset_state_store.set("key", 1, **where),
            lambda: client.asset_state_store.delete("key", **where),
            lambda: client.asset_state_store.clear(**where),
        ):
            refusal_of(call, 403, "Asset not registered with this task")

    def test_a_key_that_cannot_be(self, client: Client, worker: Worker, by: str) -> None:
        """An empty key, one of 513 characters and one with NUL are refused with their reason."""
        where = reference(worker.outlet, by)
        for key in ("", "k" * 513, "a\x00b"):
            for call in (
                lambda key=key: client.asset_state_store.get(key, **where),
                lambda key=key: client.asset_state_store.set(key, 1, **where),
                lambda key=key: client.asset_state_store.delete(key, **where),
            ):
                problems = refusal_of(call, 422, VALIDATION_ERROR).detail
                assert [problem.loc for problem in problems] == [["query", "key"]]
