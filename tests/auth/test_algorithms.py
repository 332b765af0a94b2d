"""Which algorithm and which key verify a token."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from statemount.auth import JWTAuth, Key
from statemount.auth.keys import KeySource
from statemount.errors import InvalidTokenError
from tests.auth.support import (
    SECRET,
    TASK,
    Clock,
    accepts,
    identify,
    private_key,
    private_pem,
    public_jwk,
    public_pem,
    segment,
    signed,
    worker_claims,
)

pytestmark = pytest.mark.anyio

KINDS = {
    "RS256": "RSA-2048",
    "RS384": "RSA-2048",
    "RS512": "RSA-2048",
    "PS256": "RSA-2048",
    "PS384": "RSA-2048",
    "PS512": "RSA-2048",
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "ES256K": "secp256k1",
    "EdDSA": "Ed25519",
}


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_shared_secret(algorithm: str) -> None:
    """A token signed by PyJWT with the shared secret is accepted, for each HMAC algorithm."""
    auth = JWTAuth(secret=SECRET, algorithms=[algorithm], clock=Clock())
    identity = await identify(auth, jwt.encode(worker_claims(), SECRET, algorithm))
    assert identity.task_instance_id == TASK


@pytest.mark.parametrize("form", ["pem", "jwk", "pyjwk"])
@pytest.mark.parametrize("algorithm", KINDS)
async def test_public_key(algorithm: str, form: str) -> None:
    """A token signed by PyJWT with a private key is accepted with the public one, for each algorithm and form."""
    private = private_key(KINDS[algorithm])
    sources: dict[str, KeySource] = {
        "pem": public_pem(private),
        "jwk": public_jwk(private, alg=algorithm),
        "pyjwk": jwt.PyJWK(dict(public_jwk(private)), algorithm=algorithm),
    }
    auth = JWTAuth(keys=[sources[form]], algorithms=[algorithm], clock=Clock())
    identity = await identify(auth, jwt.encode(worker_claims(), private_pem(private), algorithm))
    assert identity.task_instance_id == TASK


@pytest.mark.parametrize(("algorithm", "kind"), [*KINDS.items(), ("EdDSA", "Ed448")])
async def test_own_signature(algorithm: str, kind: str) -> None:
    """What a signing key signs, PyJWT verifies and so does the authenticator itself."""
    private = private_key(kind)
    auth = JWTAuth(signing_key=Key.pem(private_pem(private), algorithm=algorithm), clock=Clock())
    token = auth.tokens.worker(TASK)
    decoded = jwt.decode(
        token, public_pem(private), [algorithm], options={"verify_aud": False, "verify_iat": False, "verify_nbf": False}
    )
    assert decoded["sub"] == str(TASK)
    assert (await identify(auth, token)).task_instance_id == TASK


@pytest.mark.parametrize("algorithm", ["HS256", "HS384"])
async def test_other_hash(algorithm: str) -> None:
    """A token signed with the right secret by an algorithm that is not accepted is refused."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    with pytest.raises(InvalidTokenError, match="no key verifies"):
        await identify(auth, signed(worker_claims(), algorithm=algorithm))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", "HS1", "dir", "ES521"])
@pytest.mark.parametrize("signature", ["", "AA"])
async def test_none(algorithm: str, signature: str) -> None:
    """The algorithm none, or one that does not exist, is refused with and without a signature."""
    auth = JWTAuth(secret=SECRET, keys=[public_pem(private_key("P-521"))], clock=Clock())
    with pytest.raises(InvalidTokenError):
        await identify(auth, f"{segment({'alg': algorithm})}.{segment(worker_claims())}.{signature}")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_public_key_as_secret(algorithm: str) -> None:
    """A token signed by HMAC with the text of the public key is refused."""
    pem = public_pem(private_key("RSA-2048"))
    auth = JWTAuth(keys=[pem], clock=Clock())
    for secret in (pem, pem.strip(), pem.encode()):
        with pytest.raises(InvalidTokenError):
            await identify(auth, signed(worker_claims(), secret=secret, algorithm=algorithm))


async def test_public_key_beside_a_secret() -> None:
    """A public key's algorithm is verified with the public key only, the secret's with the secret only."""
    private = private_key("RSA-2048")
    pem = public_pem(private)
    auth = JWTAuth(secret=SECRET, keys=[pem], clock=Clock())
    assert await accepts(auth, jwt.encode(worker_claims(), private_pem(private), "RS256"))
    assert await accepts(auth, signed(worker_claims()))
    with pytest.raises(InvalidTokenError):
        await identify(auth, signed(worker_claims(), secret=pem))


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
async def test_pinned_algorithm(algorithm: str) -> None:
    """An RSA key without a stated algorithm verifies RS256 and no other one."""
    private = private_key("RSA-2048")
    auth = JWTAuth(keys=[public_pem(private)], clock=Clock())
    with pytest.raises(InvalidTokenError):
        await identify(auth, jwt.encode(worker_claims(), private_pem(private), algorithm))


async def test_accepted_algorithms_of_one_key() -> None:
    """An RSA key without a stated algorithm verifies those of the accepted algorithms that fit it."""
    private = private_key("RSA-2048")
    auth = JWTAuth(keys=[public_pem(private)], algorithms=["PS256", "RS512", "ES256"], clock=Clock())
    for algorithm in ("PS256", "RS512"):
        assert await accepts(auth, jwt.encode(worker_claims(), private_pem(private), algorithm))
    with pytest.raises(InvalidTokenError, match="not accepted"):
        await identify(auth, jwt.encode(worker_claims(), private_pem(private), "RS256"))


@pytest.mark.parametrize("kind", ["RSA-2048", "P-256", "Ed25519"])
async def test_other_private_key(kind: str) -> None:
    """A token signed with somebody else's private key is refused."""
    algorithm = {"RSA-2048": "RS256", "P-256": "ES256", "Ed25519": "EdDSA"}[kind]
    auth = JWTAuth(keys=[public_pem(private_key(kind))], clock=Clock())
    with pytest.raises(InvalidTokenError):
        await identify(auth, jwt.encode(worker_claims(), private_pem(private_key(kind, 1)), algorithm))


async def test_keys_in_the_header() -> None:
    """A key that the token brings along in its header is not used."""
    private = private_key("P-256", 1)
    auth = JWTAuth(keys=[public_pem(private_key("P-256"))], clock=Clock())
    headers: list[dict[str, Any]] = [
        {"jwk": public_jwk(private)},
        {"jku": "http://127.0.0.1:9/keys"},
        {"x5u": "http://127.0.0.1:9/chain"},
        {"x5c": ["AA"]},
    ]
    for header in headers:
        with pytest.raises(InvalidTokenError, match="no key verifies"):
            await identify(auth, jwt.encode(worker_claims(), private_pem(private), "ES256", headers=header))


@pytest.mark.parametrize("kid", ["not-used", "", "another", None])
async def test_kid_with_one_secret(kid: str | None) -> None:
    """With one shared secret the token's kid means nothing."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    assert await accepts(auth, signed(worker_claims(), header={"alg": "HS512", "kid": kid, "typ": "JWT"}))


async def test_kid_selects() -> None:
    """Of several keys, the token's kid names the one that must have signed it."""
    secrets = {"new": "n" * 64, "old": "o" * 64}
    auth = JWTAuth(keys=[Key.shared(secret, kid=kid) for kid, secret in secrets.items()], clock=Clock())
    for kid, secret in secrets.items():
        token = signed(worker_claims(), secret=secret, header={"alg": "HS512", "kid": kid})
        assert (await identify(auth, token)).task_instance_id == TASK
    for kid, secret in (("new", "o" * 64), ("old", "n" * 64), ("third", "n" * 64)):
        with pytest.raises(InvalidTokenError):
            await identify(auth, signed(worker_claims(), secret=secret, header={"alg": "HS512", "kid": kid}))


async def test_no_kid_among_several_keys() -> None:
    """A token without a kid is accepted if exactly one key fits its algorithm, and refused if several do."""
    private = private_key("P-256")
    auth = JWTAuth(
        keys=[
            Key.shared("n" * 64, kid="new"),
            Key.shared("o" * 64, kid="old"),
            Key.pem(public_pem(private), kid="elliptic"),
        ],
        clock=Clock(),
    )
    assert await accepts(auth, jwt.encode(worker_claims(), private_pem(private), "ES256"))
    for secret in ("n" * 64, "o" * 64):
        with pytest.raises(InvalidTokenError):
            await identify(auth, signed(worker_claims(), secret=secret))


async def test_kid_beside_a_named_key() -> None:
    """A kid that no key has means the key without a name, if there is one."""
    auth = JWTAuth(keys=[Key.shared(SECRET), Key.shared("n" * 64, kid="new")], clock=Clock())
    assert await accepts(auth, signed(worker_claims(), header={"alg": "HS512", "kid": "not-used"}))
    with pytest.raises(InvalidTokenError):
        await identify(auth, signed(worker_claims(), header={"alg": "HS512", "kid": "new"}))
