"""Which credentials are revoked, in a table of a database."""

from __future__ import annotations

from collections.abc import Sequence

from statemount.database.connections import Connections
from statemount.database.digests import digest
from statemount.database.query import Query, Row, Script
from statemount.database.schema import TableNames
from statemount.database.statements.revocations import RevocationStatements
from statemount.interfaces import Clock, Credential, Revocations
from statemount.model import Timestamp


class DatabaseRevocations(Revocations):
    """Keeps them among the tombstones, by digest. It remembers nothing: wrap it in a ``CachedRevocations``.

    What is over is removed by the next revocation, and by the store's sweeper.

    Args:
        connections: Opened before it, and closed after it.
        tables: The names of the tables.
        clock: Microseconds since the epoch.
    """

    def __init__(self, connections: Connections, *, tables: TableNames, clock: Clock) -> None:
        self._connections = connections
        self._statements = RevocationStatements(connections.url.dialect, tables)
        self._clock = clock

    async def revoke(self, credential: Credential, *, until: Timestamp) -> None:
        await self._connections.detached(self._connections.write(lambda: self._script(credential, until)))

    def _script(self, credential: Credential, until: Timestamp) -> Script[None]:
        yield self._statements.forget(self._clock())
        yield self._statements.put(_digest(credential), until)

    async def are_any_revoked(self, credentials: Sequence[Credential]) -> bool:
        digests = [_digest(credential) for credential in credentials]
        return bool(digests) and bool(await self._rows(self._statements.any_of(digests, self._clock())))

    async def is_empty(self) -> bool:
        return not await self._rows(self._statements.any(self._clock()))

    async def _rows(self, query: Query) -> Sequence[Row]:
        rows = self._connections.read_at_once(query)
        if rows is not None:
            return rows
        return await self._connections.detached(self._connections.read(lambda: _only(query)))


def _only(query: Query) -> Script[Sequence[Row]]:
    return (yield query)


def _digest(credential: Credential) -> bytes:
    return digest("revoked", credential.kind, credential.name)
