"""The store's SQL for MariaDB >= 10.6 and MySQL 8. Parameters are ``%s``; many rows travel as one statement.

A list of rows is joined as a derived table: a row constructor in ``IN`` is not looked up by key everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from itertools import chain

from statemount.database.query import Query, Row, Script
from statemount.database.rows import EntryColumns, NewScope, Part, WriteSet
from statemount.database.schema import TableNames
from statemount.database.statements.base import StoreStatements, WholeStatements, page_statements
from statemount.database.statements.columns import UnpackableError, columns_of, decoded, names_of, wanted_of
from statemount.database.statements.styles import percent
from statemount.model import EntryColumn, Timestamp

_LIVE = "(expires_at IS NULL OR expires_at > %s)"
_SIZES = 512  # more than the sizes of a group, so that a statement is made once for each size


def _sized(head: str, first: str, following: str, separator: str, tail: str) -> Callable[[int], str]:
    """Return a statement with a list in it, made once for each length of the list."""

    @lru_cache(maxsize=_SIZES)
    def make(length: int) -> str:
        return head + separator.join([first] + [following] * (length - 1)) + tail

    return make


def _rows(head: str, columns: Sequence[str], tail: str) -> Callable[[int], str]:
    first = "SELECT " + ", ".join(f"%s AS {column}" for column in columns)
    following = "SELECT " + ", ".join(["%s"] * len(columns))
    return _sized(head, first, following, " UNION ALL ", tail)


def _values(head: str, width: int, tail: str) -> Callable[[int], str]:
    row = "(" + ", ".join(["%s"] * width) + ")"
    return _sized(head + " VALUES ", row, row, ", ", tail)


def _items(head: str, tail: str) -> Callable[[int], str]:
    return _sized(head + " (", "%s", "%s", ", ", ")" + tail)


class MySQLStatements(StoreStatements, WholeStatements):
    """Statements for ``asyncmy``.

    They give no part as one row: a text of many rows is a table on the disk to this server, which costs it more.
    """

    def __init__(self, tables: TableNames) -> None:
        super().__init__(tables, percent, key="`key`")
        t = tables
        self._read_by_id = _rows(
            "SELECT e.scope_id, e.`key`, e.value, e.updated_at, e.revision, e.expires_at, e.writer FROM (",
            ("p_scope_id", "p_key"),
            f") p STRAIGHT_JOIN {t.entry} e ON e.scope_id = p.p_scope_id AND e.`key` = p.p_key",
        )
        self._look_up = _rows(
            "SELECT p.p_number, e.value, e.updated_at, e.revision, e.expires_at, e.writer FROM (",
            ("p_number", "p_scope_id", "p_key"),
            f") p STRAIGHT_JOIN {t.entry} e ON e.scope_id = p.p_scope_id AND e.`key` = p.p_key",
        )
        self._read_by_digest = _rows(
            "SELECT s.digest, s.id, e.`key`, e.value, e.updated_at, e.revision, e.expires_at, e.writer FROM (",
            ("p_digest", "p_key"),
            f") p STRAIGHT_JOIN {t.scope} s ON s.digest = p.p_digest"
            f" LEFT JOIN {t.entry} e ON e.scope_id = s.id AND e.`key` = p.p_key",
        )
        self._list_page = page_statements(self._page, key="`key`")
        self._list_whole = cache(self._make_whole)
        self._find_revisions = _items(f"SELECT digest, id, revision FROM {t.scope} WHERE digest IN", "")
        self._revisions = _items(f"SELECT id, revision FROM {t.scope} WHERE id IN", "")
        self._find_scopes = _items(
            f"SELECT s.digest, s.id FROM {t.scope} s WHERE NOT EXISTS (SELECT 1 FROM {t.dropped_run} d"
            " WHERE d.run_digest = s.run_digest AND d.expires_at > %s) AND s.digest IN",
            "",
        )
        self._create_scopes = _rows(
            f"INSERT INTO {t.scope} (kind, dag_id, run_id, task_id, map_index, asset_id, digest, run_digest,"
            " task_digest, revision, updated_at, entries, size) SELECT n.*, 0, 0 FROM (",
            tuple(f"n_{column}" for column in NewScope._fields),
            f") n WHERE NOT EXISTS (SELECT 1 FROM {t.dropped_run} d WHERE d.run_digest = n.n_run_digest"
            f" AND d.expires_at > %s) ON DUPLICATE KEY UPDATE {t.scope}.id = {t.scope}.id",
        )
        counters = f"SELECT id, revision, updated_at, entries, size FROM {t.scope} WHERE id IN"
        self._lock_scopes = _items(counters, " ORDER BY id FOR UPDATE")
        self._lock_free_scopes = _items(counters, " ORDER BY id FOR UPDATE SKIP LOCKED")
        self._count_live = _items(
            f"SELECT scope_id, count(*) FROM {t.entry} WHERE {_LIVE} AND scope_id IN", " GROUP BY scope_id"
        )
        self._read_known = _rows(
            "SELECT e.scope_id, e.`key`, e.revision, e.expires_at, length(e.value) FROM (",
            ("p_scope_id", "p_key"),
            f") p STRAIGHT_JOIN {t.entry} e ON e.scope_id = p.p_scope_id AND e.`key` = p.p_key",
        )
        self._clear = _items(f"DELETE FROM {t.entry} WHERE scope_id IN", "")
        self._delete = _rows(
            "DELETE e FROM (",
            ("p_scope_id", "p_key"),
            f") p STRAIGHT_JOIN {t.entry} e ON e.scope_id = p.p_scope_id AND e.`key` = p.p_key",
        )
        self._upsert = _values(
            f"INSERT INTO {t.entry} (scope_id, `key`, value, updated_at, revision, expires_at, writer)",
            7,
            " ON DUPLICATE KEY UPDATE value = VALUES(value), updated_at = VALUES(updated_at),"
            " revision = VALUES(revision), expires_at = VALUES(expires_at), writer = VALUES(writer)",
        )
        self._log = _values(
            f"INSERT INTO {t.change} (scope_id, revision, kind, `key`, changed_at, writer, size, value, expires_at)",
            9,
            "",
        )
        self._update_scopes = _rows(
            "UPDATE (",
            ("n_id", "n_revision", "n_updated_at", "n_entries", "n_size"),
            f") n STRAIGHT_JOIN {t.scope} s ON s.id = n.n_id SET s.revision = n.n_revision,"
            " s.updated_at = n.n_updated_at, s.entries = n.n_entries, s.size = n.n_size",
        )
        self._oldest_changes = _items(
            f"SELECT scope_id, min(revision) FROM {t.change} WHERE scope_id IN", " GROUP BY scope_id"
        )
        self._trimmed = _items(f"SELECT id, log_trimmed FROM {t.scope} WHERE id IN", "")
        up_to = "(scope_id = %s AND revision <= %s)"
        self._remove_changes = _sized(f"DELETE FROM {t.change} WHERE ", up_to, up_to, " OR ", "")
        self._note_trimmed = _rows(
            "UPDATE (",
            ("n_id", "n_revision"),
            f") n STRAIGHT_JOIN {t.scope} s ON s.id = n.n_id SET s.log_trimmed = n.n_revision",
        )
        self._put_tombstone = (
            f"INSERT INTO {t.dropped_run} (run_digest, expires_at) VALUES (%s, %s)"
            " ON DUPLICATE KEY UPDATE expires_at = VALUES(expires_at)"
        )
        self._drop = [
            _items(f"DELETE FROM {t.change} WHERE scope_id IN", ""),
            _items(f"DELETE FROM {t.entry} WHERE scope_id IN", ""),
            _items(f"DELETE FROM {t.scope} WHERE id IN", ""),
        ]

    def _page(self, ranged: bool, columns: str) -> str:
        t = self.tables
        bounds = " AND `key` >= %s AND `key` < %s" if ranged else ""
        return (
            f"SELECT s.revision, (SELECT count(*) FROM {t.entry} WHERE scope_id = s.id AND {_LIVE}{bounds}),"
            " e.`key`, e.value, e.updated_at, e.revision, e.expires_at, e.writer"
            f" FROM {t.scope} s LEFT JOIN (SELECT {columns} FROM {t.entry} WHERE scope_id ="
            f" (SELECT id FROM {t.scope} WHERE digest = %s) AND {_LIVE}{bounds} ORDER BY `key` LIMIT %s OFFSET %s) e"
            " ON e.scope_id = s.id WHERE s.digest = %s ORDER BY e.`key`"
        )

    def _make_whole(self, columns: frozenset[EntryColumn]) -> Callable[[int], str]:
        t, names = self.tables, ["`key`", *names_of(columns)]
        return _items(
            f"SELECT s.digest, s.revision, {', '.join([f'e.{name}' for name in names])} FROM {t.scope} s"
            f" STRAIGHT_JOIN {t.entry} e ON e.scope_id = s.id WHERE s.entries <= %s AND s.size <= %s AND {_LIVE}"
            " AND s.digest IN",
            "",
        )

    def list_whole(
        self, digests: Sequence[bytes], now: Timestamp, entries: int, size: int, columns: frozenset[EntryColumn]
    ) -> Query:
        return Query(self._list_whole(columns)(len(digests)), (entries, size, now, *digests))

    def unpacked_whole(
        self, rows: Sequence[Row], columns: frozenset[EntryColumn]
    ) -> Iterator[tuple[bytes, EntryColumns]]:
        if not rows:
            return
        digests, revisions, packed_keys, *packed = zip(*rows, strict=True)
        begin = 0
        while begin < len(digests):
            count = digests.count(digests[begin])
            part = slice(begin, begin + count)
            begin += count
            if digests[part] != digests[part][:1] * count:
                return  # they are not in the order of a join of one scope after the other
            found = dict(zip(wanted_of(columns), [column[part] for column in packed], strict=True))
            with suppress(UnpackableError):
                keys = decoded(packed_keys[part])
                yield digests[part][0], columns_of(count, revisions[part][0], count, keys, found)

    def read_by_id(self, pairs: Sequence[tuple[int, bytes]]) -> Query:
        return Query(self._read_by_id(len(pairs)), _flat(pairs))

    def look_up(self, pairs: Sequence[tuple[int, bytes]]) -> Query:
        return Query(self._look_up(len(pairs)), _flat([(number, *pair) for number, pair in enumerate(pairs)]))

    def read_by_digest(self, pairs: Sequence[tuple[bytes, bytes]]) -> Query:
        return Query(self._read_by_digest(len(pairs)), _flat(pairs))

    def list_page(self, digest: bytes, now: Timestamp, part: Part) -> Query:
        counted, listed = ((part.prefix, part.end), (part.first, part.end)) if part.is_ranged else ((), ())
        sql = self._list_page[part.is_ranged, part.keys_only]
        return Query(sql, (now, *counted, digest, now, *listed, part.limit, part.offset, digest))

    def revisions(self, ids: Sequence[int]) -> Query:
        return Query(self._revisions(len(ids)), ids)

    def find_revisions(self, digests: Sequence[bytes]) -> Query:
        return Query(self._find_revisions(len(digests)), digests)

    def oldest_changes(self, ids: Sequence[int]) -> Query:
        return Query(self._oldest_changes(len(ids)), ids)

    def trimmed(self, ids: Sequence[int]) -> Query:
        return Query(self._trimmed(len(ids)), ids)

    def remove_changes(self, ends: Sequence[tuple[int, int]]) -> Query:
        return Query(self._remove_changes(len(ends)), _flat(ends))

    def note_trimmed(self, ends: Sequence[tuple[int, int]]) -> Query:
        return Query(self._note_trimmed(len(ends)), _flat(ends))

    def find_scopes(self, digests: Sequence[bytes], now: Timestamp) -> Query:
        return Query(self._find_scopes(len(digests)), (now, *digests))

    def create_scopes(self, scopes: Sequence[NewScope], now: Timestamp) -> Query:
        return Query(self._create_scopes(len(scopes)), (*_flat(scopes), now))

    def lock_scopes(self, ids: Sequence[int]) -> Query:
        return Query(self._lock_scopes(len(ids)), ids)

    def lock_free_scopes(self, ids: Sequence[int]) -> Query:
        return Query(self._lock_free_scopes(len(ids)), ids)

    def count_live(self, ids: Sequence[int], now: Timestamp) -> Query:
        return Query(self._count_live(len(ids)), (now, *ids))

    def read_known(self, pairs: Sequence[tuple[int, bytes]]) -> Query:
        return Query(self._read_known(len(pairs)), _flat(pairs))

    def write(self, rows: WriteSet) -> Script[None]:
        if rows.clears:
            yield Query(self._clear(len(rows.clears)), rows.clears)
        if rows.deletes:
            yield Query(self._delete(len(rows.deletes)), _flat(rows.deletes))
        if len(rows.upserts) == len(rows.changes) == len(rows.scopes) and not rows.purges:
            if rows.scopes:
                parts = chain(rows.upserts, rows.changes, rows.scopes)
                yield Query(self._set_each(len(rows.scopes)), _flat(parts))
            return
        if rows.upserts:
            yield Query(self._upsert(len(rows.upserts)), _flat(rows.upserts))
        for scope_id, key in rows.purges:
            yield self.purge(scope_id, key)
        if rows.changes:
            yield Query(self._log(len(rows.changes)), _flat(rows.changes))
        if rows.scopes:
            yield Query(self._update_scopes(len(rows.scopes)), _flat(rows.scopes))

    def _set_each(self, count: int) -> str:
        """Return the statements by which as many scopes have one key set each: a round trip for all of them."""
        return f"{self._upsert(count)}; {self._log(count)}; {self._update_scopes(count)}"

    def drop_scopes(self, ids: Sequence[int]) -> Script[None]:
        for make in self._drop:
            yield Query(make(len(ids)), ids)


def _flat(rows: Iterable[Sequence[object]]) -> list[object]:
    return list(chain.from_iterable(rows))
