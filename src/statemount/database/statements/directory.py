"""The directory's SQL: plain enough to be the same in every dialect but for the style of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from statemount.database.query import Query
from statemount.database.schema import TableNames
from statemount.database.statements.styles import Style, style_of

# Rows that are read to be removed are locked; SQLite has one writer at a time.
_LOCKS = {"sqlite": "", "postgresql": " FOR UPDATE", "mysql": " FOR UPDATE"}

_TASK = "dag_id, run_id, task_id, map_index, try_number"
_ASSET = "id, name, uri, group_name, active_name"

_RETIRED = "deactivated_at = 0"
_NOT_RETIRED = "(deactivated_at IS NULL OR deactivated_at > 0)"


def _listed(style: Style, head: str) -> Callable[[int], str]:
    """Return a statement that ends with a list, made once for each length of the list."""

    @lru_cache(maxsize=64)
    def make(length: int) -> str:
        return style(f"{head} IN ({', '.join('?' * length)})")

    return make


class DirectoryStatements:
    """The directory's statements. A method's docstring names the columns of the rows that come back.

    Args:
        dialect: ``sqlite``, ``postgresql`` or ``mysql``.
    """

    def __init__(self, dialect: str, tables: TableNames) -> None:
        style = style_of(dialect)
        task, asset, link = tables.task_instance, tables.asset, tables.task_asset
        links = f"{link} ON task_instance_id = id"
        if dialect == "postgresql":  # looked up in the index, however few links the planner thinks that there are
            links = f"LATERAL (SELECT * FROM {link} l WHERE l.task_instance_id = t.id OFFSET 0) l ON true"
        self._tasks = _listed(style, f"SELECT id, {_TASK}, asset_id, access FROM {task} t LEFT JOIN {links} WHERE id")
        self._has_scope = style(f"SELECT 1 FROM {task} WHERE digest = ?")
        self._has_task = style(f"SELECT 1 FROM {task} WHERE task_digest = ? LIMIT 1")
        self._access = style(f"SELECT access FROM {link} WHERE task_instance_id = ? AND asset_id = ?")
        self._unlink = style(f"DELETE FROM {link} WHERE task_instance_id = ?")
        unlink_those = f"DELETE FROM {link} WHERE task_instance_id IN (SELECT id FROM {task} WHERE "
        end = ")"
        if dialect == "postgresql":  # the same; what is in an array is looked up
            unlink_those = f"DELETE FROM {link} WHERE task_instance_id = ANY (ARRAY (SELECT id FROM {task} WHERE "
            end = "))"
        if dialect == "mysql":  # MariaDB would look at every link there is
            unlink_those = f"DELETE l FROM {task} t STRAIGHT_JOIN {link} l ON l.task_instance_id = t.id WHERE "
            end = ""
        self._unlink_scope = style(f"{unlink_those}digest = ?{end}")
        self._unlink_run = style(f"{unlink_those}run_digest = ?{end}")
        self._remove = style(f"DELETE FROM {task} WHERE id = ?")
        self._remove_scope = style(f"DELETE FROM {task} WHERE digest = ?")
        self._remove_run = style(f"DELETE FROM {task} WHERE run_digest = ?")
        self._insert = style(
            f"INSERT INTO {task} (id, {_TASK}, digest, run_digest, task_digest, updated_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        self._link = style(f"INSERT INTO {link} (task_instance_id, asset_id, access) VALUES (?, ?, ?)")
        self._overdue = style(
            f"SELECT id FROM {task} WHERE updated_at < ? ORDER BY updated_at LIMIT ?{_LOCKS[dialect]}"
        )
        self._unlink_all = _listed(style, f"DELETE FROM {link} WHERE task_instance_id")
        self._remove_all = _listed(style, f"DELETE FROM {task} WHERE id")
        self._asset = style(f"SELECT {_ASSET} FROM {asset} WHERE id = ? AND {_NOT_RETIRED}")
        self._asset_by_name = style(f"SELECT {_ASSET} FROM {asset} WHERE active_name = ?")
        self._asset_by_uri = style(f"SELECT {_ASSET} FROM {asset} WHERE active_uri = ?")
        self._assets = style(f"SELECT {_ASSET} FROM {asset} WHERE {_NOT_RETIRED} ORDER BY id LIMIT ? OFFSET ?")
        self._count_assets = style(f"SELECT count(*) FROM {asset} WHERE {_NOT_RETIRED}")
        self._insert_asset = style(
            f"INSERT INTO {asset} (name, uri, group_name, active_name, active_uri) VALUES (?, ?, ?, ?, ?)"
        )
        self._set_group = style(f"UPDATE {asset} SET group_name = ? WHERE id = ?")
        self._deactivate = style(
            f"UPDATE {asset} SET active_name = NULL, active_uri = NULL, deactivated_at = ?"
            " WHERE id = ? AND active_name IS NOT NULL"
        )
        self._restore = style(
            f"UPDATE {asset} SET active_name = ?, active_uri = ?, deactivated_at = NULL"
            " WHERE id = ? AND deactivated_at > 0"
        )
        self._inactive = style(f"SELECT id FROM {asset} WHERE deactivated_at < ? ORDER BY deactivated_at, id LIMIT ?")
        self._retire = style(f"UPDATE {asset} SET deactivated_at = 0 WHERE id = ? AND deactivated_at < ?")
        self._retired = style(f"SELECT id FROM {asset} WHERE {_RETIRED} ORDER BY id LIMIT ?")
        self._is_retired = style(f"SELECT 1 FROM {asset} WHERE id = ? AND {_RETIRED}")
        self._unlink_asset = style(f"DELETE FROM {link} WHERE asset_id = ?")
        self._forget_asset = style(f"DELETE FROM {asset} WHERE id = ?")
        self._count_overdue = style(
            f"SELECT (SELECT count(*) FROM {task} WHERE updated_at < ?),"
            f" (SELECT count(*) FROM {asset} WHERE deactivated_at < ?)"
        )

    def tasks(self, ids: Sequence[bytes]) -> Query:
        """Rows: id, dag_id, run_id, task_id, map_index, try_number, asset id, access; one for each asset, or one.

        Of those that there are. The statement is made for a power of two, so that few are prepared.
        """
        missing = (1 << (len(ids) - 1).bit_length()) - len(ids)
        return Query(self._tasks(len(ids) + missing), [*ids, *[ids[-1]] * missing])

    def has_scope(self, digest: bytes) -> Query:
        """Rows: one if there is such a task instance."""
        return Query(self._has_scope, (digest,))

    def has_task(self, task_digest: bytes) -> Query:
        """Rows: one if there is a task instance with any map index."""
        return Query(self._has_task, (task_digest,))

    def access(self, task_instance_id: bytes, asset_id: int) -> Query:
        """Rows: access."""
        return Query(self._access, (task_instance_id, asset_id))

    def remove(self, task_instance_ids: Sequence[bytes]) -> Sequence[Query]:
        """Forget task instances."""
        args = [(task_instance_id,) for task_instance_id in task_instance_ids]
        return Query(self._unlink, args, "many"), Query(self._remove, args, "many")

    def remove_scopes(self, digests: Sequence[bytes]) -> Sequence[Query]:
        """Forget the task instances that have these scopes."""
        args = [(digest,) for digest in digests]
        return Query(self._unlink_scope, args, "many"), Query(self._remove_scope, args, "many")

    def remove_run(self, run_digest: bytes) -> Sequence[Query]:
        """Forget the task instances of a run."""
        return Query(self._unlink_run, (run_digest,)), Query(self._remove_run, (run_digest,))

    def overdue(self, before: int, limit: int) -> Query:
        """Lock task instances last registered before a time, oldest first. Rows: id."""
        return Query(self._overdue, (before, limit))

    def remove_all(self, task_instance_ids: Sequence[bytes]) -> Sequence[Query]:
        """Forget many task instances, in two round trips."""
        size = len(task_instance_ids)
        return Query(self._unlink_all(size), task_instance_ids), Query(self._remove_all(size), task_instance_ids)

    def insert(self, rows: Sequence[Sequence[object]]) -> Query:
        """Write task instances: id, the first five columns of :meth:`task`, the three digests, updated_at."""
        return Query(self._insert, rows, "many")

    def link(self, rows: Sequence[tuple[bytes, int, str]]) -> Query:
        """Write rows of the table between the two: task instance id, asset id, access."""
        return Query(self._link, rows, "many")

    def assets_by_id(self, asset_ids: Sequence[int]) -> Query:
        """Rows: id, name, uri, group, and a digest if it is active."""
        return Query(self._asset, [(asset_id,) for asset_id in asset_ids], "each")

    def asset_by_name(self, digest: bytes) -> Query:
        """Rows: as :meth:`assets_by_id`, of the active asset."""
        return Query(self._asset_by_name, (digest,))

    def asset_by_uri(self, digest: bytes) -> Query:
        """Rows: as :meth:`assets_by_id`, of the active asset."""
        return Query(self._asset_by_uri, (digest,))

    def assets(self, limit: int, offset: int) -> Query:
        """Rows: as :meth:`assets_by_id`, by id."""
        return Query(self._assets, (limit, offset))

    def count_assets(self) -> Query:
        """Rows: how many :meth:`assets` there are."""
        return Query(self._count_assets)

    def insert_asset(self, name: str, uri: str, group: str, name_digest: bytes, uri_digest: bytes) -> Query:
        """Make an active asset."""
        return Query(self._insert_asset, (name, uri, group, name_digest, uri_digest))

    def set_group(self, asset_id: int, group: str) -> Query:
        """Change an asset's group."""
        return Query(self._set_group, (group, asset_id))

    def deactivate(self, asset_id: int, now: int) -> Query:
        """Make an asset inactive, if it is not."""
        return Query(self._deactivate, (now, asset_id))

    def restore(self, asset_id: int, name_digest: bytes, uri_digest: bytes) -> Query:
        """Make an asset active, if it is inactive and not retired."""
        return Query(self._restore, (name_digest, uri_digest, asset_id))

    def inactive(self, before: int, limit: int) -> Query:
        """Rows: id, of assets that have been inactive since before a time, retired ones first."""
        return Query(self._inactive, (before, limit))

    def retire(self, asset_ids: Sequence[int], before: int) -> Query:
        """Mark assets as retired, those that are still inactive since before a time."""
        return Query(self._retire, [(asset_id, before) for asset_id in asset_ids], "many")

    def retired(self, limit: int) -> Query:
        """Rows: id, of retired assets."""
        return Query(self._retired, (limit,))

    def is_retired(self, asset_id: int) -> Query:
        """Rows: one if the asset is retired."""
        return Query(self._is_retired, (asset_id,))

    def forget_asset(self, asset_id: int) -> Sequence[Query]:
        """Remove an asset and what links task instances to it."""
        return Query(self._unlink_asset, (asset_id,)), Query(self._forget_asset, (asset_id,))

    def count_overdue(self, registered_before: int, inactive_before: int) -> Query:
        """Rows: one, how many :meth:`overdue` and :meth:`inactive` would give without a limit."""
        return Query(self._count_overdue, (registered_before, inactive_before))
