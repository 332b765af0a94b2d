"""The part of Airflow's tables that the directory reads, and what fills it as Airflow does.

Recorded from ``airflow db migrate`` of Airflow 3.1 and 3.2; ``python -m tests.orchestrators`` compares it with what
the releases make. On MySQL they are what Airflow's models say, for MariaDB is none of Airflow's databases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from statemount.database.connections import Connections
from statemount.database.query import Query, Row, Script
from statemount.database.statements.styles import Style, numbered, percent, qmark
from statemount.interfaces import Directory
from statemount.model import Access, Asset, MappedTask, TaskInstance, TaskScope

VERSIONS = ("3.1", "3.2")

_IDS = {"sqlite": "VARCHAR(250)", "postgresql": "VARCHAR(250)", "mysql": "VARCHAR(250) COLLATE utf8mb3_bin"}
_NAMES = {
    "sqlite": "VARCHAR(1500)",
    "postgresql": "VARCHAR(1500)",
    "mysql": "VARCHAR(1500) COLLATE latin1_general_cs",
}
_UUIDS = {
    ("sqlite", "3.1"): "VARCHAR(36)",
    ("sqlite", "3.2"): "CHAR(32)",
    ("postgresql", "3.1"): "UUID",
    ("postgresql", "3.2"): "UUID",
    ("mysql", "3.1"): "VARCHAR(36)",
    ("mysql", "3.2"): "CHAR(32)",
}
_NUMBERS = {
    "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "postgresql": "SERIAL PRIMARY KEY",
    "mysql": "INTEGER AUTO_INCREMENT PRIMARY KEY",
}
_STYLES: dict[str, Style] = {"sqlite": qmark, "postgresql": numbered, "mysql": percent}


def columns(dialect: str, version: str) -> dict[str, dict[str, str]]:
    """Return the columns that the directory reads, with their types, by table."""
    text, name = _IDS[dialect], _NAMES[dialect]
    task = {"dag_id": text, "task_id": text}
    reference = {"asset_id": "INTEGER", **task}
    return {
        "task_instance": {
            "id": _UUIDS[dialect, version],
            **task,
            "run_id": text,
            "map_index": "INTEGER",
            "try_number": "INTEGER",
        },
        "asset": {"id": "INTEGER", "name": name, "uri": name, "group": name},
        "asset_active": {"name": name, "uri": name},
        "task_inlet_asset_reference": reference,
        "task_outlet_asset_reference": reference,
    }


_KEYS = {
    "task_instance": "PRIMARY KEY (id), UNIQUE (dag_id, task_id, run_id, map_index)",
    "asset": "",
    "asset_active": "PRIMARY KEY (name)",
    "task_inlet_asset_reference": "PRIMARY KEY (asset_id, dag_id, task_id)",
    "task_outlet_asset_reference": "PRIMARY KEY (asset_id, dag_id, task_id)",
}


def statements(dialect: str, version: str) -> list[str]:
    """Return what makes the tables."""
    made = []
    for table, types in columns(dialect, version).items():
        lines = [f"{_quoted(dialect, name)} {kind} NOT NULL" for name, kind in types.items()]
        if table == "asset":
            lines[0] = f"id {_NUMBERS[dialect]}"
        made.append(f"CREATE TABLE {table} ({', '.join([*lines, _KEYS[table]] if _KEYS[table] else lines)})")
    return made


def _quoted(dialect: str, name: str) -> str:
    return name if name != "group" else "`group`" if dialect == "mysql" else '"group"'


async def run(connections: Connections, *queries: Query) -> list[Row]:
    """Run queries in one transaction; return the rows of the last one."""

    def script() -> Script[list[Row]]:
        rows: Sequence[Row] = ()
        for query in queries:
            rows = yield query
        return list(rows)

    return await connections.detached(connections.write(script))


@dataclass
class Airflow:
    """A directory that is filled by writing what it reads.

    Args:
        connections: To the same database, open.
        directory: Sees at once what is written.
        version: Of Airflow: how it writes a UUID.
    """

    connections: Connections
    directory: Directory
    version: str

    def _query(self, sql: str, *args: object) -> Query:
        return Query(_STYLES[self.connections.url.dialect](sql), args)

    def _id(self, task_instance_id: UUID) -> object:
        if self.connections.url.dialect == "postgresql":
            return task_instance_id
        return str(task_instance_id) if self.version == "3.1" else task_instance_id.hex

    async def task_scope(self, task_instance_id: UUID) -> TaskScope | None:
        return await self.directory.task_scope(task_instance_id)

    async def try_number(self, task_instance_id: UUID) -> int | None:
        return await self.directory.try_number(task_instance_id)

    async def has_task_instance(self, target: TaskScope | MappedTask) -> bool:
        return await self.directory.has_task_instance(target)

    async def asset(self, asset_id: int) -> Asset | None:
        return await self.directory.asset(asset_id)

    async def asset_by_name(self, name: str) -> Asset | None:
        return await self.directory.asset_by_name(name)

    async def asset_by_uri(self, uri: str) -> Asset | None:
        return await self.directory.asset_by_uri(uri)

    async def access(self, task_instance_id: UUID, asset: Asset) -> frozenset[Access]:
        return await self.directory.access(task_instance_id, asset)

    async def register_task_instances(self, task_instances: Sequence[TaskInstance]) -> None:
        for new in task_instances:
            scope = new.scope
            place = (scope.dag_id, scope.task_id, scope.run_id, scope.map_index)
            names = "dag_id, task_id, run_id, map_index, id, try_number"
            new_row = f"INSERT INTO task_instance ({names}) VALUES (?, ?, ?, ?, ?, ?)"
            queries = [
                self._query(
                    "DELETE FROM task_instance WHERE dag_id = ? AND task_id = ? AND run_id = ? AND map_index = ?",
                    *place,
                ),
                self._query("DELETE FROM task_instance WHERE id = ?", self._id(new.id)),
                self._query(new_row, *place, self._id(new.id), new.try_number),
            ]
            for table, asset_ids in (("inlet", new.inlets), ("outlet", new.outlets)):
                reference = f"task_{table}_asset_reference"
                task = (scope.dag_id, scope.task_id)
                queries.append(self._query(f"DELETE FROM {reference} WHERE dag_id = ? AND task_id = ?", *task))
                queries += [
                    self._query(
                        f"INSERT INTO {reference} (dag_id, task_id, asset_id) VALUES (?, ?, ?)", *task, asset_id
                    )
                    for asset_id in sorted(asset_ids)
                ]
            await run(self.connections, *queries)

    async def register_asset(self, *, name: str, uri: str | None = None, group: str = "asset") -> Asset:
        uri = name if uri is None else uri
        column = _quoted(self.connections.url.dialect, "group")
        rows = await run(
            self.connections,
            self._query(f"INSERT INTO asset (name, uri, {column}) VALUES (?, ?, ?)", name, uri, group),
            self._query("INSERT INTO asset_active (name, uri) VALUES (?, ?)", name, uri),
            self._query("SELECT id FROM asset WHERE name = ? AND uri = ?", name, uri),
        )
        return Asset(rows[0][0], name, uri, group)

    async def deactivate_asset(self, asset_id: int) -> None:
        name = self._query("SELECT name FROM asset WHERE id = ?", asset_id)
        ((active,),) = await run(self.connections, name)
        await run(self.connections, self._query("DELETE FROM asset_active WHERE name = ?", active))

    async def restore_asset(self, asset_id: int) -> Asset:
        await run(
            self.connections,
            self._query("DELETE FROM asset_active WHERE name = (SELECT name FROM asset WHERE id = ?)", asset_id),
            self._query("INSERT INTO asset_active (name, uri) SELECT name, uri FROM asset WHERE id = ?", asset_id),
        )
        found = await self.directory.asset(asset_id)
        assert found is not None
        return found
