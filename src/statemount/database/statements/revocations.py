"""The SQL of revoked credentials: tombstones, by digests that no run has."""

from __future__ import annotations

from collections.abc import Sequence

from statemount.database.query import Query
from statemount.database.schema import TableNames
from statemount.database.statements.styles import style_of
from statemount.model import Timestamp

_LATER = {
    "sqlite": "ON CONFLICT (run_digest) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)",
    "postgresql": "ON CONFLICT (run_digest) DO UPDATE SET expires_at = greatest(t.expires_at, excluded.expires_at)",
    "mysql": "ON DUPLICATE KEY UPDATE expires_at = greatest(expires_at, VALUES(expires_at))",
}
_MOST = 4
"""How many credentials an identity has at most."""


class RevocationStatements:
    """The statements of revoked credentials. A method's docstring names the columns of the rows that come back.

    Args:
        dialect: ``sqlite``, ``postgresql`` or ``mysql``.
    """

    def __init__(self, dialect: str, tables: TableNames) -> None:
        style, table = style_of(dialect), tables.dropped_run
        alias = " AS t" if dialect == "postgresql" else ""
        self._put = style(f"INSERT INTO {table}{alias} (run_digest, expires_at) VALUES (?, ?) {_LATER[dialect]}")
        self._forget = style(f"DELETE FROM {table} WHERE expires_at <= ?")
        self._any = style(f"SELECT 1 FROM {table} WHERE expires_at > ? LIMIT 1")
        marks = ", ".join("?" * _MOST)
        self._any_of = style(f"SELECT 1 FROM {table} WHERE run_digest IN ({marks}) AND expires_at > ? LIMIT 1")

    def put(self, digest: bytes, until: Timestamp) -> Query:
        """Note a credential; of two times the later one counts."""
        return Query(self._put, (digest, until))

    def forget(self, now: Timestamp) -> Query:
        """Remove what is over."""
        return Query(self._forget, (now,))

    def any(self, now: Timestamp) -> Query:
        """Rows: one if anything is noted, be it a dropped run."""
        return Query(self._any, (now,))

    def any_of(self, digests: Sequence[bytes], now: Timestamp) -> Query:
        """Rows: one if one of these, at most four, is noted."""
        return Query(self._any_of, (*digests, *[digests[-1]] * (_MOST - len(digests)), now))
