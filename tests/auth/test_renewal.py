"""When and how tokens are renewed, and how new ones are issued."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import jwt
import pytest

from statemount.auth import JWTAuth
from statemount.errors import ConfigurationError
from statemount.interfaces import Identity
from tests.auth.support import (
    NOW,
    SECRET,
    TASK,
    Clock,
    accepts,
    identify,
    private_key,
    private_pem,
    public_claims,
    public_pem,
    signed,
    worker_claims,
)

pytestmark = pytest.mark.anyio


def decoded(token: str) -> dict[str, Any]:
    """Return a token's claims, its signature verified by PyJWT."""
    options: Any = dict.fromkeys(("verify_exp", "verify_iat", "verify_nbf", "verify_aud"), False)
    claims: dict[str, Any] = jwt.decode(token, SECRET, ["HS512"], options=options)
    return claims


@pytest.mark.parametrize(
    ("life", "left", "is_due"),
    [
        (600, 600, False),
        (600, 120, False),
        (600, 119.999, True),
        (600, 1, True),
        (600, -9, True),
        (3600, 720, False),
        (3600, 719, True),
        (100, 30, False),
        (100, 29.999, True),
        (60, 30, False),
        (60, 29, True),
        (20, 20, True),
        (86400, 17280, False),
        (86400, 17279, True),
    ],
)
async def test_due(life: int, left: float, is_due: bool) -> None:
    """A token is renewed when less than 20 % of its life, or less than 30 seconds, are left."""
    clock = Clock()
    auth = JWTAuth(secret=SECRET, clock=clock)
    clock.seconds = NOW + life - left
    identity = await identify(auth, signed(worker_claims(exp=NOW + life)))
    assert (auth.renew(identity) is not None) is is_due


async def test_renewed_token() -> None:
    """A renewed token has new times, a new jti and every other claim of the old one, and is accepted."""
    clock = Clock()
    auth = JWTAuth(secret=SECRET, clock=clock)
    extra = {"jti": "old", "iss": "airflow", "dag_id": "d", "map_index": -1, "inlets": ["a", {"name": "é\ud800"}]}
    identity = await identify(auth, signed(worker_claims(**extra)))
    clock.seconds = NOW + 550.75
    first, second = auth.renew(identity), auth.renew(identity)
    assert first is not None
    assert second is not None
    claims = decoded(first)
    now = NOW + 550
    times = {"iat": now, "nbf": now, "exp": now + 600}
    assert claims == worker_claims(**{**extra, "jti": claims["jti"], "origin_jti": "old", **times})
    assert len({claims["jti"], decoded(second)["jti"], "old"}) == 3
    clock.seconds = NOW + 1149
    assert (await identify(auth, first)).task_instance_id == TASK


async def test_line_of_a_renewed_token() -> None:
    """The first token of a line is named in all that it is renewed to; one without a ``jti`` names nothing."""
    clock = Clock()
    auth = JWTAuth(secret=SECRET, clock=clock)
    token = signed(worker_claims(jti="first"))
    for _ in range(3):
        clock.seconds += 590
        renewed = auth.renew(await identify(auth, token))
        assert renewed is not None
        assert decoded(renewed)["origin_jti"] == "first"
        assert decoded(renewed)["jti"] not in ("first", decoded(token)["jti"])
        token = renewed
    clock.seconds = NOW + 590
    nameless = auth.renew(await identify(auth, signed(worker_claims())))
    assert nameless is not None
    assert "origin_jti" not in decoded(nameless)


async def test_renewal_lifetime() -> None:
    """The life of a renewed token is a setting, and does not depend on the old one's."""
    clock = Clock()
    auth = JWTAuth(secret=SECRET, renewal_lifetime=900, clock=clock)
    identity = await identify(auth, signed(worker_claims(exp=NOW + 25)))
    token = auth.renew(identity)
    assert token is not None
    assert decoded(token)["exp"] == NOW + 900


async def test_renewed_with_the_signing_key() -> None:
    """Tokens from elsewhere are renewed with the signing key, under its kid."""
    theirs, ours = private_key("RSA-2048"), private_key("P-256")
    auth = JWTAuth(keys=[public_pem(theirs)], signing_key=private_pem(ours), clock=Clock())
    token = jwt.encode(worker_claims(exp=NOW + 10), private_pem(theirs), "RS256")
    renewed = auth.renew(await identify(auth, token))
    assert renewed is not None
    assert jwt.get_unverified_header(renewed)["alg"] == "ES256"
    assert (await identify(auth, renewed)).task_instance_id == TASK


async def test_never_renewed() -> None:
    """No token is renewed without a signing key, for the public API, for a host's own identity or once it is over."""
    clock = Clock()
    private = private_key("P-256")
    verifies_only = JWTAuth(keys=[public_pem(private)], clock=clock)
    due = await identify(verifies_only, jwt.encode(worker_claims(exp=NOW + 10), private_pem(private), "ES256"))
    assert verifies_only.renew(due) is None
    auth = JWTAuth(secret=SECRET, clock=clock)
    assert auth.renew(await identify(auth, signed(public_claims(exp=NOW + 10)), "public")) is None
    assert auth.renew(Identity("host", task_instance_id=TASK)) is None
    assert auth.renew(Identity("host", task_instance_id=TASK, expires_at=NOW + 1, issued_at=NOW)) is None
    over = await identify(auth, signed(worker_claims(exp=NOW + 10)))
    clock.seconds = NOW + 20
    assert auth.renew(over) is None


async def test_watcher_is_renewed() -> None:
    """A watcher's token is renewed like a task's."""
    auth = JWTAuth(secret=SECRET, watchers=True, clock=Clock())
    token = auth.renew(await identify(auth, signed(worker_claims(sub=str(UUID(int=0)), exp=NOW + 10))))
    assert token is not None
    assert (await identify(auth, token)).is_watcher


async def test_issued_worker_token() -> None:
    """A worker's token has the claims of the contract, those that are added, and the configured issuer and audience."""
    auth = JWTAuth(secret=SECRET, issuer=["us", "them"], execution_audience=["a", "b"], clock=Clock())
    token = auth.tokens.worker(TASK, lifetime=60, claims={"dag_id": "d", "sub": "x", "aud": "x", "exp": 0, "iss": "x"})
    claims = decoded(token)
    assert claims.pop("jti")
    assert claims == {
        "sub": str(TASK),
        "aud": "a",
        "scope": "execution",
        "iss": "us",
        "dag_id": "d",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 60,
    }
    assert (await identify(auth, token)).task_instance_id == TASK


async def test_issued_public_token() -> None:
    """A public token has its subject and its permissions in the scope claim."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    identity = await identify(auth, auth.tokens.public("ann", ["state:read", "state:write"], lifetime=60), "public")
    assert (identity.subject, set(identity.permissions)) == ("ann", {"state:read", "state:write"})
    assert "iss" not in identity.claims
    assert identity.expires_at == NOW + 60


@pytest.mark.parametrize(
    "arguments", [{"lifetime": 0}, {"lifetime": -1}, {"claims": {"x": {1}}}, {"claims": {"x": float("nan")}}]
)
def test_token_that_is_not_issued(arguments: dict[str, Any]) -> None:
    """A lifetime that is not positive, or a claim that is no JSON, is refused."""
    tokens = JWTAuth(secret=SECRET).tokens
    with pytest.raises(ConfigurationError):
        tokens.worker(TASK, **arguments)
    with pytest.raises(ConfigurationError):
        tokens.public("ann", [], **arguments)


async def test_real_time() -> None:
    """Without a clock of its own the authenticator goes by the time of day, as PyJWT does."""
    auth = JWTAuth(secret=SECRET)
    token = auth.tokens.worker(TASK)
    assert jwt.decode(token, SECRET, ["HS512"], audience="urn:airflow.apache.org:task")["sub"] == str(TASK)
    assert await accepts(auth, token)
