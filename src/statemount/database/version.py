"""Which version of the schema the database has, and whether this package works with it."""

from __future__ import annotations

import asyncio

from statemount.database.connections import Connections
from statemount.database.query import Query, Script
from statemount.database.schema import SCHEMA_VERSION, TableNames
from statemount.errors import SchemaError
from statemount.interfaces import Resource

_FIND_TABLE = {
    "sqlite": "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?",
    "postgresql": "SELECT 1 WHERE to_regclass($1) IS NOT NULL",
    "mysql": "SELECT 1 FROM information_schema.tables WHERE table_schema = database() AND table_name = %s",
}


async def schema_version(connections: Connections, tables: TableNames) -> str | None:
    """Return the version of the schema in the database, or None if it has none.

    Raises:
        UnavailableError: The database does not answer.
    """

    def script() -> Script[str | None]:
        found = yield Query(_FIND_TABLE[connections.url.dialect], (tables.version,))
        if not found:
            return None
        rows = yield Query(f"SELECT version_num FROM {tables.version}")  # noqa: S608 - a checked name
        return str(rows[0][0]) if rows else None

    return await connections.read(script)


def check_version(version: str | None, tables: TableNames) -> None:
    """Refuse a schema that this package does not work with. It works with its own, and with the next one.

    Raises:
        SchemaError: The schema is missing, too old or too new; the sentence says what to do.
    """
    where = f"the database's statemount schema (tables {tables.prefix}*)"
    if version is None:
        raise SchemaError(f"{where} is missing: run 'statemount db upgrade'")
    if not version.isdecimal():
        raise SchemaError(
            f"{where} is at an unknown version, {version!r}: another program's table is in the way;"
            " choose another table prefix"
        )
    if int(version) < int(SCHEMA_VERSION):
        raise SchemaError(f"{where} is too old, {version} instead of {SCHEMA_VERSION}: run 'statemount db upgrade'")
    if int(version) > int(SCHEMA_VERSION) + 1:
        raise SchemaError(
            f"{where} is too new, {version} instead of {SCHEMA_VERSION}:"
            " upgrade statemount ('statemount db check' tells when it fits)"
        )


class Schema(Resource):
    """The schema as a piece of a runtime: checked, or made, when the runtime starts.

    Args:
        auto_upgrade: Bring an older or missing schema to the newest version instead of refusing it.
    """

    def __init__(self, connections: Connections, tables: TableNames, *, auto_upgrade: bool) -> None:
        self._connections = connections
        self._tables = tables
        self._auto_upgrade = auto_upgrade

    async def open(self) -> None:
        version = await schema_version(self._connections, self._tables)
        if self._auto_upgrade and (version is None or (version.isdecimal() and int(version) < int(SCHEMA_VERSION))):
            await asyncio.to_thread(_import_alembic)  # it takes half a second, and the event loop is the host's
            await self._connections.upgrade(self._tables)
            version = await schema_version(self._connections, self._tables)
        check_version(version, self._tables)


def _import_alembic() -> None:
    import statemount.database.migrations.runner  # noqa: F401
