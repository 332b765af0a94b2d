"""The store's SQL for PostgreSQL >= 13. Parameters are ``$n``; many rows travel as arrays, in one round trip."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from statemount.database.query import Query, Row, Script
from statemount.database.rows import EntryColumns, NewScope, Part, ScopeRow, WriteSet
from statemount.database.schema import TableNames
from statemount.database.statements.base import PartStatements, StoreStatements, page_statements
from statemount.database.statements.columns import MOST_BYTES, UnpackableError, columns_of, decoded, names_of, wanted_of
from statemount.database.statements.styles import numbered
from statemount.model import EntryColumn, Timestamp


class PostgreSQLStatements(StoreStatements, PartStatements):
    """Each statement takes arrays, so that its text is the same for one row and for many.

    What the arrays name is looked up row by row in an index, whatever the planner thinks of how many rows a table has:
    of one that has grown since it was last analysed it thinks wrong, and would read the whole of it. A subquery with
    ``OFFSET 0`` is such a look-up, for it is not merged with the rest, nor is one in NOT EXISTS; what is to be deleted
    is found so, and deleted by its place (``ctid``).
    """

    def __init__(self, tables: TableNames) -> None:
        super().__init__(tables, numbered)
        t = tables
        pairs = "unnest($1::bigint[], $2::bytea[])"
        entry = f"(SELECT * FROM {t.entry} f WHERE f.scope_id = p.scope_id AND f.key = p.key OFFSET 0) e"
        self._read_by_id = (
            "SELECT e.scope_id, e.key, e.value, e.updated_at, e.revision, e.expires_at, e.writer"
            f" FROM {pairs} AS p (scope_id, key) CROSS JOIN LATERAL {entry}"
        )
        self._look_up = (
            "SELECT p.number - 1, e.value, e.updated_at, e.revision, e.expires_at, e.writer"
            f" FROM {pairs} WITH ORDINALITY AS p (scope_id, key, number) CROSS JOIN LATERAL {entry}"
        )
        self._read_by_digest = (
            "SELECT s.digest, s.id, e.key, e.value, e.updated_at, e.revision, e.expires_at, e.writer"
            f" FROM unnest($1::bytea[], $2::bytea[]) AS p (digest, key) CROSS JOIN LATERAL {_scope(t, 'p.digest')}"
            f" LEFT JOIN LATERAL {entry.replace('p.scope_id', 's.id')} ON true"
        )
        self._list_page = page_statements(self._page)
        self._list_columns = cache(self._make_columns)
        self._find_revisions = f"SELECT digest, id, revision FROM {t.scope} WHERE digest = ANY ($1::bytea[])"
        self._revisions = f"SELECT id, revision FROM {t.scope} WHERE id = ANY ($1::bigint[])"
        self._tails = (
            "SELECT s.digest, s.revision, c.revision, c.kind, c.key, c.changed_at, c.writer, c.size, c.value,"
            " c.expires_at FROM unnest($1::bytea[], $2::bigint[]) AS p (digest, after)"
            f" CROSS JOIN LATERAL {_scope(t, 'p.digest')} LEFT JOIN LATERAL (SELECT * FROM {t.change} l"
            " WHERE l.scope_id = s.id AND l.revision > p.after ORDER BY l.revision LIMIT $3) c ON true"
            " ORDER BY s.id, c.revision"
        )
        self._find_scopes = (
            "SELECT s.digest, s.id FROM unnest($1::bytea[]) AS p (digest)"
            f" CROSS JOIN LATERAL {_scope(t, 'p.digest')} WHERE NOT EXISTS"
            f" (SELECT 1 FROM {t.dropped_run} d WHERE d.run_digest = s.run_digest AND d.expires_at > $2 OFFSET 0)"
        )
        self._create_scopes = (
            f"INSERT INTO {t.scope} (kind, dag_id, run_id, task_id, map_index, asset_id, digest, run_digest,"
            " task_digest, revision, updated_at, entries, size)"
            " SELECT n.*, 0, 0 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],"
            " $7::bytea[], $8::bytea[], $9::bytea[], $10::bigint[], $11::bigint[]) AS n (kind, dag_id, run_id, task_id,"
            " map_index, asset_id, digest, run_digest, task_digest, revision, updated_at)"
            f" WHERE NOT EXISTS (SELECT 1 FROM {t.dropped_run} d WHERE d.run_digest = n.run_digest"
            " AND d.expires_at > $12 OFFSET 0) ORDER BY n.digest ON CONFLICT (digest) DO NOTHING"
        )
        self._lock_scopes = (
            f"SELECT id, revision, updated_at, entries, size FROM {t.scope}"
            " WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE"
        )
        self._lock_free_scopes = f"{self._lock_scopes} SKIP LOCKED"
        self._count_live = (
            f"SELECT scope_id, count(*) FROM {t.entry} WHERE scope_id = ANY ($1::bigint[])"
            " AND (expires_at IS NULL OR expires_at > $2) GROUP BY scope_id"
        )
        self._read_known = (
            "SELECT e.scope_id, e.key, e.revision, e.expires_at, octet_length(e.value)"
            f" FROM {pairs} AS p (scope_id, key) CROSS JOIN LATERAL {entry}"
        )
        self._clear = f"DELETE FROM {t.entry} WHERE scope_id = ANY ($1::bigint[])"
        self._delete = (
            f"DELETE FROM {t.entry} WHERE ctid = ANY (ARRAY (SELECT e.place FROM {pairs} AS p (scope_id, key)"
            f" CROSS JOIN LATERAL {entry.replace('*', 'f.ctid AS place')}))"
        )
        upsert = (
            f"INSERT INTO {t.entry} (scope_id, key, value, updated_at, revision, expires_at, writer)"
            " SELECT * FROM unnest(?::bigint[], ?::bytea[], ?::text[], ?::bigint[], ?::bigint[], ?::bigint[],"
            " ?::text[]) ON CONFLICT (scope_id, key) DO UPDATE SET value = excluded.value,"
            " updated_at = excluded.updated_at, revision = excluded.revision, expires_at = excluded.expires_at,"
            " writer = excluded.writer"
        )
        log = (
            f"INSERT INTO {t.change} (scope_id, revision, kind, key, changed_at, writer, size, value, expires_at)"
            " SELECT * FROM unnest(?::bigint[], ?::bigint[], ?::text[], ?::bytea[], ?::bigint[], ?::text[],"
            " ?::bigint[], ?::text[], ?::bigint[])"
        )
        update_scopes = (
            f"UPDATE {t.scope} s SET revision = n.revision, updated_at = n.updated_at, entries = n.entries,"
            " size = n.size FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[])"
            " AS n (id, revision, updated_at, entries, size) WHERE s.id = n.id AND s.id = ANY (?::bigint[])"
        )
        self._upsert, self._log, self._update_scopes = map(numbered, (upsert, log, update_scopes))
        # The scopes are locked by now, and each part writes to a table of its own: their order does not matter.
        self._set = numbered(f"WITH e AS ({upsert}), l AS ({log}) {update_scopes}")
        self._oldest_changes = (
            "SELECT p.scope_id, c.revision FROM unnest($1::bigint[]) AS p (scope_id) CROSS JOIN LATERAL"
            f" (SELECT revision FROM {t.change} WHERE scope_id = p.scope_id ORDER BY revision LIMIT 1) c"
        )
        self._trimmed = f"SELECT id, log_trimmed FROM {t.scope} WHERE id = ANY ($1::bigint[])"
        ends = "unnest($1::bigint[], $2::bigint[]) AS p (scope_id, revision)"
        self._remove_changes = (
            f"DELETE FROM {t.change} WHERE ctid = ANY (ARRAY (SELECT c.place FROM {ends} CROSS JOIN LATERAL"
            f" (SELECT l.ctid AS place FROM {t.change} l WHERE l.scope_id = p.scope_id AND l.revision <= p.revision"
            " OFFSET 0) c))"
        )
        self._note_trimmed = (
            f"UPDATE {t.scope} s SET log_trimmed = p.revision FROM {ends}"
            " WHERE s.id = p.scope_id AND s.id = ANY ($1::bigint[])"
        )
        self._put_tombstone = (
            f"INSERT INTO {t.dropped_run} (run_digest, expires_at) VALUES ($1, $2)"
            " ON CONFLICT (run_digest) DO UPDATE SET expires_at = excluded.expires_at"
        )
        self._drop = [
            f"DELETE FROM {t.change} WHERE scope_id = ANY ($1::bigint[])",
            f"DELETE FROM {t.entry} WHERE scope_id = ANY ($1::bigint[])",
            f"DELETE FROM {t.scope} WHERE id = ANY ($1::bigint[])",
        ]

    def _page(self, ranged: bool, columns: str) -> str:
        t = self.tables
        counted, listed = (" AND c.key >= $5 AND c.key < $6", " AND p.key >= $7 AND p.key < $6") if ranged else ("", "")
        return (
            "SELECT s.revision,"
            f" (SELECT count(*) FROM {t.entry} c WHERE c.scope_id = s.id"
            f" AND (c.expires_at IS NULL OR c.expires_at > $2){counted}),"
            " e.key, e.value, e.updated_at, e.revision, e.expires_at, e.writer"
            f" FROM {t.scope} s LEFT JOIN LATERAL (SELECT {columns} FROM {t.entry} p WHERE p.scope_id = s.id"
            f" AND (p.expires_at IS NULL OR p.expires_at > $2){listed} ORDER BY p.key LIMIT $3 OFFSET $4) e ON true"
            " WHERE s.digest = $1 ORDER BY e.key"
        )

    def _make_columns(self, ranged: bool, columns: frozenset[EntryColumn]) -> str:
        t, names = self.tables, ["key", *names_of(columns)]
        bounds = ", $5::bytea[], $6::bytea[], $7::bytea[]" if ranged else ""
        bound_names = ", prefix, key_end, key_first" if ranged else ""
        counted, listed = (
            (" AND c.key >= w.prefix AND c.key < w.key_end", " AND p.key >= w.key_first AND p.key < w.key_end")
            if ranged
            else ("", "")
        )
        packed = ", ".join(f"array_agg(p.{name}) AS {name}" for name in names)
        return (
            f"SELECT w.number - 1, s.revision, CASE WHEN s.size <= {MOST_BYTES} THEN (SELECT count(*) FROM {t.entry} c"
            f" WHERE c.scope_id = s.id AND (c.expires_at IS NULL OR c.expires_at > $2){counted}) END, e.*"
            f" FROM unnest($1::bytea[], $3::bigint[], $4::bigint[]{bounds}) WITH ORDINALITY"
            f" AS w (digest, most, passed{bound_names}, number) CROSS JOIN LATERAL {_scope(t, 'w.digest')}"
            f" LEFT JOIN LATERAL (SELECT {packed} FROM (SELECT {', '.join(names)} FROM {t.entry} p"
            f" WHERE p.scope_id = s.id AND s.size <= {MOST_BYTES} AND (p.expires_at IS NULL OR p.expires_at > $2)"
            f"{listed} ORDER BY p.key LIMIT w.most OFFSET w.passed) p) e ON true"
        )

    def list_columns(
        self, wanted: Sequence[tuple[bytes, Part]], now: Timestamp, columns: frozenset[EntryColumn]
    ) -> Query:
        ranged = wanted[0][1].is_ranged
        digests, *numbers = _columns([(digest, part.limit, part.offset) for digest, part in wanted])
        bounds = _columns([(part.prefix, part.end, part.first) for _, part in wanted]) if ranged else ()
        return Query(self._list_columns(ranged, columns), (digests, now, *numbers, *bounds))

    def unpacked(self, row: Row, columns: frozenset[EntryColumn]) -> EntryColumns:
        _, revision, total, packed_keys, *found = row
        if total is None:
            raise UnpackableError("the scope is too large")
        if packed_keys is None:
            return EntryColumns(total, revision)
        keys = decoded(packed_keys)
        return columns_of(total, revision, len(keys), keys, dict(zip(wanted_of(columns), found, strict=True)))

    def read_by_id(self, pairs: Sequence[tuple[int, bytes]]) -> Query:
        return Query(self._read_by_id, _columns(pairs))

    def look_up(self, pairs: Sequence[tuple[int, bytes]]) -> Query:
        return Query(self._look_up, _columns(pairs))

    def read_by_digest(self, pairs: Sequence[tuple[bytes, bytes]]) -> Query:
        return Query(self._read_by_digest, _columns(pairs))

    def list_page(self, digest: bytes, now: Timestamp, part: Part) -> Query:
        bounds = (part.prefix, part.end, part.first) if part.is_ranged else ()
        sql = self._list_page[part.is_ranged, part.keys_only]
        return Query(sql, (digest, now, part.limit, part.offset, *bounds))

    def revisions(self, ids: Sequence[int]) -> Query:
        return Query(self._revisions, (ids,))

    def find_revisions(self, digests: Sequence[bytes]) -> Query:
        return Query(self._find_revisions, (digests,))

    def tails(self, positions: Sequence[tuple[bytes, int]], limit: int) -> Script[Sequence[Row]]:
        return (yield Query(self._tails, (*_columns(positions), limit)))

    def oldest_changes(self, ids: Sequence[int]) -> Query:
        return Query(self._oldest_changes, (ids,))

    def trimmed(self, ids: Sequence[int]) -> Query:
        return Query(self._trimmed, (ids,))

    def remove_changes(self, ends: Sequence[tuple[int, int]]) -> Query:
        return Query(self._remove_changes, _columns(ends))

    def note_trimmed(self, ends: Sequence[tuple[int, int]]) -> Query:
        return Query(self._note_trimmed, _columns(ends))

    def find_scopes(self, digests: Sequence[bytes], now: Timestamp) -> Query:
        return Query(self._find_scopes, (digests, now))

    def create_scopes(self, scopes: Sequence[NewScope], now: Timestamp) -> Query:
        return Query(self._create_scopes, (*_columns(scopes), now))

    def lock_scopes(self, ids: Sequence[int]) -> Query:
        return Query(self._lock_scopes, (ids,))

    def lock_free_scopes(self, ids: Sequence[int]) -> Query:
        return Query(self._lock_free_scopes, (ids,))

    def count_live(self, ids: Sequence[int], now: Timestamp) -> Query:
        return Query(self._count_live, (ids, now))

    def read_known(self, pairs: Sequence[tuple[int, bytes]]) -> Query:
        return Query(self._read_known, _columns(pairs))

    def write(self, rows: WriteSet) -> Script[None]:
        if rows.clears:
            yield Query(self._clear, (rows.clears,))
        if rows.deletes:
            yield Query(self._delete, _columns(rows.deletes))
        if rows.upserts and rows.changes and rows.scopes and not rows.purges:
            args = [column for part in (rows.upserts, rows.changes) for column in _columns(part)]
            yield Query(self._set, [*args, *_scope_columns(rows.scopes)])
            return
        if rows.upserts:
            yield Query(self._upsert, _columns(rows.upserts))
        for scope_id, key in rows.purges:
            yield self.purge(scope_id, key)
        if rows.changes:
            yield Query(self._log, _columns(rows.changes))
        if rows.scopes:
            yield Query(self._update_scopes, _scope_columns(rows.scopes))

    def drop_scopes(self, ids: Sequence[int]) -> Script[None]:
        for sql in self._drop:
            yield Query(sql, (ids,))


def _columns(rows: Sequence[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return list(zip(*rows, strict=True))


def _scope_columns(rows: Sequence[ScopeRow]) -> list[tuple[object, ...]]:
    """Return the columns, and once more the ids: by these the scopes are looked up."""
    columns = _columns(rows)
    return [*columns, columns[0]]


def _scope(t: TableNames, digest: str) -> str:
    """Return the look-up of one scope, called ``s``."""
    return f"(SELECT * FROM {t.scope} o WHERE o.digest = {digest} OFFSET 0) s"
