"""A refusal says why, for the audit log, never with the token or the secret; nothing is logged besides."""

from __future__ import annotations

import logging
from uuid import UUID

import pytest

from statemount.auth import DefaultAuthorizer, HostAuth, JWTAuth
from statemount.errors import AuthenticationError, ForbiddenError
from statemount.interfaces import RouteSet
from tests.auth.support import (
    NOW,
    SECRET,
    Clock,
    identify,
    public_claims,
    request,
    signed,
    worker_claims,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("token", "route_set", "reason"),
    [
        (signed(worker_claims(), secret="x" * 64), "execution", "no key verifies the token"),
        (signed(worker_claims(exp=NOW - 60)), "execution", "the token is expired"),
        (signed(public_claims(exp=NOW - 60)), "public", "the token is expired"),
        (signed(worker_claims(aud="x")), "execution", "audience"),
        (signed(worker_claims(sub="ann")), "execution", "sub is no UUID"),
        (signed(worker_claims(scope="workload")), "execution", "Token type 'workload'"),
        ("bm90.YQ.dG9r", "public", "no JSON"),
        (signed(worker_claims(), header={"alg": "HS512\n2026 ERROR forged", "kid": "k\n" * 3000}), "execution",
         "no key verifies"),
    ],
)  # fmt: skip
async def test_refused_token(caplog: pytest.LogCaptureFixture, token: str, route_set: RouteSet, reason: str) -> None:
    """A refused token leaves a short reason without the token, however odd its parts are, and no line of its own."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    with (
        caplog.at_level(logging.DEBUG, "statemount"),
        pytest.raises((AuthenticationError, ForbiddenError)) as caught,
    ):
        await identify(auth, token, route_set)
    assert isinstance(caught.value, (AuthenticationError, ForbiddenError))
    said = caught.value.reason
    assert reason in said
    assert "\n" not in said
    assert len(said) < 400
    for part in token.split("."):
        assert part not in said or len(part) < 10
    assert caplog.records == []


async def test_missing_token() -> None:
    """A request without a token is refused for that reason."""
    with pytest.raises(AuthenticationError) as caught:
        await JWTAuth(secret=SECRET).authenticate(request("Basic YTpi"), "public")
    assert caught.value.reason == "the Authorization header is not of the Bearer scheme"


async def test_accepted_token(caplog: pytest.LogCaptureFixture) -> None:
    """An accepted token leaves no line."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    with caplog.at_level(logging.DEBUG):
        await identify(auth, signed(worker_claims()))
        auth.renew(await identify(auth, signed(worker_claims(exp=NOW + 5))))
    assert not caplog.records


async def test_host_and_policy(caplog: pytest.LogCaptureFixture) -> None:
    """What the host or the policy refuses says why, too."""

    def forbid(connection: object) -> None:
        raise ForbiddenError("no", reason="because")

    auth = JWTAuth(secret=SECRET, clock=Clock())
    identity = await identify(auth, signed(worker_claims()))
    with caplog.at_level(logging.DEBUG, "statemount"):
        with pytest.raises(AuthenticationError) as unknown:
            await HostAuth(lambda connection: None).authenticate(request(), "public")
        with pytest.raises(ForbiddenError) as forbidden:
            await HostAuth(forbid).authenticate(request(), "public")
        with pytest.raises(ForbiddenError) as foreign:
            DefaultAuthorizer().check_task_instance(identity, UUID(int=5), "write")
    assert "does not know the caller" in unknown.value.reason
    assert forbidden.value.reason == "because"
    assert f"may not write the state of task instance {UUID(int=5)}" in foreign.value.reason
    assert caplog.records == []
