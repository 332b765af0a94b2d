"""The app at other places than the root of its server."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from airflow.sdk.api.client import Client
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse
from samples import KEYS
from worker import VALIDATION_ERROR, Worker, refusal_of

PLACES = {
    "middleware": "/inside",
    "root path": "/state",
    "mount": "/mounted",
    "mount below a root path": "/outer/state",
    "mount below a root path that the path lacks": "/outside/state",
}
MOUNTS = [place for name, place in PLACES.items() if name.startswith("mount")]


@pytest.fixture(params=list(PLACES.values()), ids=list(PLACES))
def place(request: pytest.FixtureRequest) -> str:
    """Return every place in turn."""
    return str(request.param)


@pytest.fixture
def client(worker: Worker, place: str) -> Iterator[Client]:
    """Return a client of the app at this place."""
    with worker.client(place=place) as client:
        yield client


def test_every_place_has_the_same_state(client: Client, worker: Worker, place: str) -> None:
    """What is written at one place is read at another, whatever the key."""
    with worker.client() as at_root:
        for key in KEYS.values():
            if "\n" in key and place in MOUNTS:
                continue  # see below
            client.task_state_store.set(worker.id, key, key, None)
            assert at_root.task_state_store.get(worker.id, key).value == key
            assert client.task_state_store.get(worker.id, key).value == key
            client.task_state_store.delete(worker.id, key)
            missing = ErrorResponse(error=ErrorType.TASK_STORE_NOT_FOUND, detail={"key": key})
            assert client.task_state_store.get(worker.id, key) == missing
            client.asset_state_store.set(key, key, uri=worker.outlet.uri)
            assert client.asset_state_store.get(key, name=worker.outlet.name).value == key
            assert at_root.asset_state_store.get(key, name=worker.outlet.name).value == key
        client.asset_state_store.clear(name=worker.outlet.name)
        assert isinstance(at_root.asset_state_store.get("k", name=worker.outlet.name), ErrorResponse)


@pytest.mark.parametrize("place", MOUNTS)
def test_a_mount_stops_newlines(client: Client, worker: Worker) -> None:
    """A task's key with a newline does not get through a mount of Starlette's: the host answers 404."""
    with pytest.raises(httpx.HTTPStatusError) as refusal:
        client.task_state_store.set(worker.id, "a\nb", 1, None)
    assert refusal.value.response.status_code == 404
    client.asset_state_store.set("a\nb", 1, name=worker.outlet.name)
    assert client.asset_state_store.get("a\nb", name=worker.outlet.name).value == 1


def test_a_key_may_look_like_the_place(client: Client, worker: Worker, place: str) -> None:
    """A key that reads like the path that leads to the app is a key."""
    for key in (place, place[1:], f"{place}/execution", "execution/store/ti", f"{place}{place}/execution/"):
        client.task_state_store.set(worker.id, key, key, None)
        assert client.task_state_store.get(worker.id, key).value == key


def test_a_dot_addresses_the_task_instance(client: Client, worker: Worker) -> None:
    """The path without a key is known at every place."""
    client.task_state_store.set(worker.id, "key", 1, None)
    refusal_of(lambda: client.task_state_store.get(worker.id, "."), 405, "Method Not Allowed")
    client.task_state_store.delete(worker.id, ".")
    assert isinstance(client.task_state_store.get(worker.id, "key"), ErrorResponse)


def test_refusals_are_ours(client: Client, worker: Worker, place: str) -> None:
    """The host does not answer in our place: errors have our form, and tokens are renewed."""
    refusal_of(lambda: client.task_state_store.get(worker.id, ""), 422, VALIDATION_ERROR)
    foreign = worker.foreign.name
    refusal_of(lambda: client.asset_state_store.get("k", name=foreign), 403, "Asset not registered with this task")
    with worker.client("", place) as anonymous:
        refusal_of(lambda: anonymous.task_state_store.get(worker.id, "key"), 401, "Missing auth token")
    hasty = Worker.hire(worker.server, lifetime=15)
    with hasty.client(place=place) as hasty_client:
        hasty_client.task_state_store.set(hasty.id, "key", 1, None)
        assert hasty_client.auth.token != hasty.token
