"""What is asked of Airflow's own tables, as Airflow 3.1 and later have them. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from statemount.database.query import Query
from statemount.database.statements.styles import Style, numbered, percent, qmark

_STYLES: dict[str, Style] = {"sqlite": qmark, "postgresql": numbered, "mysql": percent}

_TASK = "ti.dag_id, ti.run_id, ti.task_id, ti.map_index"

_REFERENCES = (("inlet", "task_inlet_asset_reference"), ("outlet", "task_outlet_asset_reference"))


def _native(task_instance_id: UUID) -> Sequence[object]:
    return (task_instance_id,)


def _texts(task_instance_id: UUID) -> Sequence[object]:
    """Return both texts that a UUID is kept as: Airflow 3.1 writes it with dashes, 3.2 without."""
    return task_instance_id.hex, str(task_instance_id)


class AirflowStatements:
    """The statements. A method's docstring names the columns of the rows that come back.

    Texts are compared as the columns' collations do; whoever asks looks at what comes back.

    Args:
        dialect: ``sqlite``, ``postgresql`` or ``mysql``.
    """

    def __init__(self, dialect: str) -> None:
        style = _STYLES[dialect]
        is_native = dialect == "postgresql"
        self._id: Callable[[UUID], Sequence[object]] = _native if is_native else _texts
        this = "ti.id = ?" if is_native else "ti.id IN (?, ?)"
        group = "`group`" if dialect == "mysql" else '"group"'
        asset = f"SELECT a.id, a.name, a.uri, a.{group}, v.name FROM"
        active = f"{asset} asset_active v JOIN asset a ON a.name = v.name AND a.uri = v.uri WHERE"
        self._task = style(f"SELECT {_TASK}, ti.try_number FROM task_instance ti WHERE {this}")
        of_task = f"SELECT {_TASK} FROM task_instance ti WHERE ti.dag_id = ? AND ti.task_id = ? AND ti.run_id = ?"
        self._has_scope = style(f"{of_task} AND ti.map_index = ?")
        self._has_task = style(f"{of_task} LIMIT 1")
        self._asset = style(
            f"{asset} asset a LEFT JOIN asset_active v ON v.name = a.name AND v.uri = a.uri WHERE a.id = ?"
        )
        self._asset_by_name = style(f"{active} v.name = ?")
        self._asset_by_uri = style(f"{active} v.uri = ?")
        self._access = style(
            " UNION ALL ".join(
                f"SELECT '{access}' FROM task_instance ti JOIN {table} r ON r.dag_id = ti.dag_id"
                f" AND r.task_id = ti.task_id WHERE {this} AND r.asset_id = ?"
                for access, table in _REFERENCES
            )
        )
        self._columns = tuple(
            f"SELECT {columns} FROM {table} WHERE 1 = 0"
            for columns, table in (
                ("id, dag_id, run_id, task_id, map_index, try_number", "task_instance"),
                (f"id, name, uri, {group}", "asset"),
                ("name, uri", "asset_active"),
                *(("asset_id, dag_id, task_id", table) for _, table in _REFERENCES),
            )
        )

    def task(self, task_instance_id: UUID) -> Query:
        """Rows: dag_id, run_id, task_id, map_index, try_number."""
        return Query(self._task, self._id(task_instance_id))

    def has_scope(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> Query:
        """Rows: dag_id, run_id, task_id, map_index, of the task instance with this map index."""
        return Query(self._has_scope, (dag_id, task_id, run_id, map_index))

    def has_task(self, dag_id: str, run_id: str, task_id: str) -> Query:
        """Rows: as :meth:`has_scope`, of one task instance with any map index."""
        return Query(self._has_task, (dag_id, task_id, run_id))

    def asset(self, asset_id: int) -> Query:
        """Rows: id, name, uri, group, and the name once more if it is active."""
        return Query(self._asset, (asset_id,))

    def asset_by_name(self, name: str) -> Query:
        """Rows: as :meth:`asset`, of the active asset."""
        return Query(self._asset_by_name, (name,))

    def asset_by_uri(self, uri: str) -> Query:
        """Rows: as :meth:`asset`, of the active asset."""
        return Query(self._asset_by_uri, (uri,))

    def access(self, task_instance_id: UUID, asset_id: int) -> Query:
        """Rows: ``inlet`` or ``outlet``, for each that the asset is to the task."""
        of_one = (*self._id(task_instance_id), asset_id)
        return Query(self._access, of_one * len(_REFERENCES))

    def columns(self) -> Sequence[Query]:
        """Touch every table and column that the others do. Rows: none."""
        return [Query(sql) for sql in self._columns]
