"""The schema's migrations: Alembic's, imported only when the schema has to be made or changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from statemount.database.connections import Connections
from statemount.database.schema import DEFAULT_PREFIX, TableNames
from statemount.database.url import DatabaseUrl
from statemount.database.version import check_version, schema_version


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Connections]:
    connections = Connections(DatabaseUrl(url), size=1)
    await connections.open()
    try:
        yield connections
    finally:
        await connections.close()


async def upgrade(url: str, prefix: str = DEFAULT_PREFIX) -> None:
    """Bring the schema of a database to the newest version; make it if it is missing.

    Raises:
        ConfigurationError: The URL or the prefix cannot be used.
        UnavailableError: The database does not answer, or another process migrates it for too long.
    """
    tables = TableNames(prefix)
    async with _connected(url) as connections:
        await connections.upgrade(tables)


async def current(url: str, prefix: str = DEFAULT_PREFIX) -> str | None:
    """Return the version of the schema of a database, or None if it has none.

    Raises:
        ConfigurationError: The URL or the prefix cannot be used.
        UnavailableError: The database does not answer.
    """
    tables = TableNames(prefix)
    async with _connected(url) as connections:
        return await schema_version(connections, tables)


async def check(url: str, prefix: str = DEFAULT_PREFIX) -> None:
    """Tell whether this version of statemount works with the schema of a database.

    Raises:
        SchemaError: It does not; the sentence says what to do.
        ConfigurationError: The URL or the prefix cannot be used.
        UnavailableError: The database does not answer.
    """
    check_version(await current(url, prefix), TableNames(prefix))
