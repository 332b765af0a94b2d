"""Somebody who writes into an app's tables behind its back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from statemount.database.schema import TableNames
from statemount.model import AssetScope, TaskScope
from statemount.mount import StateMount
from statemount.operations import Set
from tests.contract.world import NOON
from tests.databases import sqlite_path

_ENTRY, _SCOPE = TableNames().entry, TableNames().scope


class Outsider:
    """Writes rows on connections of its own, of the driver's making."""

    def __init__(self, state: StateMount) -> None:
        self._store = state.service.store
        self._url = state.settings.database_url.get_secret_value()

    async def write(self, scope: TaskScope | AssetScope, key: str, value: str) -> None:
        """Write a value as it is, whatever it is; in memory as nobody else can."""
        if self._url.startswith("memory:"):
            await self._store.apply(scope, [Set(key, value)], writer=None)
        else:
            await self.insert(scope, key.encode(), value)

    async def insert(
        self,
        scope: TaskScope | AssetScope,
        key: Any,
        value: Any,
        *,
        updated_at: Any = NOON,
        expires_at: Any = None,
        writer: Any = None,
    ) -> None:
        """Write a row."""
        column, owner = ("asset_id", scope.asset_id) if isinstance(scope, AssetScope) else ("run_id", scope.run_id)
        name = "`key`" if self._url.startswith("mysql") else "key"
        changed = await _execute(
            self._url,
            f"INSERT INTO {_ENTRY} (scope_id, {name}, value, updated_at, revision, expires_at, writer) "
            f"SELECT id, ?, ?, ?, 1, ?, ? FROM {_SCOPE} WHERE {column} = ?",
            [key, value, updated_at, expires_at, writer, owner],
        )
        assert changed == 1


async def _execute(url: str, sql: str, arguments: Sequence[Any] = ()) -> int:
    """Run one statement on a connection of our own; ``?`` stands for an argument. Return how many rows it changed."""
    parts = urlsplit(url)
    if parts.scheme.startswith("sqlite"):
        connection = sqlite3.connect(sqlite_path(url), isolation_level=None)
        try:
            return connection.execute(sql, arguments).rowcount
        finally:
            connection.close()
    if parts.scheme.startswith("postgres"):
        import asyncpg

        for number in range(1, len(arguments) + 1):
            sql = sql.replace("?", f"${number}", 1)
        session = await asyncpg.connect(parts._replace(scheme="postgresql").geturl())
        try:
            return int((await session.execute(sql, *arguments)).split()[-1])
        finally:
            await session.close()
    import asyncmy

    session = await asyncmy.connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=unquote(parts.username or "root"),
        password=unquote(parts.password or ""),
        database=parts.path.strip("/"),
        autocommit=True,
    )
    try:
        async with session.cursor() as cursor:
            return int(await cursor.execute(sql.replace("?", "%s"), tuple(arguments)))
    finally:
        await session.ensure_closed()
