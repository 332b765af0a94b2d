"""The store's SQL for SQLite >= 3.35. Parameters are ``?``; locking is ``BEGIN IMMEDIATE``."""

from __future__ import annotations

from collections.abc import Sequence

from statemount.database.query import Query, Script
from statemount.database.rows import NewScope, WriteSet
from statemount.database.schema import TableNames
from statemount.database.statements.base import StoreStatements
from statemount.model import Timestamp


class SQLiteStatements(StoreStatements):
    """Small statements, run one by one: on the connection's thread there is no round trip to save."""

    def __init__(self, tables: TableNames) -> None:
        super().__init__(tables)
        t = tables
        self._read_by_id = (
            "SELECT scope_id, key, value, updated_at, revision, expires_at, writer"
            f" FROM {t.entry} WHERE scope_id = ? AND key = ?"
        )
        self._read_by_digest = (
            "SELECT s.digest, s.id, e.key, e.value, e.updated_at, e.revision, e.expires_at, e.writer"
            f" FROM {t.scope} s LEFT JOIN {t.entry} e ON e.scope_id = s.id AND e.key = ?2 WHERE s.digest = ?1"
        )
        self._list_page = (
            "SELECT s.revision,"
            f" (SELECT count(*) FROM {t.entry} c WHERE c.scope_id = s.id"
            " AND (c.expires_at IS NULL OR c.expires_at > ?2)),"
            " e.key, e.value, e.updated_at, e.revision, e.expires_at, e.writer"
            f" FROM {t.scope} s LEFT JOIN (SELECT p.* FROM {t.entry} p JOIN {t.scope} q ON q.id = p.scope_id"
            " WHERE q.digest = ?1 AND (p.expires_at IS NULL OR p.expires_at > ?2) ORDER BY p.key LIMIT ?3 OFFSET ?4) e"
            " ON e.scope_id = s.id WHERE s.digest = ?1 ORDER BY e.key"
        )
        self._changes = (
            "SELECT c.revision, c.kind, c.key, c.changed_at, c.writer, c.size, c.value, c.expires_at"
            f" FROM {t.scope} s JOIN {t.change} c ON c.scope_id = s.id"
            " WHERE s.digest = ? AND c.revision > ? ORDER BY c.revision LIMIT ?"
        )
        self._find_scope = (
            f"SELECT s.digest, s.id FROM {t.scope} s WHERE s.digest = ? AND NOT EXISTS"
            f" (SELECT 1 FROM {t.dropped_run} d WHERE d.run_digest = s.run_digest AND d.expires_at > ?)"
        )
        self._find_task = f"SELECT digest, id FROM {t.scope} WHERE task_digest = ?"
        self._find_run = f"SELECT digest, id FROM {t.scope} WHERE run_digest = ?"
        self._create_scope = (
            f"INSERT INTO {t.scope} (kind, dag_id, run_id, task_id, map_index, asset_id, digest, run_digest,"
            " task_digest, revision, updated_at, entries, size)"
            " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, 0 WHERE NOT EXISTS"
            f" (SELECT 1 FROM {t.dropped_run} d WHERE d.run_digest = ?8 AND d.expires_at > ?12)"
            " ON CONFLICT (digest) DO NOTHING"
        )
        self._lock_scope = f"SELECT id, revision, updated_at, entries, size FROM {t.scope} WHERE id = ?"
        self._count_live = (
            f"SELECT scope_id, count(*) FROM {t.entry}"
            " WHERE scope_id = ? AND (expires_at IS NULL OR expires_at > ?) GROUP BY scope_id"
        )
        self._read_known = (
            f"SELECT scope_id, key, revision, expires_at, length(value) FROM {t.entry} WHERE scope_id = ? AND key = ?"
        )
        self._clear = f"DELETE FROM {t.entry} WHERE scope_id = ?"
        self._delete = f"DELETE FROM {t.entry} WHERE scope_id = ? AND key = ?"
        self._upsert = (
            f"INSERT INTO {t.entry} (scope_id, key, value, updated_at, revision, expires_at, writer)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (scope_id, key) DO UPDATE SET value = excluded.value,"
            " updated_at = excluded.updated_at, revision = excluded.revision, expires_at = excluded.expires_at,"
            " writer = excluded.writer"
        )
        self._log = (
            f"INSERT INTO {t.change} (scope_id, revision, kind, key, changed_at, writer, size, value, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        self._update_scope = (
            f"UPDATE {t.scope} SET revision = ?2, updated_at = ?3, entries = ?4, size = ?5 WHERE id = ?1"
        )
        self._expired = f"SELECT scope_id, key FROM {t.entry} WHERE expires_at <= ? ORDER BY expires_at LIMIT ?"
        self._expired_in = f"SELECT scope_id, key FROM {t.entry} WHERE scope_id = ? AND expires_at <= ? LIMIT ?"
        self._count_expired = f"SELECT count(*) FROM {t.entry} WHERE expires_at <= ?"
        self._old_tombstones = f"SELECT 1 FROM {t.dropped_run} WHERE expires_at <= ? LIMIT 1"
        self._forget_tombstones = f"DELETE FROM {t.dropped_run} WHERE expires_at <= ?"
        self._put_tombstone = (
            f"INSERT INTO {t.dropped_run} (run_digest, expires_at) VALUES (?, ?)"
            " ON CONFLICT (run_digest) DO UPDATE SET expires_at = excluded.expires_at"
        )
        self._drop = [
            f"DELETE FROM {t.change} WHERE scope_id = ?",
            f"DELETE FROM {t.entry} WHERE scope_id = ?",
            f"DELETE FROM {t.scope} WHERE id = ?",
        ]
        self._ping = f"SELECT 1 FROM {t.scope} LIMIT 1"

    def read_by_id(self, pairs: Sequence[tuple[int, bytes]]) -> Query:
        return Query(self._read_by_id, pairs, "each")

    def read_by_digest(self, pairs: Sequence[tuple[bytes, bytes]]) -> Query:
        return Query(self._read_by_digest, pairs, "each")

    def list_page(self, digest: bytes, now: Timestamp, limit: int, offset: int) -> Query:
        return Query(self._list_page, (digest, now, limit, offset))

    def changes(self, digest: bytes, after: int, limit: int) -> Query:
        return Query(self._changes, (digest, after, limit))

    def find_scopes(self, digests: Sequence[bytes], now: Timestamp) -> Query:
        return Query(self._find_scope, [(digest, now) for digest in digests], "each")

    def find_task(self, task_digest: bytes) -> Query:
        return Query(self._find_task, (task_digest,))

    def find_run(self, run_digest: bytes) -> Query:
        return Query(self._find_run, (run_digest,))

    def create_scopes(self, scopes: Sequence[NewScope], now: Timestamp) -> Query:
        return Query(self._create_scope, [(*scope, now) for scope in scopes], "many")

    def lock_scopes(self, ids: Sequence[int]) -> Query:
        return Query(self._lock_scope, [(scope_id,) for scope_id in ids], "each")

    def lock_free_scopes(self, ids: Sequence[int]) -> Query:
        return self.lock_scopes(ids)  # the transaction has locked everything

    def count_live(self, ids: Sequence[int], now: Timestamp) -> Query:
        return Query(self._count_live, [(scope_id, now) for scope_id in ids], "each")

    def read_known(self, pairs: Sequence[tuple[int, bytes]]) -> Query:
        return Query(self._read_known, pairs, "each")

    def write(self, rows: WriteSet) -> Script[None]:
        if rows.clears:
            yield Query(self._clear, [(scope_id,) for scope_id in rows.clears], "many")
        if rows.deletes:
            yield Query(self._delete, rows.deletes, "many")
        if rows.upserts:
            yield Query(self._upsert, rows.upserts, "many")
        if rows.changes:
            yield Query(self._log, rows.changes, "many")
        if rows.scopes:
            yield Query(self._update_scope, rows.scopes, "many")

    def expired(self, now: Timestamp, limit: int) -> Query:
        return Query(self._expired, (now, limit))

    def expired_in(self, scope_id: int, now: Timestamp, limit: int) -> Query:
        return Query(self._expired_in, (scope_id, now, limit))

    def count_expired(self, now: Timestamp) -> Query:
        return Query(self._count_expired, (now,))

    def old_tombstones(self, now: Timestamp) -> Query:
        return Query(self._old_tombstones, (now,))

    def forget_tombstones(self, now: Timestamp) -> Query:
        return Query(self._forget_tombstones, (now,))

    def put_tombstone(self, run_digest: bytes, until: Timestamp, now: Timestamp) -> Script[None]:
        yield self.forget_tombstones(now)
        yield Query(self._put_tombstone, (run_digest, until))

    def drop_scopes(self, ids: Sequence[int]) -> Script[None]:
        for sql in self._drop:
            yield Query(sql, [(scope_id,) for scope_id in ids], "many")

    def ping(self) -> Query:
        return Query(self._ping)
