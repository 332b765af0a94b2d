"""Which keys and secrets are acceptable, and what is shown of them."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
)

from statemount.auth import JWTAuth, Key
from statemount.errors import ConfigurationError
from tests.auth.support import (
    SECRET,
    TASK,
    Clock,
    accepts,
    private_key,
    private_pem,
    public_jwk,
    public_pem,
    segment,
    signed,
    worker_claims,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("algorithms", "least"),
    [(None, 64), (["HS512"], 64), (["HS384"], 48), (["HS256"], 32), (["HS256", "HS512", "HS384"], 64)],
)
def test_short_secret(algorithms: list[str] | None, least: int) -> None:
    """A shared secret shorter than its algorithm's hash is refused, in a sentence that does not show it."""
    for length in (0, 1, 16, 31, least - 1):
        for secret in ("s" * length, b"s" * length, "\u00e9" * (length // 2)):
            with pytest.raises(ConfigurationError, match=f"at least {least} bytes") as caught:
                JWTAuth(secret=secret, algorithms=algorithms)
            assert "sss" not in str(caught.value)
    JWTAuth(secret="s" * least, algorithms=algorithms)


def test_short_key() -> None:
    """A short secret is refused in every form that a key may have."""
    jwk = {"kty": "oct", "k": segment(b"s" * 63), "alg": "HS512", "kid": "one"}
    for make in (
        lambda: Key.shared("s" * 63),
        lambda: Key.jwk(jwk),
        lambda: JWTAuth(keys=[jwt.PyJWK(jwk)]),
        lambda: JWTAuth(signing_key=jwk),
    ):
        with pytest.raises(ConfigurationError, match="at least 64 bytes"):
            make()


@pytest.mark.parametrize(
    ("algorithms", "length", "warnings"),
    [(["HS512"], 16, 1), (["HS512"], 63, 1), (["HS512"], 64, 0), (["HS256"], 31, 1), (["HS256"], 32, 0)],
)
async def test_short_secret_that_is_asked_for(
    caplog: pytest.LogCaptureFixture, algorithms: list[str], length: int, warnings: int
) -> None:
    """A short secret works for who asks for it, and is logged once, without the secret."""
    secret = "s3" * (length // 2) + "!" * (length % 2)
    with caplog.at_level(logging.WARNING, "statemount.auth"):
        auth = JWTAuth(secret=secret, algorithms=algorithms, allow_short_secret=True, clock=Clock())
        token = auth.tokens.worker(TASK)
        assert await accepts(auth, token)
        assert await accepts(auth, token)
    assert len(caplog.records) == warnings
    assert "s3s3" not in caplog.text


@pytest.mark.parametrize("length", [0, 1, 15])
def test_secret_that_is_too_short_for_anybody(length: int) -> None:
    """Fewer than 16 bytes are refused even then."""
    with pytest.raises(ConfigurationError, match="at least 16 bytes"):
        JWTAuth(secret="s" * length, allow_short_secret=True)
    with pytest.raises(ConfigurationError, match="at least 16 bytes"):
        Key.shared("s" * length, allow_short=True)


@pytest.mark.parametrize("kind", ["RSA-2048", "P-256", "Ed25519"])
def test_key_as_secret(kind: str) -> None:
    """A public or private key, or a JSON Web Key, is refused as a shared secret."""
    key = private_key(kind)
    for secret in (public_pem(key), private_pem(key), json.dumps(public_jwk(key))):
        with pytest.raises(ConfigurationError, match="asymmetric key or a JSON Web Key"):
            JWTAuth(secret=secret)


def test_nothing_verifies() -> None:
    """An authenticator without any key is refused."""
    with pytest.raises(ConfigurationError, match="nothing verifies"):
        JWTAuth()


@pytest.mark.parametrize(
    "algorithms", [[], ["none"], ["HS512", "none"], ["hs512"], ["RS256"], "HS512", ["HS512", "HS1024"]]
)
def test_unacceptable_algorithms(algorithms: Any) -> None:
    """A list of algorithms that is empty, holds none or an unknown one, or has none for the secret, is refused."""
    with pytest.raises(ConfigurationError):
        JWTAuth(secret=SECRET, algorithms=algorithms)


def test_signs_with_the_first_algorithm() -> None:
    """The secret signs with the first of the accepted algorithms that goes with it."""
    token = JWTAuth(secret=SECRET, algorithms=["ES256", "HS384", "HS512"]).tokens.worker(TASK)
    assert jwt.get_unverified_header(token) == {"alg": "HS384", "typ": "JWT"}


@pytest.mark.parametrize(
    "changes",
    [
        {"leeway": -1},
        {"renewal_lifetime": 0},
        {"execution_audience": ""},
        {"public_audience": []},
        {"issuer": []},
        {"keys": public_pem(private_key("P-256"))},
    ],
)
def test_unacceptable_arguments(changes: dict[str, Any]) -> None:
    """An argument that cannot work is refused when the authenticator is made."""
    with pytest.raises(ConfigurationError):
        JWTAuth(**{"secret": SECRET, **changes})


def test_two_keys_under_one_name() -> None:
    """Two keys for one algorithm that a token could not tell apart are refused."""
    with pytest.raises(ConfigurationError, match="kid of its own"):
        JWTAuth(secret=SECRET, keys=[Key.shared("n" * 64)])
    with pytest.raises(ConfigurationError, match="kid of its own"):
        JWTAuth(keys=[public_pem(private_key("P-256")), public_pem(private_key("P-256", 1))])


def test_signing_key_that_would_not_verify() -> None:
    """A signing key is refused whose tokens the authenticator itself would refuse."""
    old, new = private_key("P-256"), private_key("P-256", 1)
    with pytest.raises(ConfigurationError, match="not the one that verifies"):
        JWTAuth(keys=[public_pem(old)], signing_key=private_pem(new))
    with pytest.raises(ConfigurationError, match="needs a kid"):
        JWTAuth(
            keys=[Key.pem(public_pem(old), kid="old"), Key.pem(public_pem(new), kid="new")],
            signing_key=private_pem(new),
        ).tokens.worker(TASK)


async def test_signing_key_beside_its_public_key() -> None:
    """A private key may sign under the name of the public key that verifies."""
    old, new = private_key("P-256"), private_key("P-256", 1)
    auth = JWTAuth(
        keys=[Key.pem(public_pem(old), kid="old"), Key.pem(public_pem(new), kid="new")],
        signing_key=Key.pem(private_pem(new), kid="new"),
        clock=Clock(),
    )
    token = auth.tokens.worker(TASK)
    assert jwt.get_unverified_header(token)["kid"] == "new"
    assert await accepts(auth, token)


def test_public_key_cannot_sign() -> None:
    """A public key as signing key is refused, and without a signing key no token is issued."""
    pem = public_pem(private_key("P-256"))
    with pytest.raises(ConfigurationError, match="cannot sign"):
        JWTAuth(signing_key=pem)
    with pytest.raises(ConfigurationError, match="no key that signs"):
        JWTAuth(keys=[pem]).tokens.worker(TASK)


def test_pem_forms(tmp_path: Path) -> None:
    """A PEM key is read from text, bytes, a path or a path's text; a certificate gives its public key."""
    private = private_key("P-384")
    file = tmp_path / "key.pem"
    file.write_text(public_pem(private))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "statemount")])
    begin = datetime(2026, 1, 1, tzinfo=timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, private.public_key(), 1, begin, begin + timedelta(days=1))
        .sign(private, hashes.SHA384())
        .public_bytes(Encoding.PEM)
    )
    for source in (public_pem(private), public_pem(private).encode(), file, str(file), certificate):
        key = Key.pem(source)
        assert (key.algorithm, key.signs) == ("ES384", False)
    assert Key.pem(private_pem(private)).signs


def test_encrypted_pem() -> None:
    """An encrypted private key is read with its password, and refused without it or with another one."""
    pem = private_key("P-256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hush"))
    assert Key.pem(pem, password=b"hush").signs
    for password in (None, b"wrong"):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            Key.pem(pem, password=password)


def test_unreadable_pem(tmp_path: Path) -> None:
    """What is no PEM key, a file that is missing, or a key of another kind is refused."""
    other = dsa.generate_private_key(2048).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    curve = ec.generate_private_key(ec.SECP224R1())
    for source in (
        tmp_path / "missing.pem",
        str(tmp_path),
        "\0",
        b"",
        b"-----BEGIN PUBLIC KEY-----\n",
        other,
        public_pem(curve),
        public_pem(private_key("RSA-1024")),
    ):
        with pytest.raises(ConfigurationError):
            Key.pem(source)


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [
        ("P-256", "ES384"),
        ("P-384", "ES256"),
        ("RSA-2048", "ES256"),
        ("Ed25519", "HS256"),
        ("secp256k1", "ES256"),
        ("P-256", "none"),
    ],
)
def test_algorithm_that_does_not_fit(kind: str, algorithm: str) -> None:
    """A key is refused for an algorithm, or a curve, that is not its own."""
    private = private_key(kind)
    with pytest.raises(ConfigurationError, match="the key goes with"):
        Key.pem(public_pem(private), algorithm=algorithm)
    with pytest.raises(ConfigurationError, match="the key goes with"):
        Key.jwk(public_jwk(private, alg=algorithm))


def test_key_outside_the_accepted_algorithms() -> None:
    """A key for an algorithm that is not accepted is refused."""
    with pytest.raises(ConfigurationError, match="accepted algorithms"):
        JWTAuth(keys=[Key.shared(SECRET)], algorithms=["HS256"])


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kty": "RSA"},
        {"kty": "EC", "crv": "P-256", "x": "!", "y": "!"},
        {"kty": "EC", "crv": "P-256", "x": 1, "y": None},
        {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
        {"kty": "oct"},
        {"kty": "oct", "k": 7},
        {"kty": "oct", "k": "AAAA"},
        {"kty": ["RSA"]},
        {"kty": "magic"},
        {**public_jwk(private_key("P-256")), "kid": 7},
        {**public_jwk(private_key("P-256")), "use": "enc"},
        {**public_jwk(private_key("P-256")), "key_ops": ["encrypt"]},
        {**public_jwk(private_key("P-256")), "alg": ["ES256"]},
    ],
)
def test_unreadable_jwk(data: dict[str, Any]) -> None:
    """A JSON Web Key that is malformed, not for signatures or of an unknown type is refused."""
    with pytest.raises(ConfigurationError):
        Key.jwk(data)


async def test_shared_jwk() -> None:
    """A JSON Web Key of type oct is a shared secret with a kid."""
    data = {"kty": "oct", "k": segment(SECRET.encode()), "alg": "HS256", "kid": "one", "key_ops": ["verify"]}
    for source in (data, jwt.PyJWK(data)):
        auth = JWTAuth(keys=[source], algorithms=["HS256"], clock=Clock())
        header = {"alg": "HS256", "kid": "one"}
        assert await accepts(auth, signed(worker_claims(), header=header, algorithm="HS256"))


def test_repr_masks() -> None:
    """What is printed of an authenticator, a key and an issuer shows no secret."""
    private = private_pem(private_key("P-256"))
    auth = JWTAuth(secret=SECRET, signing_key=private)
    shown = f"{auth!r} {auth.tokens!r} {Key.shared(SECRET)!r} {Key.pem(private)!r} {auth._own!r}"
    assert SECRET not in shown
    assert private.splitlines()[1] not in shown
    assert "HS512" in shown
    assert "ES256" in shown
