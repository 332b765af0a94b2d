"""The SQL, one file per dialect, imported only where it is used."""

from __future__ import annotations

from importlib import import_module

from statemount.database.schema import TableNames
from statemount.database.statements.base import StoreStatements

_STORE = {
    "sqlite": ("statemount.database.statements.sqlite", "SQLiteStatements"),
    "postgresql": ("statemount.database.statements.postgresql", "PostgreSQLStatements"),
    "mysql": ("statemount.database.statements.mysql", "MySQLStatements"),
}


def make_store_statements(dialect: str, tables: TableNames) -> StoreStatements:
    """Return the store's statements in a dialect, over these tables."""
    module, name = _STORE[dialect]
    statements: StoreStatements = getattr(import_module(module), name)(tables)
    return statements
