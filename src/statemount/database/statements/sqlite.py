"""The store's SQL for SQLite >= 3.35. Parameters are ``?``; locking is ``BEGIN IMMEDIATE``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any

from statemount.database.query import Query, Row, Script
from statemount.database.rows import ChangeRow, EntryColumns, EntryRow, NewScope, Part, WriteSet
from statemount.database.schema import TableNames
from statemount.database.statements.base import PartStatements, StoreStatements, WholeStatements, page_statements
from statemount.database.statements.columns import MOST_BYTES, UnpackableError, columns_of, names_of, wanted_of
from statemount.database.statements.packed import (
    FIELD,
    ROW,
    filled,
    integers_of,
    number,
    pieces,
    rows_of,
    sized,
    texts_of,
)
from statemount.database.statements.styles import qmark
from statemount.model import EntryColumn, Timestamp


class SQLiteStatements(StoreStatements, PartStatements, WholeStatements):
    """What many requests need at once is few statements of few rows; the rest is small ones, run one by one."""

    def __init__(self, tables: TableNames) -> None:
        super().__init__(tables, qmark)
        t = tables
        self._read_by_id = (
            "SELECT scope_id, key, value, updated_at, revision, expires_at, writer"
            f" FROM {t.entry} WHERE scope_id = ? AND key = ?"
        )
        self._read_those = sized(
            "WITH p (scope_id, key) AS (VALUES ",
            "(?, ?)",
            ") SELECT e.scope_id, e.key, e.value, e.updated_at, e.revision, e.expires_at, e.writer"
            f" FROM p CROSS JOIN {t.entry} e ON e.scope_id = p.scope_id AND e.key = p.key",
        )
        columns = "e.value, e.updated_at, e.revision, e.expires_at, e.writer"
        self._look_up_one = f"SELECT 0, {columns} FROM {t.entry} e WHERE scope_id = ? AND key = ?"
        self._look_up = sized(
            "WITH p (number, scope_id, key) AS (VALUES ",
            "({}, ?, ?)",
            f") SELECT p.number, {columns} FROM p CROSS JOIN {t.entry} e ON e.scope_id = p.scope_id AND e.key = p.key",
        )
        self._read_by_digest = (
            "SELECT s.digest, s.id, e.key, e.value, e.updated_at, e.revision, e.expires_at, e.writer"
            f" FROM {t.scope} s LEFT JOIN {t.entry} e ON e.scope_id = s.id AND e.key = ?2 WHERE s.digest = ?1"
        )
        self._list_page = page_statements(self._page)
        self._list_columns = cache(self._make_columns)
        self._list_whole = cache(self._make_whole)
        self._find_revision = f"SELECT digest, id, revision FROM {t.scope} WHERE digest = ?"
        self._find_revisions_packed = sized(
            "WITH p (number, digest) AS (VALUES ",
            "({}, ?)",
            f") SELECT group_concat(p.number || '{FIELD}' || s.id || '{FIELD}' || s.revision, '{ROW}')"
            f" FROM p CROSS JOIN {t.scope} s ON s.digest = p.digest",
        )
        self._revision = f"SELECT id, revision FROM {t.scope} WHERE id = ?"
        self._revisions_packed = sized(
            f"SELECT group_concat(id || '{FIELD}' || revision, '{ROW}') FROM {t.scope} WHERE id IN (", "?", ")"
        )
        self._tail_packed = (
            f"SELECT s.revision || coalesce('{ROW}' || (SELECT group_concat(revision || '{FIELD}' || kind || '{FIELD}'"
            f" || typeof(key) || '{FIELD}' || coalesce(hex(key), '') || '{FIELD}' || changed_at || '{FIELD}'"
            f" || coalesce(writer, '') || '{FIELD}' || size || '{FIELD}' || coalesce(expires_at, '') || '{FIELD}'"
            f" || typeof(value) || '{FIELD}' || coalesce(value, ''), '{ROW}') FROM (SELECT * FROM {t.change}"
            f" WHERE scope_id = s.id AND revision > ?1 ORDER BY revision LIMIT ?3)), '') FROM {t.scope} s"
            " WHERE s.digest = ?2"
        )
        self._find_scope = (
            f"SELECT s.digest, s.id FROM {t.scope} s WHERE s.digest = ? AND NOT EXISTS"
            f" (SELECT 1 FROM {t.dropped_run} d WHERE d.run_digest = s.run_digest AND d.expires_at > ?)"
        )
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
        self._lock_packed = sized(
            "WITH p (number, scope_id, key) AS (VALUES ",
            "({}, ?, ?)",
            f") SELECT group_concat(p.number || '{FIELD}' || s.revision || '{FIELD}' || s.updated_at || '{FIELD}'"
            f" || s.entries || '{FIELD}' || s.size || '{FIELD}' || coalesce(e.revision, '') || '{FIELD}'"
            f" || coalesce(e.expires_at, '') || '{FIELD}' || coalesce(length(e.value), ''), '{ROW}')"
            f" FROM p CROSS JOIN {t.scope} s ON s.id = p.scope_id"
            f" LEFT JOIN {t.entry} e ON e.scope_id = p.scope_id AND e.key = p.key",
        )
        self._lock_one = (
            "SELECT s.id, s.revision, s.updated_at, s.entries, s.size, ?2, e.revision, e.expires_at, length(e.value)"
            f" FROM {t.scope} s LEFT JOIN {t.entry} e ON e.scope_id = s.id AND e.key = ?2 WHERE s.id = ?1"
        )
        self._clear = f"DELETE FROM {t.entry} WHERE scope_id = ?"
        self._delete = f"DELETE FROM {t.entry} WHERE scope_id = ? AND key = ?"
        entry = ", ".join(EntryRow._fields)
        self._upsert = sized(
            f"WITH n ({entry}) AS (VALUES ",
            "(?, ?, ?, ?, ?, ?, ?)",
            f") INSERT INTO {t.entry} ({entry}) SELECT * FROM n WHERE scope_id > 0"
            " ON CONFLICT (scope_id, key) DO UPDATE SET value = excluded.value,"
            " updated_at = excluded.updated_at, revision = excluded.revision, expires_at = excluded.expires_at,"
            " writer = excluded.writer",
        )
        change = ", ".join(ChangeRow._fields)
        self._log = sized(
            f"WITH n ({change}) AS (VALUES ",
            "(?, ?, ?, ?, ?, ?, ?, ?, ?)",
            f") INSERT INTO {t.change} ({change}) SELECT * FROM n WHERE scope_id > 0",
        )
        self._update_scopes = sized(
            "WITH n (id, revision, updated_at, entries, size) AS (VALUES ",
            "(?, ?, ?, ?, ?)",
            f") UPDATE {t.scope} SET revision = n.revision, updated_at = n.updated_at, entries = n.entries,"
            f" size = n.size FROM n WHERE {t.scope}.id = n.id",
        )
        self._oldest_change = f"SELECT scope_id, min(revision) FROM {t.change} WHERE scope_id = ? GROUP BY scope_id"
        self._trimmed = f"SELECT id, log_trimmed FROM {t.scope} WHERE id = ?"
        self._remove_changes = f"DELETE FROM {t.change} WHERE scope_id = ? AND revision <= ?"
        self._note_trimmed = f"UPDATE {t.scope} SET log_trimmed = ?2 WHERE id = ?1"
        self._put_tombstone = (
            f"INSERT INTO {t.dropped_run} (run_digest, expires_at) VALUES (?, ?)"
            " ON CONFLICT (run_digest) DO UPDATE SET expires_at = excluded.expires_at"
        )
        self._drop = [
            f"DELETE FROM {t.change} WHERE scope_id = ?",
            f"DELETE FROM {t.entry} WHERE scope_id = ?",
            f"DELETE FROM {t.scope} WHERE id = ?",
        ]

    def _page_of(self, ranged: bool, columns: str, most_bytes: int | None = None) -> tuple[str, str]:
        """Return what finds the scope and counts, as ``s``, and what selects the entries.

        Args:
            most_bytes: Nothing is counted and selected of a larger scope.
        """
        entry, scope = self.tables.entry, self.tables.scope
        live = "(expires_at IS NULL OR expires_at > ?2)"
        counted, listed = (" AND key >= ?5 AND key < ?6", " AND key >= ?7 AND key < ?6") if ranged else ("", "")
        count = f"(SELECT count(*) FROM {entry} WHERE scope_id = {scope}.id AND {live}{counted})"
        if most_bytes is not None:
            count = f"CASE WHEN size <= {most_bytes} THEN {count} END"
        found = (
            f"WITH s (id, revision, live) AS MATERIALIZED (SELECT id, revision, {count} FROM {scope} WHERE digest = ?1)"
        )
        return found, (
            f"SELECT {columns} FROM {entry} WHERE scope_id = (SELECT id FROM s WHERE live IS NOT NULL)"
            f" AND {live}{listed} ORDER BY key LIMIT ?3 OFFSET ?4"
        )

    def _page(self, ranged: bool, columns: str) -> str:
        found, page = self._page_of(ranged, columns)
        return (
            f"{found} SELECT s.revision, s.live, e.key, e.value, e.updated_at, e.revision, e.expires_at, e.writer"
            f" FROM s LEFT JOIN ({page}) e ON true ORDER BY e.key"
        )

    def _make_columns(self, ranged: bool, columns: frozenset[EntryColumn]) -> str:
        found, page = self._page_of(ranged, ", ".join(["key", *names_of(columns)]), MOST_BYTES)
        number = "?8" if ranged else "?5"
        return (
            f"{found} SELECT {number}, s.revision, s.live, {_packed(columns)}"
            f" FROM s LEFT JOIN ({page}) e ON true GROUP BY s.id"
        )

    def _make_whole(self, columns: frozenset[EntryColumn]) -> Callable[[int], str]:
        t = self.tables
        return sized(
            f"SELECT s.digest, s.revision, count(*), {_packed(columns)} FROM {t.scope} s"
            f" CROSS JOIN {t.entry} e ON e.scope_id = s.id WHERE s.digest IN (",
            "?",
            ") AND (e.expires_at IS NULL OR e.expires_at > ?) AND s.entries <= ? AND s.size <= ? GROUP BY s.digest",
        )

    def list_columns(
        self, wanted: Sequence[tuple[bytes, Part]], now: Timestamp, columns: frozenset[EntryColumn]
    ) -> Query:
        rows = [
            (digest, now, part.limit, part.offset, *((part.prefix, part.end, part.first) if part.is_ranged else ()), n)
            for n, (digest, part) in enumerate(wanted)
        ]
        sql = self._list_columns(wanted[0][1].is_ranged, columns)
        return Query(sql, rows[0]) if len(rows) == 1 else Query(sql, rows, "each")

    def list_whole(
        self, digests: Sequence[bytes], now: Timestamp, entries: int, size: int, columns: frozenset[EntryColumn]
    ) -> Query:
        sql, args = filled(self._list_whole(columns), [(digest,) for digest in digests])
        return Query(sql, [*args, now, entries, size])

    def unpacked_whole(
        self, rows: Sequence[Row], columns: frozenset[EntryColumn]
    ) -> Iterator[tuple[bytes, EntryColumns]]:
        for row in rows:
            with suppress(UnpackableError):
                yield row[0], self.unpacked(row, columns)

    def unpacked(self, row: Row, columns: frozenset[EntryColumn]) -> EntryColumns:
        _, revision, total, count, keys, *packed = row
        if total is None:
            raise UnpackableError("the scope is too large")
        if keys is None:
            return EntryColumns(total, revision)
        try:
            wanted = zip(wanted_of(columns), packed, strict=True)
            found = {column: _UNPACK[column](text) for column, text in wanted}
            return columns_of(total, revision, count, _decoded(keys), found)
        except (ValueError, TypeError) as error:
            raise UnpackableError("somebody else's row") from error

    def read_by_id(self, pairs: Sequence[tuple[int, bytes]]) -> Query:
        if len(pairs) == 1:
            return Query(self._read_by_id, pairs[0])
        return Query(*filled(self._read_those, pairs))

    def look_up(self, pairs: Sequence[tuple[int, bytes]]) -> Query:
        if len(pairs) == 1:
            return Query(self._look_up_one, pairs[0])
        return Query(*filled(self._look_up, pairs))

    def read_by_digest(self, pairs: Sequence[tuple[bytes, bytes]]) -> Query:
        return Query(self._read_by_digest, pairs, "each")

    def list_page(self, digest: bytes, now: Timestamp, part: Part) -> Query:
        kind = part.is_ranged, part.keys_only
        args = [digest, now, part.limit, part.offset]
        if part.is_ranged:
            args += [part.prefix, part.end, part.first]
        return Query(self._list_page[kind], args)

    def revisions(self, ids: Sequence[int]) -> Query:
        rows = [(scope_id,) for scope_id in ids]
        sql, args = filled(self._revisions_packed, rows)
        return Query(sql, args, "packed", _revisions, Query(self._revision, rows, "each"))

    def find_revisions(self, digests: Sequence[bytes]) -> Query:
        rows = [(digest,) for digest in digests]
        sql, args = filled(self._find_revisions_packed, rows)
        unpack = partial(_found_revisions, digests)
        return Query(sql, args, "packed", unpack, Query(self._find_revision, rows, "each"))

    def tails(self, positions: Sequence[tuple[bytes, int]], limit: int) -> Script[Sequence[Row]]:
        rows: list[Row] = []
        for digest, after in positions:
            args = (after, digest, limit)
            rows += yield Query(self._tail_packed, args, "packed", partial(_tail, digest), Query(self._tail, args))
        return rows

    def oldest_changes(self, ids: Sequence[int]) -> Query:
        return Query(self._oldest_change, [(scope_id,) for scope_id in ids], "each")

    def trimmed(self, ids: Sequence[int]) -> Query:
        return Query(self._trimmed, [(scope_id,) for scope_id in ids], "each")

    def remove_changes(self, ends: Sequence[tuple[int, int]]) -> Query:
        return Query(self._remove_changes, ends, "many")

    def note_trimmed(self, ends: Sequence[tuple[int, int]]) -> Query:
        return Query(self._note_trimmed, ends, "many")

    def find_scopes(self, digests: Sequence[bytes], now: Timestamp) -> Query:
        return Query(self._find_scope, [(digest, now) for digest in digests], "each")

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

    def lock_and_read(
        self, ids: Sequence[int], pairs: Sequence[tuple[int, bytes]], *, skips_locked: bool = False
    ) -> Script[tuple[Sequence[Row], Sequence[Row]]]:
        if len(pairs) < 2:
            return (yield from super().lock_and_read(ids, pairs, skips_locked=skips_locked))
        named = {scope_id for scope_id, _ in pairs}
        wanted = [*pairs, *((scope_id, None) for scope_id in ids if scope_id not in named)]
        sql, args = filled(self._lock_packed, wanted)
        rows = yield Query(sql, args, "packed", partial(_states, wanted), Query(self._lock_one, wanted, "each"))
        scopes = {row[0]: row[:5] for row in rows}
        return list(scopes.values()), [(row[0], *row[5:]) for row in rows if row[6] is not None]

    def write(self, rows: WriteSet) -> Script[None]:
        if rows.clears:
            yield Query(self._clear, [(scope_id,) for scope_id in rows.clears], "many")
        if rows.deletes:
            yield Query(self._delete, rows.deletes, "many")
        for upserts in pieces(rows.upserts):
            yield Query(*filled(self._upsert, upserts))
        for scope_id, key in rows.purges:
            yield self.purge(scope_id, key)
        for changes in pieces(rows.changes):
            yield Query(*filled(self._log, changes))
        for scopes in pieces(rows.scopes):
            yield Query(*filled(self._update_scopes, scopes))

    def drop_scopes(self, ids: Sequence[int]) -> Script[None]:
        for sql in self._drop:
            yield Query(sql, [(scope_id,) for scope_id in ids], "many")


def _packed(columns: frozenset[EntryColumn]) -> str:
    """Return what packs entries: how many of them have values that are texts, their keys, and each column.

    What may be no UTF-8 is bytes, for SQLite gives out no other text.
    """
    count = "sum(e.value < x'')" if "values" in columns else "count(e.key)"  # every text is less than a blob is
    keys = f"group_concat(e.key || '', '{FIELD}')"  # a text as it is, which costs less than to make one of a blob
    return ", ".join([count, f"CAST({keys} AS BLOB)", *[_PACK[column] for column in wanted_of(columns)]])


_PACK: Mapping[EntryColumn, str] = {
    "values": f"CAST(group_concat(e.value, '{FIELD}') AS BLOB)",
    "updated_at": "group_concat(e.updated_at)",
    "revisions": "group_concat(e.revision)",
    "expires_at": "group_concat(ifnull(e.expires_at, 'null'))",
    "writers": f"CAST(group_concat(ifnull(e.writer, ''), '{FIELD}') AS BLOB)",
}


def _decoded(packed: bytes) -> Sequence[str]:
    return texts_of(packed.decode())


_UNPACK: Mapping[EntryColumn, Callable[[Any], Sequence[Any]]] = {
    "values": _decoded,
    "updated_at": integers_of,
    "revisions": integers_of,
    "expires_at": integers_of,
    "writers": _decoded,
}


def _states(wanted: Sequence[tuple[int, bytes | None]], text: str) -> Sequence[Row]:
    rows: list[Row] = []
    for index, revision, updated_at, entries, size, *known in rows_of(text, 8):
        scope_id, key = wanted[int(index)]
        counters = (int(revision), int(updated_at), int(entries), int(size))
        rows.append((scope_id, *counters, key, *map(number, known)))
    return rows


def _revisions(text: str) -> Sequence[Row]:
    return [(int(scope_id), int(revision)) for scope_id, revision in rows_of(text, 2)]


def _found_revisions(digests: Sequence[bytes], text: str) -> Sequence[Row]:
    return [(digests[int(index)], int(scope_id), int(revision)) for index, scope_id, revision in rows_of(text, 3)]


def _tail(digest: bytes, text: str) -> Sequence[Row]:
    head, _, lines = text.partition(ROW)
    scope_revision = int(head)
    if not lines:
        return [(digest, scope_revision, *[None] * 8)]
    rows: list[Row] = []
    for revision, kind, key_kind, key, at, writer, size, expires_at, value_kind, value in rows_of(lines, 10):
        if key_kind not in ("blob", "null") or value_kind not in ("text", "null"):
            raise ValueError("somebody else's row")
        line = (
            int(revision),
            kind,
            bytes.fromhex(key) if key_kind == "blob" else None,
            int(at),
            writer or None,
            int(size),
            value if value_kind == "text" else None,
            number(expires_at),
        )
        rows.append((digest, scope_revision, *line))
    rows.sort(key=_revision)
    return rows


def _revision(row: Row) -> int:
    return row[2]  # type: ignore[no-any-return]
