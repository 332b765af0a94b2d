"""Whatever a client sends as a token, the answer is one of our errors or an identity."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemount.auth import DefaultAuthorizer, JWTAuth
from statemount.errors import AuthenticationError, ForbiddenError, InvalidTokenError
from statemount.interfaces import RouteSet
from statemount.model import Asset
from tests.auth.support import (
    SECRET,
    TASK,
    Clock,
    accepts,
    bearer,
    identify,
    private_key,
    public_claims,
    public_pem,
    request,
    segment,
    signed,
    worker_claims,
)

pytestmark = pytest.mark.anyio

GOOD = signed(worker_claims())
HEADER, PAYLOAD, SIGNATURE = GOOD.split(".")


@pytest.mark.parametrize(
    "token",
    [
        ".", "..", "...", "a.b", "a.b.c", f"{HEADER}.{PAYLOAD}", f"{HEADER}.{PAYLOAD}.", f".{PAYLOAD}.{SIGNATURE}",
        f"{HEADER}..{SIGNATURE}", f"{GOOD}.", f".{GOOD}", f"{GOOD}.{SIGNATURE}", f"{HEADER}.{GOOD}.{SIGNATURE}",
        f"{GOOD}=", f"{GOOD}==", f"{GOOD} {GOOD}", f"{HEADER}.{PAYLOAD}.{SIGNATURE[:-1]}", f"{GOOD}A", f"{GOOD}\x00",
        f"{HEADER}.{PAYLOAD}.{SIGNATURE[:-1]}+", f"{HEADER}.{PAYLOAD}\n.{SIGNATURE}", f"é{GOOD}", "\udcff",
        f"{HEADER}!.{PAYLOAD}.{SIGNATURE}",
    ],
)  # fmt: skip
async def test_not_compact(token: str) -> None:
    """A token that is not three segments of unpadded base64url is refused."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    with pytest.raises(InvalidTokenError):
        await auth.authenticate(request(b"Bearer " + token.encode("utf-8", "surrogateescape")), "execution")


async def test_second_spelling_of_a_signature() -> None:
    """A signature whose spare bits are not zero is refused: a token has one spelling."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    auth = JWTAuth(secret=SECRET, clock=Clock())
    other = alphabet[alphabet.index(GOOD[-1]) ^ 1]
    assert await accepts(auth, GOOD)
    with pytest.raises(InvalidTokenError, match="base64url"):
        await identify(auth, GOOD[:-1] + other)


@pytest.mark.parametrize(
    "header",
    [
        {}, [], None, 7, "HS512", b"", b"{", b"\xff", b"[" * 9000, b'{"alg":"HS512"', b'{"alg": NaN}', {"alg": None},
        {"alg": ["HS512"]}, {"alg": {"HS512": 1}}, {"alg": 512}, {"alg": True},
        {"alg": "HS512", "kid": 7}, {"alg": "HS512", "kid": ["a"]}, {"alg": "HS512", "kid": {}},
        {"alg": "HS512", "crit": ["exp"]}, {"alg": "HS512", "crit": []}, {"alg": "HS512", "crit": None},
        {"alg": "HS512", "crit": ["b64"], "b64": True}, {"alg": "HS512", "b64": False}, {"alg": "HS512", "b64": None},
    ],
    ids=repr,
)  # fmt: skip
async def test_hostile_header(header: Any) -> None:
    """A header that is no object, names no algorithm or demands an extension is refused, though the signature fits."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    with pytest.raises(InvalidTokenError):
        await identify(auth, signed(worker_claims(), header=header))


@pytest.mark.parametrize(
    "payload",
    [
        [],
        None,
        7,
        "claims",
        [worker_claims()],
        b"{",
        b"\xff",
        b"[" * 9000,
        b'{"a":' * 2000,
        json.dumps(worker_claims()).encode("utf-16"),
        b" ",
    ],
    ids=lambda p: repr(p)[:20],
)
async def test_payload_that_is_no_object(payload: Any) -> None:
    """A signed payload that is no JSON object is refused."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    for route_set in ("execution", "public"):
        with pytest.raises(InvalidTokenError):
            await identify(auth, signed(payload), route_set)


@pytest.mark.parametrize("name", ["exp", "nbf"])
async def test_last_of_a_repeated_claim(name: str) -> None:
    """Of a claim that stands twice the last one counts, for every check alike."""
    auth = JWTAuth(secret=SECRET, clock=Clock())
    text = json.dumps(worker_claims())
    for value, accepted in ((worker_claims()[name], True), ("null", False)):
        token = signed(f'{{"{name}": 1, {text[1:-1]}, "{name}": {value}}}'.encode())
        if accepted:
            assert (await identify(auth, token)).claims[name] == value
        else:
            with pytest.raises(InvalidTokenError):
                await identify(auth, token)


def outcome(auth: JWTAuth, header: bytes, route_set: RouteSet) -> bool:
    """Return whether an Authorization header is accepted; fail on anything but our errors."""
    try:
        identity = asyncio.run(auth.authenticate(request(header), route_set))
    except (AuthenticationError, ForbiddenError):
        return False
    auth.renew(identity)
    with suppress(ForbiddenError):
        DefaultAuthorizer().check_asset(identity, Asset(1, "a", "b"), frozenset(), "read")
    return True


AUTH = JWTAuth(
    secret=SECRET,
    keys=[public_pem(private_key(kind)) for kind in ("RSA-2048", "P-256", "Ed25519")],
    watchers=True,
    clock=Clock(),
)
ROUTE_SETS: st.SearchStrategy[RouteSet] = st.sampled_from(["execution", "public"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([str(TASK), "execution"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
ALGORITHMS = st.sampled_from(["HS512", "HS256", "RS256", "PS256", "ES256", "EdDSA", "none", ""])


@given(st.binary(max_size=200), st.booleans(), ROUTE_SETS)
def test_random_bytes(data: bytes, has_scheme: bool, route_set: RouteSet) -> None:
    """Random bytes are never accepted, and give our errors."""
    assert not outcome(AUTH, b"Bearer " + data if has_scheme else data, route_set)


@given(st.lists(st.binary(max_size=60).map(segment) | st.text(max_size=9), min_size=1, max_size=4), ROUTE_SETS)
def test_random_segments(parts: list[str], route_set: RouteSet) -> None:
    """Random segments are never accepted, and give our errors."""
    assert not outcome(AUTH, b"Bearer " + ".".join(parts).encode("utf-8", "replace"), route_set)


@given(
    ALGORITHMS,
    st.dictionaries(st.sampled_from(["kid", "typ", "jwk", "jku", "b64", "x"]), JSON, max_size=3),
    st.binary(min_size=1, max_size=140),
    ROUTE_SETS,
)
def test_random_signatures(algorithm: str, header: dict[str, Any], signature: bytes, route_set: RouteSet) -> None:
    """A random signature is never accepted, for any algorithm and header."""
    token = f"{segment({**header, 'alg': algorithm})}.{segment(worker_claims())}.{segment(signature)}"
    assert not outcome(AUTH, f"Bearer {token}".encode(), route_set)


@given(
    st.dictionaries(st.sampled_from(["sub", "aud", "exp", "iat", "nbf", "iss", "scope", "jti", "assets"]), JSON),
    ROUTE_SETS,
)
def test_random_claims(changes: dict[str, Any], route_set: RouteSet) -> None:
    """Random claims under a good signature give an identity or our errors, also when renewed and authorised."""
    base = worker_claims() if route_set == "execution" else public_claims()
    accepted = outcome(AUTH, f"Bearer {signed({**base, **changes})}".encode(), route_set)
    assert accepted or changes


@given(JSON, ROUTE_SETS)
def test_random_payload(payload: Any, route_set: RouteSet) -> None:
    """A random JSON payload under a good signature is never accepted."""
    assert not outcome(AUTH, f"Bearer {signed(payload)}".encode(), route_set)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 7))
def test_flipped_bit(position: int, bit: int) -> None:
    """A good token with one bit flipped is refused."""
    header = bytearray(f"Bearer {GOOD}".encode())
    header[7 + position] ^= 1 << bit
    assert not outcome(AUTH, bytes(header), "execution")


async def test_deep_claims_are_not_renewed() -> None:
    """Claims that cannot be written again, however they came to be verified, are not renewed; the request goes on."""
    clock = Clock()
    auth = JWTAuth(secret=SECRET, clock=clock)
    payload = json.dumps(worker_claims())[:-1].encode() + b', "extra": 1e400}'
    identity = await auth.authenticate(bearer(signed(payload)), "execution")
    clock.seconds += 590
    assert auth.renew(identity) is None
