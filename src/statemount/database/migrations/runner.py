"""Bringing the schema to the newest version, by one process at a time."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

from statemount.database.schema import TableNames
from statemount.database.url import DatabaseUrl

_LOCK_SECONDS = 60

# MariaDB notes of every primary key that its name is ignored, and asyncmy logs each note as a warning.
logging.getLogger("asyncmy").addFilter(lambda record: "ignored for PRIMARY key" not in record.getMessage())


def upgrade_sqlite(connection: Any, tables: TableNames) -> None:
    """Upgrade through an open ``sqlite3`` connection, on its thread, as one transaction.

    Args:
        connection: In autocommit mode (``isolation_level=None``).
    """
    engine = sa.create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    # The driver's own transactions leave DDL out, so BEGIN is ours; IMMEDIATE makes a second process wait.
    sa.event.listen(engine, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.begin() as begun:
        _run(begun, tables, transactional_ddl=True)


async def upgrade_server(url: DatabaseUrl, tables: TableNames, connect_args: dict[str, Any]) -> None:
    """Upgrade a PostgreSQL, MariaDB or MySQL database, under a lock of the server's.

    Args:
        connect_args: For the driver's own ``connect``.
    """
    engine = create_async_engine(url.plain, poolclass=NullPool, connect_args=connect_args)
    lock = f"{tables.prefix}migrations"
    is_postgresql = url.dialect == "postgresql"
    try:
        async with engine.begin() as connection:
            if is_postgresql:
                await connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
                await connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
                await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": lock})
            elif not await connection.scalar(
                sa.text("SELECT GET_LOCK(:name, :wait)"), {"name": lock, "wait": _LOCK_SECONDS}
            ):
                raise TimeoutError(f"another process has been migrating for {_LOCK_SECONDS} s")
            # PostgreSQL's lock ends with the transaction, the others' with the connection, which is closed right after.
            await connection.run_sync(_run, tables, transactional_ddl=is_postgresql)
    finally:
        await asyncio.shield(engine.dispose())


def _run(connection: sa.Connection, tables: TableNames, *, transactional_ddl: bool) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes.update(connection=connection, tables=tables, transactional_ddl=transactional_ddl)
    command.upgrade(config, "head")
