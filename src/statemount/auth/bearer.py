"""The bearer token of a request (RFC 6750), straight from the ASGI scope."""

from __future__ import annotations

from statemount.errors import AuthenticationError, InvalidTokenError
from statemount.interfaces import AsgiScope

MAX_HEADER_BYTES = 16 * 1024
"""Longest ``Authorization`` header that is looked at."""


def authorization_header(asgi_scope: AsgiScope) -> bytes:
    """Return the value of the only ``Authorization`` header.

    Raises:
        AuthenticationError: There is none.
        InvalidTokenError: There are several, or it is longer than :data:`MAX_HEADER_BYTES`.
    """
    found: bytes | None = None
    for name, value in asgi_scope["headers"]:
        if name == b"authorization":
            if found is not None:
                count = sum(name == b"authorization" for name, _ in asgi_scope["headers"])
                raise InvalidTokenError(f"{count} Authorization headers")
            found = value
    if found is None:
        raise AuthenticationError("no Authorization header")
    if len(found) > MAX_HEADER_BYTES:
        raise InvalidTokenError(f"the Authorization header is longer than {MAX_HEADER_BYTES} bytes")
    return found


def bearer_token(header: bytes) -> bytes:
    """Return the token of an ``Authorization`` header; the scheme's case does not matter.

    Raises:
        AuthenticationError: The scheme is not ``Bearer``, or there is no token.
    """
    scheme, _, token = header.strip(b" \t").partition(b" ")
    if scheme.lower() != b"bearer":
        raise AuthenticationError("the Authorization header is not of the Bearer scheme")
    token = token.strip(b" \t")
    if not token:
        raise AuthenticationError("the Bearer token is empty")
    return token
