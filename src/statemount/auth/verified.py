"""A bounded memory of tokens that were verified."""

from __future__ import annotations

from hashlib import sha256

from statemount.interfaces import Identity
from statemount.model import Timestamp

_Entry = tuple[Identity, Timestamp, Timestamp]


def fingerprint(header: bytes) -> bytes:
    """Return what a token is remembered by, so that tokens themselves are not kept in memory."""
    return sha256(header).digest()


class VerifiedTokens:
    """Remembers the identity behind a token for the time that it is valid; what was used lately stays longest.

    Entries live in two generations: one that is full becomes the old one, and what is used in the old one moves to
    the young one. A hit is one look-up in a dict, and threads may share the object.

    Args:
        size: At most so many tokens.
    """

    def __init__(self, size: int) -> None:
        self._half = max(size // 2, 1)
        self._young: dict[bytes, _Entry] = {}
        self._old: dict[bytes, _Entry] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: bytes, now: Timestamp) -> Identity | None:
        """Return the identity behind a token that is valid now, or None."""
        entry = self._young.get(key)
        if entry is None:
            entry = self._old.pop(key, None)
            if entry is None:
                return None
            self._add(key, entry)
        identity, since, until = entry
        return identity if since <= now < until else None

    def add(self, key: bytes, identity: Identity, *, since: Timestamp, until: Timestamp) -> None:
        """Remember the identity behind a token that is valid from ``since`` on and no longer from ``until`` on."""
        self._old.pop(key, None)
        self._add(key, (identity, since, until))

    def _add(self, key: bytes, entry: _Entry) -> None:
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[key] = entry
