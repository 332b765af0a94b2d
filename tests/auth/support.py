"""What the tests of authentication share: a clock to set, requests, keys, and tokens written by hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from functools import cache
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from statemount.auth import JWTAuth
from statemount.errors import InvalidTokenError
from statemount.interfaces import AsgiScope, Identity, RouteSet

NOW = 1_800_000_000
"""When tests begin, in seconds since the epoch."""

SECRET = "a secret of sixty-four bytes, as RFC 7518 asks for with HMAC-512"
TASK = UUID("0197f3a0-1111-7000-8000-00000000abcd")
AUDIENCE = "urn:airflow.apache.org:task"


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.seconds: float = NOW

    def __call__(self) -> int:
        return int(self.seconds * 1_000_000)


def request(*authorization: str | bytes) -> AsgiScope:
    """Return the ASGI scope of a request with these Authorization headers."""
    values = [value.encode() if isinstance(value, str) else value for value in authorization]
    headers = [(b"host", b"localhost"), (b"accept", b"*/*"), *((b"authorization", value) for value in values)]
    return {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}


def bearer(token: str) -> AsgiScope:
    """Return the ASGI scope of a request with a bearer token."""
    return request(f"Bearer {token}")


async def identify(auth: JWTAuth, token: str, route_set: RouteSet = "execution") -> Identity:
    """Return the identity that a token gives."""
    return await auth.authenticate(bearer(token), route_set)


async def accepts(auth: JWTAuth, token: str, route_set: RouteSet = "execution") -> bool:
    """Tell whether a token is accepted."""
    try:
        await identify(auth, token, route_set)
    except InvalidTokenError:
        return False
    return True


def worker_claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a worker's token that is good; a change to ``...`` leaves a claim out."""
    claims = {"sub": str(TASK), "aud": AUDIENCE, "iat": NOW, "nbf": NOW, "exp": NOW + 600, "scope": "execution"}
    return {name: value for name, value in {**claims, **changes}.items() if value is not ...}


def public_claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a token for the public API that is good; a change to ``...`` leaves a claim out."""
    return worker_claims(**{"sub": "ann", "aud": "apache-airflow", "scope": "state:read state:write", **changes})


def segment(part: Any) -> str:
    """Return base64url of bytes, or of the JSON of anything else."""
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(payload: Any, *, secret: str | bytes = SECRET, header: Any = ..., algorithm: str = "HS512") -> str:
    """Return a token signed with HMAC, whatever its header and payload are."""
    message = f"{segment({'alg': algorithm, 'typ': 'JWT'} if header is ... else header)}.{segment(payload)}"
    key = secret.encode() if isinstance(secret, str) else secret
    return f"{message}.{segment(hmac.digest(key, message.encode(), getattr(hashlib, f'sha{algorithm[2:]}')))}"


PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


@cache
def private_key(kind: str, serial: int = 0) -> PrivateKey:
    """Return a new key of a kind; the same one for the same serial number."""
    curves = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(), "secp256k1": ec.SECP256K1()}
    if kind in curves:
        return ec.generate_private_key(curves[kind])
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "Ed448":
        return ed448.Ed448PrivateKey.generate()
    return rsa.generate_private_key(65537, int(kind.removeprefix("RSA-")))


def private_pem(key: PrivateKey) -> str:
    """Return a private key as PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: PrivateKey) -> str:
    """Return the public half of a key as PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def public_jwk(key: PrivateKey, **members: Any) -> Mapping[str, Any]:
    """Return the public half of a key as a JSON Web Key."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e), **members}
    if isinstance(public, ec.EllipticCurvePublicKey):
        point = public.public_numbers()
        size = (public.key_size + 7) // 8
        curve = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}.get(public.curve.name, "secp256k1")
        return {"kty": "EC", "crv": curve, "x": _number(point.x, size), "y": _number(point.y, size), **members}
    curve = "Ed25519" if isinstance(public, ed25519.Ed25519PublicKey) else "Ed448"
    return {"kty": "OKP", "crv": curve, "x": segment(public.public_bytes(Encoding.Raw, PublicFormat.Raw)), **members}


def _number(value: int, size: int | None = None) -> str:
    return segment(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))
