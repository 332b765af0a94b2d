"""The compact form of a signed token (RFC 7515), read strictly and written."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from binascii import a2b_base64
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from statemount.auth.keys import Key
from statemount.errors import InvalidTokenError

_COMPACT = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


class SignedToken(NamedTuple):
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
    algorithm, kid = _names_in(match[1])
    return SignedToken(algorithm, kid, token[: match.end(2)], _decode(match[2]), _decode(match[3]))


@lru_cache(maxsize=64)
def _names_in(segment: bytes) -> tuple[str, str | None]:
    """Return the algorithm and the key's name in a header. There are as many headers as there are keys."""
    header = read_object(_decode(segment), "header")
    if "crit" in header or header.get("b64", True) is not True:
        raise InvalidTokenError("the token's header demands an extension")
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str):
        raise InvalidTokenError("the token's header names no algorithm")
    if kid is not None and not isinstance(kid, str):
        raise InvalidTokenError("the token's kid is not a string")
    return algorithm, kid


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
        value = _read(data.decode())
    except (ValueError, RecursionError):
        raise InvalidTokenError(f"the token's {what} is no JSON") from None
    if not isinstance(value, dict):
        raise InvalidTokenError(f"the token's {what} is no JSON object")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


_decoder = json.JSONDecoder(parse_constant=_refuse)  # json.loads would make one for every call


def _read(text: str) -> Any:
    """Decode as the decoder does, which looks for blanks around the value first: there are none most of the time."""
    if text[:1] == "{":
        value, end = _decoder.raw_decode(text)
        if end == len(text):
            return value
    return _decoder.decode(text)


# The last character of a segment has bits to spare. They must be zero: one token would have several spellings.
_LAST = (None, b"", b"AQgw", b"AEIMQUYcgkosw048")
_PADDING = (b"", b"", b"==", b"=")
_STANDARD = bytes.maketrans(b"-_", b"+/")


def _decode(segment: bytes) -> bytes:
    """Return what a segment of base64url characters stands for."""
    possible = _LAST[len(segment) % 4]
    if possible is not None and segment[-1] not in possible:
        raise InvalidTokenError("a segment of the token is no base64url")
    return a2b_base64(segment.translate(_STANDARD) + _PADDING[len(segment) % 4])


def _encode(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
