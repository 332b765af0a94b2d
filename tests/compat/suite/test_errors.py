"""What the Task SDK's client makes of our refusals."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from airflow.sdk.api.client import Client, ServerResponseError
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse
from worker import VALIDATION_ERROR, Worker, refusal_of

FOREIGN = "Token subject does not match task instance ID"

Call = Callable[[Client, Any], Any]

CALLS: dict[str, Call] = {
    "get": lambda client, id: client.task_state_store.get(id, "key"),
    "set": lambda client, id: client.task_state_store.set(id, "key", 1, None),
    "delete": lambda client, id: client.task_state_store.delete(id, "key"),
    "clear": lambda client, id: client.task_state_store.clear(id),
}


@pytest.fixture(params=list(CALLS))
def call(request: pytest.FixtureRequest) -> Call:
    """Return every operation in turn."""
    return CALLS[request.param]


def test_another_task_instance_is_refused(client: Client, worker: Worker, call: Call) -> None:
    """A worker reaches its own task instance alone, and is not told whether another one exists."""
    other = Worker.hire(worker.server)
    with other.client() as others_client:
        others_client.task_state_store.set(other.id, "key", "kept", None)
        for id in (other.id, uuid4()):
            refusal_of(functools.partial(call, client, id), 403, FOREIGN)
        assert others_client.task_state_store.get(other.id, "key").value == "kept"


@pytest.mark.parametrize("spelling", [str.upper, lambda id: id.replace("-", "")], ids=["upper case", "no hyphens"])
def test_a_task_instance_may_be_spelt_in_any_way(
    client: Client, worker: Worker, spelling: Callable[[str], str]
) -> None:
    """An id is compared as a UUID, not as a text."""
    client.task_state_store.set(spelling(str(worker.id)), "key", 1, None)
    assert client.task_state_store.get(worker.id, "key").value == 1


def test_a_missing_value_is_refused(client: Client, worker: Worker) -> None:
    """None is no value: it is refused with its reason, and what was there stays."""
    client.task_state_store.set(worker.id, "key", 1, None)
    for value in (None, float("nan"), float("inf"), -float("inf")):  # the client writes all of them as null
        for call in (
            functools.partial(client.task_state_store.set, worker.id, "key", value, None),
            functools.partial(client.asset_state_store.set, "key", value, name=worker.outlet.name),
        ):
            (problem,) = refusal_of(call, 422, VALIDATION_ERROR).detail
            assert (problem.type, problem.loc) == ("value_error", ["body", "value"])
            assert problem.msg == "Value error, value cannot be null"
    assert client.task_state_store.get(worker.id, "key").value == 1
    assert isinstance(client.asset_state_store.get("key", name=worker.outlet.name), ErrorResponse)


def test_nested_numbers_that_are_not_finite_arrive_as_null(client: Client, worker: Worker) -> None:
    """The client writes null for NaN and Infinity inside a value; no server can tell."""
    client.task_state_store.set(worker.id, "key", [float("nan"), {"a": float("inf")}], None)
    assert client.task_state_store.get(worker.id, "key").value == [None, {"a": None}]


def test_too_many_digits_are_refused(client: Client, worker: Worker) -> None:
    """An integer of more than 4,300 digits is refused, not stored: the client could not read it."""
    call = functools.partial(client.task_state_store.set, worker.id, "key", 10**4300, None)
    refusal_of(call, 400, "There was an error parsing the body")


@pytest.mark.parametrize("key", ["", "k" * 513, "a\x00b"], ids=["empty", "513 characters", "NUL"])
def test_a_key_that_cannot_be_is_refused(client: Client, worker: Worker, key: str) -> None:
    """An empty key, one of 513 characters and one with NUL are refused with their reason."""
    for call in (
        lambda: client.task_state_store.get(worker.id, key),
        lambda: client.task_state_store.set(worker.id, key, 1, None),
        lambda: client.task_state_store.delete(worker.id, key),
    ):
        assert [problem.loc for problem in refusal_of(call, 422, VALIDATION_ERROR).detail] == [["path", "key"]]


def test_an_id_that_is_none_is_refused(client: Client, call: Call) -> None:
    """An id that is no UUID is not the worker's own."""
    refusal_of(lambda: call(client, "no-uuid"), 403, FOREIGN)


@pytest.mark.parametrize("megabytes", [5, 20])
def test_a_body_that_is_too_large_is_refused(client: Client, worker: Worker, megabytes: int) -> None:
    """The client is told that a value is too large, rather than cut off, and its connection goes on to work."""
    for _ in range(3):
        with pytest.raises(ServerResponseError) as refusal:
            client.task_state_store.set(worker.id, "key", "x" * (megabytes * 2**20), None)
        assert refusal.value.response.status_code == 413
        missing = client.task_state_store.get(worker.id, "key")
        assert missing == ErrorResponse(error=ErrorType.TASK_STORE_NOT_FOUND, detail={"key": "key"})


def test_an_error_names_the_request(client: Client) -> None:
    """An error carries the correlation id under which the client sent the request."""
    refusal = refusal_of(lambda: client.task_state_store.clear(uuid4()), 403, FOREIGN)
    sent = refusal.request.headers["correlation-id"]
    assert refusal.response.headers["correlation-id"] == sent
