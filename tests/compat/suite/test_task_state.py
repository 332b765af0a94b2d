"""Task state through the Task SDK's client."""

from __future__ import annotations

import functools
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.sdk.api.client import Client
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse, OKResponse
from samples import KEYS, VALUES
from worker import VALIDATION_ERROR, Worker, not_found_message, refusal_of

OK = OKResponse(ok=True)


def not_found(key: str) -> ErrorResponse:
    return ErrorResponse(error=ErrorType.TASK_STORE_NOT_FOUND, detail={"key": key})


@pytest.mark.parametrize("value", list(VALUES.values()), ids=list(VALUES))
def test_a_value_comes_back_equal(client: Client, worker: Worker, value: Any) -> None:
    """What was set is what is read, to the type of each number and the order of the keys."""
    assert client.task_state_store.set(worker.id, "key", value, None) == OK
    assert repr(client.task_state_store.get(worker.id, "key").value) == repr(value)


@pytest.mark.parametrize("key", list(KEYS.values()), ids=list(KEYS))
def test_a_key_names_one_entry(client: Client, worker: Worker, key: str) -> None:
    """Set, get and delete reach the entry of exactly this key."""
    state = client.task_state_store
    state.set(worker.id, "bystander", "untouched", None)
    assert state.get(worker.id, key) == not_found(key)
    assert state.set(worker.id, key, {"key": key}, None) == OK
    assert state.get(worker.id, key).value == {"key": key}
    assert state.delete(worker.id, key) == OK
    assert state.get(worker.id, key) == not_found(key)
    assert state.get(worker.id, "bystander").value == "untouched"


def test_no_two_keys_are_the_same(client: Client, worker: Worker) -> None:
    """Keys that differ in any byte are different entries."""
    keys = ["a", "A", "a ", " a", "ä", "a\u0308", "a/b", "a%2Fb", "a//b", "a/b/", "/a/b", "a\\b", "a+b", "a b", "a\nb"]
    for key in keys:
        client.task_state_store.set(worker.id, key, key, None)
    assert [client.task_state_store.get(worker.id, key).value for key in keys] == keys


def test_a_set_replaces_value_and_type(client: Client, worker: Worker) -> None:
    """The last value set is the one that is read."""
    for value in ("text", 1, [1], {"a": 1}, False):
        client.task_state_store.set(worker.id, "key", value, None)
        assert client.task_state_store.get(worker.id, "key").value == value


def test_a_delete_of_a_missing_key_succeeds(client: Client, worker: Worker) -> None:
    """To delete what is not there is no error, however often."""
    assert client.task_state_store.delete(worker.id, "key") == OK
    assert client.task_state_store.delete(worker.id, "key") == OK


def test_a_clear_removes_every_key_of_one_task_instance(client: Client, worker: Worker) -> None:
    """A clear leaves nothing of its own task instance, and everything of others; a second one succeeds."""
    other = Worker.hire(worker.server)
    with other.client() as others_client:
        others_client.task_state_store.set(other.id, "key", "other's", None)
        for key in KEYS.values():
            client.task_state_store.set(worker.id, key, 1, None)
        assert client.task_state_store.clear(worker.id) == OK
        assert client.task_state_store.clear(worker.id) == OK
        for key in KEYS.values():
            assert client.task_state_store.get(worker.id, key) == not_found(key)
        assert others_client.task_state_store.get(other.id, "key").value == "other's"


def test_a_value_of_a_megabyte_comes_back_equal(client: Client, worker: Worker) -> None:
    """A worker may keep large values."""
    for value in ("x" * 1_000_000, ["ä" * 50] * 3000, list(range(150_000))):
        client.task_state_store.set(worker.id, "large", value, None)
        assert client.task_state_store.get(worker.id, "large").value == value


def test_a_retry_finds_the_state(client: Client, worker: Worker) -> None:
    """The next try of a task has another id and the same state; the id of the last try is unknown from then on."""
    client.task_state_store.set(worker.id, "job_id", "job-17", None)
    retry = Worker.hire(worker.server, task_id=worker.task_id)
    assert retry.id != worker.id
    with retry.client() as clients_of_retry:
        assert clients_of_retry.task_state_store.get(retry.id, "job_id").value == "job-17"
    assert client.task_state_store.get(worker.id, "job_id") == not_found("job_id")
    message = not_found_message(lambda: client.task_state_store.set(worker.id, "job_id", "job-18", None))
    assert message == f"Task instance {worker.id} not found"


class TestExpiry:
    def test_an_entry_is_there_until_it_expires(self, client: Client, worker: Worker) -> None:
        """An entry that expires in the future is read, whatever the time zone of the date."""
        zones = [timezone.utc, timezone(timedelta(hours=14)), timezone(-timedelta(hours=11, minutes=30))]
        for zone in zones:
            client.task_state_store.set(worker.id, "key", 1, datetime.now(zone) + timedelta(minutes=5))
            assert client.task_state_store.get(worker.id, "key").value == 1

    def test_an_entry_is_gone_at_its_time(self, client: Client, worker: Worker) -> None:
        """An entry is not found from the moment on at which it expires."""
        expires_at = datetime.now(timezone.utc) + timedelta(seconds=0.5)
        client.task_state_store.set(worker.id, "key", 1, expires_at)
        time.sleep(max(0.0, (expires_at - datetime.now(timezone.utc)).total_seconds()) + 0.01)
        assert client.task_state_store.get(worker.id, "key") == not_found("key")

    def test_an_expiry_in_the_past_is_accepted(self, client: Client, worker: Worker) -> None:
        """An entry that is written with a date that has passed is gone at once, and what it replaced as well."""
        client.task_state_store.set(worker.id, "key", "old", None)
        past = datetime.now(timezone.utc) - timedelta(seconds=1)
        assert client.task_state_store.set(worker.id, "key", "new", past) == OK
        assert client.task_state_store.get(worker.id, "key") == not_found("key")

    def test_a_set_replaces_the_expiry(self, client: Client, worker: Worker) -> None:
        """An entry that is set again without a date is kept, though the one that it replaces had expired."""
        client.task_state_store.set(worker.id, "key", "old", datetime(2000, 1, 1, tzinfo=timezone.utc))
        client.task_state_store.set(worker.id, "key", "new", None)
        assert client.task_state_store.get(worker.id, "key").value == "new"

    @pytest.mark.parametrize("zone", [timezone(timedelta(hours=1)), timezone(-timedelta(hours=1))])
    def test_a_date_out_of_range_is_refused(self, client: Client, worker: Worker, zone: timezone) -> None:
        """A date that has no place in the years 1 to 9999 in UTC is refused with its reason."""
        date = datetime.min if zone.utcoffset(None) > timedelta(0) else datetime.max
        call = functools.partial(client.task_state_store.set, worker.id, "key", 1, date.replace(tzinfo=zone))
        assert [problem.loc for problem in refusal_of(call, 422, VALIDATION_ERROR).detail] == [["body", "expires_at"]]


class TestDotKeys:
    """The client normalises the path before it sends it, so that these keys never reach a server as keys."""

    def test_a_dot_addresses_the_task_instance(self, client: Client, worker: Worker) -> None:
        """To get or set the key ``.`` is refused, and does nothing."""
        client.task_state_store.set(worker.id, "key", 1, None)
        for call in (
            lambda: client.task_state_store.get(worker.id, "."),
            lambda: client.task_state_store.set(worker.id, ".", 2, None),
        ):
            refusal_of(call, 405, "Method Not Allowed")
        assert client.task_state_store.get(worker.id, "key").value == 1

    def test_to_delete_a_dot_clears_the_task_instance(self, client: Client, worker: Worker) -> None:
        """The request for deleting the key ``.`` is the one for clearing the task instance: a hazard of the client."""
        client.task_state_store.set(worker.id, "key", 1, None)
        assert client.task_state_store.delete(worker.id, ".") == OK
        assert client.task_state_store.get(worker.id, "key") == not_found("key")

    def test_two_dots_address_nothing(self, client: Client, worker: Worker) -> None:
        """The key ``..`` is never found, cannot be set, and to delete it does nothing."""
        client.task_state_store.set(worker.id, "key", 1, None)
        assert client.task_state_store.get(worker.id, "..") == not_found("..")
        for call in (
            lambda: client.task_state_store.set(worker.id, "..", 2, None),
            lambda: client.task_state_store.delete(worker.id, ".."),
        ):
            refusal_of(call, 404, "Not Found")
        assert client.task_state_store.get(worker.id, "key").value == 1
