"""The first schema: scopes, entries, their log, tombstones, and the directory."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import mysql

from statemount.errors import ConfigurationError

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_DIGEST = sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")
_UUID = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql", "mariadb")
_KEY = sa.LargeBinary().with_variant(mysql.VARBINARY(2048), "mysql", "mariadb")
_VALUE = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
_TIME = sa.BigInteger()
_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mysql_row_format": "DYNAMIC",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
    "mariadb_row_format": "DYNAMIC",
}


def _create_table(name: str, *items: sa.schema.SchemaItem, **options: Any) -> None:
    inspector = sa.inspect(op.get_bind())
    if not inspector.has_table(name):
        op.create_table(name, *items, **options)
        return
    # MariaDB and MySQL commit each statement: it is there if an upgrade was broken off.
    wanted = {item.name for item in items if isinstance(item, sa.Column)}
    if not wanted <= {column["name"] for column in inspector.get_columns(name)}:
        raise ConfigurationError(f"table {name} is there and is another program's: choose another table prefix")


def _create_index(name: str, table: str, columns: list[str], **options: Any) -> None:
    if not sa.inspect(op.get_bind()).has_index(table, name):
        op.create_index(name, table, columns, **options)


def upgrade() -> None:
    """Make the tables."""
    t = context.config.attributes["tables"]
    _create_table(
        t.scope,
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("dag_id", sa.String(250)),
        sa.Column("run_id", sa.String(250)),
        sa.Column("task_id", sa.String(250)),
        sa.Column("map_index", sa.BigInteger()),
        sa.Column("asset_id", sa.BigInteger()),
        sa.Column("digest", _DIGEST, nullable=False),
        sa.Column("run_digest", _DIGEST),
        sa.Column("task_digest", _DIGEST),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("digest", name=f"{t.scope}_digest_key"),
        sqlite_autoincrement=True,
        **_MYSQL,
    )
    _create_index(f"{t.scope}_run_digest_idx", t.scope, ["run_digest"])
    _create_index(f"{t.scope}_task_digest_idx", t.scope, ["task_digest"])
    _create_table(
        t.entry,
        sa.Column("scope_id", sa.BigInteger(), nullable=False),
        sa.Column("key", _KEY, nullable=False),
        sa.Column("value", _VALUE, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", _TIME),
        sa.Column("writer", sa.Text()),
        sa.PrimaryKeyConstraint("scope_id", "key", name=f"{t.entry}_pkey"),
        **_MYSQL,
    )
    has_expiry = sa.text("expires_at IS NOT NULL")
    _create_index(
        f"{t.entry}_expires_at_idx",
        t.entry,
        ["expires_at"],
        postgresql_where=has_expiry,
        sqlite_where=has_expiry,
    )
    _create_table(
        t.change,
        sa.Column("scope_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key", _KEY),
        sa.Column("changed_at", _TIME, nullable=False),
        sa.Column("writer", sa.Text()),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("value", _VALUE),
        sa.Column("expires_at", _TIME),
        sa.PrimaryKeyConstraint("scope_id", "revision", name=f"{t.change}_pkey"),
        **_MYSQL,
    )
    _create_index(f"{t.change}_changed_at_idx", t.change, ["changed_at"])
    _create_table(
        t.dropped_run,
        sa.Column("run_digest", _DIGEST, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("run_digest", name=f"{t.dropped_run}_pkey"),
        **_MYSQL,
    )
    _create_table(
        t.task_instance,
        sa.Column("id", _UUID, nullable=False),
        sa.Column("dag_id", sa.String(250), nullable=False),
        sa.Column("run_id", sa.String(250), nullable=False),
        sa.Column("task_id", sa.String(250), nullable=False),
        sa.Column("map_index", sa.BigInteger(), nullable=False),
        sa.Column("digest", _DIGEST, nullable=False),
        sa.Column("run_digest", _DIGEST, nullable=False),
        sa.Column("task_digest", _DIGEST, nullable=False),
        sa.Column("try_number", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"{t.task_instance}_pkey"),
        sa.UniqueConstraint("digest", name=f"{t.task_instance}_digest_key"),
        **_MYSQL,
    )
    _create_index(f"{t.task_instance}_run_digest_idx", t.task_instance, ["run_digest"])
    _create_index(f"{t.task_instance}_task_digest_idx", t.task_instance, ["task_digest"])
    _create_index(f"{t.task_instance}_updated_at_idx", t.task_instance, ["updated_at"])
    _create_table(
        t.asset,
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("active_name", _DIGEST),
        sa.Column("active_uri", _DIGEST),
        sa.Column("deactivated_at", _TIME),
        sa.UniqueConstraint("active_name", name=f"{t.asset}_active_name_key"),
        sa.UniqueConstraint("active_uri", name=f"{t.asset}_active_uri_key"),
        sqlite_autoincrement=True,
        **_MYSQL,
    )
    is_inactive = sa.text("deactivated_at IS NOT NULL")
    _create_index(
        f"{t.asset}_deactivated_at_idx",
        t.asset,
        ["deactivated_at"],
        postgresql_where=is_inactive,
        sqlite_where=is_inactive,
    )
    _create_table(
        t.task_asset,
        sa.Column("task_instance_id", _UUID, nullable=False),
        sa.Column("asset_id", sa.BigInteger(), nullable=False),
        sa.Column("access", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("task_instance_id", "asset_id", "access", name=f"{t.task_asset}_pkey"),
        **_MYSQL,
    )
    _create_index(f"{t.task_asset}_asset_id_idx", t.task_asset, ["asset_id"])
