"""Tokens: refused, renewed, and as Airflow itself signs them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from airflow.api_fastapi.auth.tokens import JWTGenerator
from airflow.sdk.api.client import Client, ServerResponseError
from airflow.sdk.execution_time.comms import ErrorResponse
from worker import SECRET, VALIDATION_ERROR, Worker, refusal_of

AUDIENCE = "urn:airflow.apache.org:task"


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, SECRET, ["HS512"], audience=AUDIENCE, leeway=10)


def signed(
    worker: Worker, *, secret: str = SECRET, issued_at: float = 0, expires_at: float = 600, **claims: Any
) -> str:
    """Return a token; the times are seconds from now."""
    now = int(time.time())
    times = {"iat": now + issued_at, "nbf": now + issued_at, "exp": now + expires_at}
    return jwt.encode({"sub": str(worker.id), "aud": AUDIENCE, **times, **claims}, secret, "HS512")


REFUSED: dict[str, Callable[[Worker], str]] = {
    "expired": lambda worker: signed(worker, issued_at=-700, expires_at=-100),
    "of another issuer": lambda worker: signed(worker, secret="another secret, long enough for its algorithm" * 2),
    "for the public API": lambda worker: signed(worker, aud="apache-airflow"),
    "not valid yet": lambda worker: signed(worker, issued_at=100),
    "garbage": lambda worker: "garbage",
    "altered": lambda worker: f"{worker.token[:-4]}AAAA",
}


@pytest.mark.parametrize("kind", list(REFUSED))
def test_a_token_is_refused(worker: Worker, kind: str) -> None:
    """A token that does not verify is refused with no reason given, and is not renewed."""
    token = REFUSED[kind](worker)
    with worker.client(token) as client:
        for call in (
            lambda: client.task_state_store.get(worker.id, "key"),
            lambda: client.task_state_store.set(worker.id, "key", 1, None),
            lambda: client.asset_state_store.get("key", name=worker.outlet.name),
        ):
            refusal = refusal_of(call, 403, "Invalid auth token")
            assert "Refreshed-API-Token" not in refusal.response.headers
        assert client.auth.token == token


def test_no_token_is_refused(worker: Worker) -> None:
    """A client without a token is told that it needs one."""
    with worker.client("") as client:
        refusal_of(lambda: client.task_state_store.get(worker.id, "key"), 401, "Missing auth token")


def test_a_token_of_the_scheduler_is_refused(worker: Worker) -> None:
    """A token that only starts a task instance does not reach its state."""
    with worker.client(signed(worker, scope="workload")) as client:
        message = "Token type 'workload' not allowed for this endpoint. Allowed types: execution"
        refusal_of(lambda: client.task_state_store.get(worker.id, "key"), 403, message)


def _get(client: Client, worker: Worker) -> None:
    assert isinstance(client.task_state_store.get(worker.id, "missing"), ErrorResponse)


def _set(client: Client, worker: Worker) -> None:
    client.task_state_store.set(worker.id, "key", 1, None)


def _set_null(client: Client, worker: Worker) -> None:
    refusal_of(lambda: client.task_state_store.set(worker.id, "key", None, None), 422, VALIDATION_ERROR)


def _clear_asset(client: Client, worker: Worker) -> None:
    client.asset_state_store.clear(name=worker.outlet.name)


@pytest.mark.parametrize("call", [_get, _set, _set_null, _clear_asset], ids=["404", "204", "422", "204 of an asset"])
@pytest.mark.parametrize("left", [20, -3], ids=["little life left", "within the leeway"])
def test_a_token_near_its_end_is_renewed(worker: Worker, call: Callable[[Client, Worker], None], left: int) -> None:
    """The client takes over a fresh token from whatever answer, and works on with it."""
    old = signed(worker, issued_at=-580, expires_at=left, custom={"kept": [1]})
    with worker.client(old) as client:
        call(client, worker)
        new = client.auth.token
        assert new != old
        before, after = claims_of(old), claims_of(new)
        assert after["exp"] - after["iat"] == 600
        assert abs(after["iat"] - time.time()) < 30
        assert after["jti"]
        times = {"iat", "nbf", "exp", "jti"}
        assert {k: v for k, v in after.items() if k not in times} == {k: v for k, v in before.items() if k not in times}
        client.task_state_store.set(worker.id, "key", "with the new token", None)
        assert client.task_state_store.get(worker.id, "key").value == "with the new token"
        assert client.auth.token == new


def test_a_hired_worker_with_a_short_token_goes_on(server: str) -> None:
    """A token that the host signed for a few seconds is renewed by the first request."""
    worker = Worker.hire(server, lifetime=15)
    with worker.client() as client:
        client.task_state_store.set(worker.id, "key", 1, None)
        assert client.auth.token != worker.token
        assert claims_of(client.auth.token)["sub"] == str(worker.id)
        assert client.task_state_store.get(worker.id, "key").value == 1


def test_a_token_with_life_left_is_not_renewed(client: Client, worker: Worker) -> None:
    """The client keeps a token that is good for minutes."""
    _set(client, worker)
    _get(client, worker)
    assert client.auth.token == worker.token


def test_a_token_near_its_end_is_not_renewed_by_a_refusal(worker: Worker) -> None:
    """Whoever asks for what is another's gets no fresh token."""
    old = signed(worker, issued_at=-580, expires_at=20)
    with worker.client(old) as client:
        other = Worker.hire(worker.server)
        for call in (
            lambda: client.asset_state_store.get("key", name=worker.foreign.name),
            lambda: client.task_state_store.get(other.id, "key"),
        ):
            with pytest.raises(ServerResponseError) as refusal:
                call()
            assert refusal.value.response.status_code == 403
        assert client.auth.token == old


def test_tokens_that_airflow_signs_are_accepted(worker: Worker) -> None:
    """A token from Airflow's own generator, with its key id, works as it is."""
    generator = JWTGenerator(private_key=None, secret_key=SECRET, valid_for=600, audience=AUDIENCE, issuer=None)
    token = generator.generate({"sub": str(worker.id), "scope": "execution"})
    assert "kid" in jwt.get_unverified_header(token)
    with worker.client(token) as client:
        client.task_state_store.set(worker.id, "key", 1, None)
        assert client.task_state_store.get(worker.id, "key").value == 1
