"""The compact form of a signed token (RFC 7515), read strictly and written."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from statemount.auth.keys import Key
from statemount.errors import InvalidTokenError

_COMPACT = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token in its parts; nothing about it is verified.

    Args:
        message: What the signature is of.
    """

    algorithm: str
    kid: str | None
    message: bytes
    payload: bytes
    signature: bytes


def parse(token: bytes) -> SignedToken:
    """Return the parts of a token.

    Raises:
        InvalidTokenError: It is not three segments of unpadded base64url, or its header is not one that we understand.
    """
    match = _COMPACT.fullmatch(token)
    if match is None:
        raise InvalidTokenError("the token is not in the compact form of a signed token")
    header = read_object(_decode(match[1]), "header")
    if "crit" in header or header.get("b64", True) is not True:
        raise InvalidTokenError("the token's header demands an extension")
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str):
        raise InvalidTokenError("the token's header names no algorithm")
    if kid is not None and not isinstance(kid, str):
        raise InvalidTokenError("the token's kid is not a string")
    return SignedToken(algorithm, kid, token[: match.end(2)], _decode(match[2]), _decode(match[3]))


def serialise(claims: Mapping[str, Any], key: Key) -> str:
    """Return a signed token.

    Raises:
        ConfigurationError: The key cannot sign.
        ValueError: A claim is no JSON.
    """
    header = {"alg": key.algorithm, "typ": "JWT"}
    if key.kid is not None:
        header["kid"] = key.kid
    message = b".".join(
        _encode(json.dumps(part, separators=(",", ":"), allow_nan=False).encode()) for part in (header, dict(claims))
    )
    return (message + b"." + _encode(key.sign(message))).decode()


def read_object(data: bytes, what: str) -> dict[str, Any]:
    """Return the JSON object that a part of a token is.

    Raises:
        InvalidTokenError: It is none.
    """
    try:
        value = json.loads(data.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise InvalidTokenError(f"the token's {what} is no JSON") from None
    if not isinstance(value, dict):
        raise InvalidTokenError(f"the token's {what} is no JSON object")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _decode(segment: bytes) -> bytes:
    try:
        data = urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
    except ValueError:
        data = b""
    if _encode(data) != segment:  # spare bits that are not zero: one token would have several spellings
        raise InvalidTokenError("a segment of the token is no base64url")
    return data


def _encode(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
