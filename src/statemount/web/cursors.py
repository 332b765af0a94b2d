"""Cursors: places in a list, as texts that mean something to nobody else.

A cursor is a key and no more, so that it leads nowhere but into the list that it is used with. It has a check sum,
over the list's prefix too: one that was cut or made up, or that belongs to another prefix, is refused rather than
silently taken for another place.
"""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from hashlib import sha256

from statemount.model import MAX_KEY_LENGTH

_CHECK_SUM_BYTES = 6
_NO_CURSOR = "no list with this prefix has given this cursor"


def cursor_after(key: str, prefix: str) -> str:
    """Return the cursor that stands behind a key of a list by prefix, in characters that a URL may hold."""
    begin = prefix.encode()
    rest = key.encode()[len(begin) :]
    return urlsafe_b64encode(_check_sum(begin, rest) + rest).rstrip(b"=").decode()


def key_of(cursor: str, prefix: str) -> str:
    """Return the key behind which a cursor stands.

    Raises:
        ValueError: It is no cursor of such a list.
    """
    try:
        decoded = b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key = (prefix.encode() + decoded[_CHECK_SUM_BYTES:]).decode()
    except ValueError as error:
        raise ValueError(_NO_CURSOR) from error
    if cursor_after(key, prefix) != cursor or not 0 < len(key) <= MAX_KEY_LENGTH or "\0" in key:
        raise ValueError(_NO_CURSOR)
    return key


def _check_sum(prefix: bytes, rest: bytes) -> bytes:
    return sha256(b"cursor %d %b%b" % (len(prefix), prefix, rest)).digest()[:_CHECK_SUM_BYTES]
