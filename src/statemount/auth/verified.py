"""A bounded memory of tokens that were verified."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256

from statemount.interfaces import Identity
from statemount.model import Timestamp

_Entry = tuple[Identity, Timestamp, Timestamp]


def fingerprint(header: bytes) -> bytes:
    """Return what a token is remembered by, so that tokens themselves are not kept in memory."""
    return sha256(header).digest()


class VerifiedTokens:
    """Remembers the identity behind a token for the time that it is valid; what was used lately stays longest.

    Threads may share the object.

    Args:
        size: At most so many tokens.
    """

    def __init__(self, size: int) -> None:
        self._size = max(size, 1)
        self._known: OrderedDict[bytes, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: bytes, now: Timestamp) -> Identity | None:
        """Return the identity behind a token that is valid now, or None."""
        entry = self._known.get(key)
        if entry is None:
            return None
        try:  # noqa: SIM105 - to suppress costs more than to look up
            self._known.move_to_end(key)
        except KeyError:  # another thread has just made room
            pass
        identity, since, until = entry
        return identity if since <= now < until else None

    def add(self, key: bytes, identity: Identity, *, since: Timestamp, until: Timestamp) -> None:
        """Remember the identity behind a token that is valid from ``since`` on and no longer from ``until`` on."""
        self._known[key] = (identity, since, until)
        self._known.move_to_end(key)
        if len(self._known) > self._size:
            self._known.popitem(last=False)
