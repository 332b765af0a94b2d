"""What the store asks of a database, whatever its dialect. Each statement stands in one place, made once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from statemount.database.query import Query, Row, Script
from statemount.database.rows import EntryColumns, EntryRow, NewScope, Part, WriteSet
from statemount.database.schema import TableNames
from statemount.database.statements.styles import Style
from statemount.model import EntryColumn, Timestamp

PageStatements: TypeAlias = Mapping[tuple[bool, bool], str]
"""The statements that list, by whether the part is ranged and whether it has keys alone."""


def page_statements(make: Callable[[bool, str], str], *, key: str = "key") -> PageStatements:
    """Make the statements that list; the one for the first part of everything is as short as can be.

    Args:
        make: Takes whether the part is ranged, and the columns of the entries in it.
        key: The name of the column, quoted where it has to be.
    """
    names = [key if name == "key" else "'' AS value" if name == "value" else name for name in EntryRow._fields]
    columns = {False: "*", True: ", ".join(names)}  # where only keys are wanted a long value is not even fetched
    return {(ranged, bare): make(ranged, columns[bare]) for ranged in (False, True) for bare in (False, True)}


class StoreStatements(ABC):
    """The store's statements. A method's docstring names the columns of the rows that come back.

    Those that are the same in every dialect but for the marks of their parameters stand here.

    Args:
        style: How parameters are marked.
        key: The name of the column, quoted where it has to be.
    """

    _put_tombstone: str

    def __init__(self, tables: TableNames, style: Style, *, key: str = "key") -> None:
        self.tables = t = tables
        self._size_of = style(f"SELECT entries FROM {t.scope} WHERE digest = ?")
        # Found by itself, and not in a join: so nobody can think of reading the whole of the other table first.
        scope_id = f"(SELECT id FROM {t.scope} WHERE digest = ?)"
        self._changes = style(
            f"SELECT c.revision, c.kind, c.{key}, c.changed_at, c.writer, c.size, c.value, c.expires_at"
            f" FROM {t.change} c WHERE c.scope_id = {scope_id} AND c.revision > ? ORDER BY c.revision LIMIT ?"
        )
        line = "{0}.revision, {0}.kind, {0}." + key
        line += ", {0}.changed_at, {0}.writer, {0}.size, {0}.value, {0}.expires_at"
        history = (
            f"SELECT s.revision, s.log_trimmed, {line.format('c')} FROM {t.scope} s"
            f" LEFT JOIN (SELECT l.* FROM {t.change} l WHERE l.scope_id = {scope_id}"
            " AND l.revision < ?{} ORDER BY l.revision DESC LIMIT ?) c ON true"
            " WHERE s.digest = ? ORDER BY c.revision DESC"
        )
        of_key = f"(l.{key} = ? OR l.{key} IS NULL)"
        self._history = style(history.format(""))
        self._history_of_key = style(history.format(f" AND {of_key}"))
        log = f"FROM {t.change} l WHERE l.scope_id = {scope_id}"
        self._traces = style(
            "SELECT s.revision, s.updated_at, s.log_trimmed,"
            f" (SELECT l.changed_at {log} ORDER BY l.revision LIMIT 1),"
            f" (SELECT l.changed_at {log} AND l.revision = ?),"
            f" (SELECT 1 {log} AND (l.revision > ? OR l.changed_at > ?) AND {of_key} LIMIT 1) IS NOT NULL,"
            f" {line.format('c')}, e.{key}, e.value, e.updated_at, e.revision, e.expires_at, e.writer"
            f" FROM {t.scope} s LEFT JOIN {t.entry} e ON e.scope_id = {scope_id} AND e.{key} = ?"
            f" LEFT JOIN {t.change} c ON c.scope_id = {scope_id} AND c.revision = (SELECT l.revision {log}"
            f" AND l.revision <= ? AND l.changed_at <= ? AND {of_key} ORDER BY l.revision DESC LIMIT 1)"
            " WHERE s.digest = ?"
        )
        purge = f"UPDATE {t.change} SET value = NULL WHERE scope_id = ? AND value IS NOT NULL"
        self._purge_scope = style(purge)
        self._purge_key = style(f"{purge} AND {key} = ?")
        old = f"FROM {t.change} WHERE changed_at < ?"
        self._old_changes = style(f"SELECT scope_id, revision {old} ORDER BY changed_at, scope_id, revision LIMIT ?")
        self._is_trimmed = style(f"SELECT 1 FROM {t.scope} WHERE digest = ? AND log_trimmed > 0")
        self._count_changes = style(f"SELECT count(*) {old}")
        self._tail = style(
            f"SELECT s.digest, s.revision, c.revision, c.kind, c.{key}, c.changed_at, c.writer, c.size, c.value,"
            f" c.expires_at FROM {t.scope} s LEFT JOIN {t.change} c ON c.scope_id = s.id AND c.revision > ?"
            " WHERE s.digest = ? ORDER BY c.revision LIMIT ?"
        )
        self._find_task = style(f"SELECT digest, id FROM {t.scope} WHERE task_digest = ?")
        self._find_run = style(f"SELECT digest, id FROM {t.scope} WHERE run_digest = ?")
        expired = f"SELECT scope_id, {key} FROM {t.entry} WHERE"
        self._expired = style(f"{expired} expires_at <= ? ORDER BY expires_at LIMIT ?")
        self._expired_in = style(f"{expired} scope_id = ? AND expires_at <= ? LIMIT ?")
        self._count_expired = style(f"SELECT count(*) FROM {t.entry} WHERE expires_at <= ?")
        self._old_tombstones = style(f"SELECT 1 FROM {t.dropped_run} WHERE expires_at <= ? LIMIT 1")
        self._forget_tombstones = style(f"DELETE FROM {t.dropped_run} WHERE expires_at <= ?")
        self._ping = f"SELECT 1 FROM {t.scope} LIMIT 1"

    @abstractmethod
    def read_by_id(self, pairs: Sequence[tuple[int, bytes]]) -> Query:
        """Rows: scope id, key, value, updated_at, revision, expires_at, writer, of those of the pairs that exist."""

    @abstractmethod
    def look_up(self, pairs: Sequence[tuple[int, bytes]]) -> Query:
        """Rows: the number of the pair, from 0 on, then as :meth:`read_by_id` from the value on."""

    @abstractmethod
    def read_by_digest(self, pairs: Sequence[tuple[bytes, bytes]]) -> Query:
        """Rows: digest, scope id, then as :meth:`read_by_id` from the key on, all None if only the scope exists."""

    @abstractmethod
    def list_page(self, digest: bytes, now: Timestamp, part: Part) -> Query:
        """Rows: the scope's revision, how many live entries have the prefix, then an entry from the key on, as above.

        In the order of the keys. One row with a key of None where the page is empty; none where the scope does not
        exist.
        """

    def size_of(self, digest: bytes) -> Query:
        """Rows: how many entries a scope has, expired ones included; none where the scope does not exist."""
        return Query(self._size_of, (digest,))

    def changes(self, digest: bytes, after: int, limit: int) -> Query:
        """Rows: revision, kind, key, changed_at, writer, size, value, expires_at; oldest first."""
        return Query(self._changes, (digest, after, limit))

    def history(self, digest: bytes, key: bytes | None, before: int, limit: int) -> Query:
        """Rows: the scope's revision, up to which its log is trimmed, then a line as in :meth:`changes`; newest first.

        One row with a revision of None where there is no line; none where the scope does not exist.

        Args:
            key: The lines of this key, and clears; None = all.
        """
        if key is None:
            return Query(self._history, (digest, before, limit, digest))
        return Query(self._history_of_key, (digest, before, key, limit, digest))

    def traces(self, digest: bytes, key: bytes, revision: int, at: Timestamp) -> Query:
        """Rows: one, or none where the scope does not exist.

        The scope's revision, updated_at and up to which its log is trimmed; when its oldest line was written, and the
        one of this revision; whether the key has a line, or there is a clear, beyond the revision or the time. Then
        the key's last line, or clear, within both, as in :meth:`changes`; and the entry from the key on.
        """
        of_log = (digest, digest, revision, digest, revision, at, key)
        of_rows = (digest, key, digest, digest, revision, at, key, digest)
        return Query(self._traces, (*of_log, *of_rows))

    def purge(self, scope_id: int, key: bytes | None) -> Query:
        """Remove the values of a key from a scope's log, None = of every key. Rows: none."""
        if key is None:
            return Query(self._purge_scope, (scope_id,))
        return Query(self._purge_key, (scope_id, key))

    def is_trimmed(self, digest: bytes) -> Query:
        """Rows: one, if the scope exists and its log was trimmed."""
        return Query(self._is_trimmed, (digest,))

    def old_changes(self, before: Timestamp, limit: int) -> Query:
        """Rows: scope id, revision, of lines from before a time, oldest first, those of one scope in their order."""
        return Query(self._old_changes, (before, limit))

    def count_changes(self, before: Timestamp) -> Query:
        """Rows: one, how many lines there are from before a time."""
        return Query(self._count_changes, (before,))

    @abstractmethod
    def oldest_changes(self, ids: Sequence[int]) -> Query:
        """Rows: scope id, revision of its oldest line, of those of the scopes that have any."""

    @abstractmethod
    def trimmed(self, ids: Sequence[int]) -> Query:
        """Rows: scope id, up to which revision its log is trimmed, of those that exist."""

    @abstractmethod
    def remove_changes(self, ends: Sequence[tuple[int, int]]) -> Query:
        """Remove the lines of scopes up to a revision each. Rows: none."""

    @abstractmethod
    def note_trimmed(self, ends: Sequence[tuple[int, int]]) -> Query:
        """Note of scopes up to which revision their logs are trimmed. Rows: none."""

    @abstractmethod
    def revisions(self, ids: Sequence[int]) -> Query:
        """Rows: scope id, revision, of those that exist."""

    @abstractmethod
    def find_revisions(self, digests: Sequence[bytes]) -> Query:
        """Rows: digest, scope id, revision, of those that exist."""

    def tails(self, positions: Sequence[tuple[bytes, int]], limit: int) -> Script[Sequence[Row]]:
        """Return what the logs of scopes have after a revision, oldest first and at most ``limit`` lines of each.

        Rows: digest, the scope's revision, then as :meth:`changes`; one row with None from there on where there is
        nothing, none where the scope does not exist. Revision and lines are of one moment.
        """
        return (yield Query(self._tail, [(after, digest, limit) for digest, after in positions], "each"))

    @abstractmethod
    def find_scopes(self, digests: Sequence[bytes], now: Timestamp) -> Query:
        """Rows: digest, id, of those that exist and whose run has no tombstone."""

    def find_task(self, task_digest: bytes) -> Query:
        """Rows: digest, id, of every scope of one task."""
        return Query(self._find_task, (task_digest,))

    @abstractmethod
    def create_scopes(self, scopes: Sequence[NewScope], now: Timestamp) -> Query:
        """Make the scopes that are missing and whose run has no tombstone. Rows: none."""

    @abstractmethod
    def lock_scopes(self, ids: Sequence[int]) -> Query:
        """Lock, ascending by id. Rows: id, revision, updated_at, entries, size."""

    @abstractmethod
    def lock_free_scopes(self, ids: Sequence[int]) -> Query:
        """As :meth:`lock_scopes`, without waiting: those that somebody else has locked are left out."""

    @abstractmethod
    def count_live(self, ids: Sequence[int], now: Timestamp) -> Query:
        """Rows: scope id, how many live entries; none for a scope that has none."""

    @abstractmethod
    def read_known(self, pairs: Sequence[tuple[int, bytes]]) -> Query:
        """Rows: scope id, key, revision, expires_at, size, of those of the pairs that exist."""

    def lock_and_read(
        self, ids: Sequence[int], pairs: Sequence[tuple[int, bytes]], *, skips_locked: bool = False
    ) -> Script[tuple[Sequence[Row], Sequence[Row]]]:
        """Return the rows of :meth:`lock_scopes` (or :meth:`lock_free_scopes`) and of :meth:`read_known`.

        What is known is read by a statement that begins once the locks are held: one that waits for a lock would go
        on with what it saw before.
        """
        scopes = yield (self.lock_free_scopes if skips_locked else self.lock_scopes)(ids)
        known = (yield self.read_known(pairs)) if pairs else ()
        return scopes, known

    @abstractmethod
    def write(self, rows: WriteSet) -> Script[None]:
        """Yield what writes the rows, whose scopes are locked. Rows: none."""

    def expired(self, now: Timestamp, limit: int) -> Query:
        """Rows: scope id, key, of entries whose time is over, oldest first."""
        return Query(self._expired, (now, limit))

    def expired_in(self, scope_id: int, now: Timestamp, limit: int) -> Query:
        """As :meth:`expired`, of one scope."""
        return Query(self._expired_in, (scope_id, now, limit))

    def count_expired(self, now: Timestamp) -> Query:
        """Rows: one, how many entries there are whose time is over."""
        return Query(self._count_expired, (now,))

    def old_tombstones(self, now: Timestamp) -> Query:
        """Rows: one, if there are tombstones that are over."""
        return Query(self._old_tombstones, (now,))

    def forget_tombstones(self, now: Timestamp) -> Query:
        """Remove tombstones that are over. Rows: none."""
        return Query(self._forget_tombstones, (now,))

    def put_tombstone(self, run_digest: bytes, until: Timestamp, now: Timestamp) -> Script[None]:
        """Refuse new scopes of a run until a time, and forget tombstones that are over. Rows: none."""
        yield self.forget_tombstones(now)
        yield Query(self._put_tombstone, (run_digest, until))

    def find_run(self, run_digest: bytes) -> Query:
        """Rows: digest, id, of every scope of a run."""
        return Query(self._find_run, (run_digest,))

    @abstractmethod
    def drop_scopes(self, ids: Sequence[int]) -> Script[None]:
        """Remove scopes, locked before, with their entries and log. Rows: none."""

    def ping(self) -> Query:
        """Touch the schema. Rows: any."""
        return Query(self._ping)


class PartStatements(ABC):
    """Statements that give a part of a scope as one row, for databases to which this costs less than its rows do."""

    @abstractmethod
    def list_columns(
        self, wanted: Sequence[tuple[bytes, Part]], now: Timestamp, columns: frozenset[EntryColumn]
    ) -> Query:
        """Rows: the number of the wanted part, from 0 on, the scope's revision, and what else :meth:`unpacked` takes.

        None of a scope that does not exist.

        Args:
            wanted: Scopes and parts that are all ranged, or all not.
        """

    @abstractmethod
    def unpacked(self, row: Row, columns: frozenset[EntryColumn]) -> EntryColumns:
        """Return the columns that a row of :meth:`list_columns` holds.

        Raises:
            UnpackableError: It does not hold them as they are.
        """


class WholeStatements(ABC):
    """Statements that give all of small scopes, with neither a count of their entries nor an order asked for."""

    @abstractmethod
    def list_whole(
        self, digests: Sequence[bytes], now: Timestamp, entries: int, size: int, columns: frozenset[EntryColumn]
    ) -> Query:
        """Rows: what :meth:`unpacked_whole` takes, of every live entry of each scope.

        None of a scope that has no live entry, or more entries or bytes than this, expired ones included.
        """

    @abstractmethod
    def unpacked_whole(
        self, rows: Sequence[Row], columns: frozenset[EntryColumn]
    ) -> Iterator[tuple[bytes, EntryColumns]]:
        """Give digest and columns of each scope of :meth:`list_whole` that the rows hold as it is."""
