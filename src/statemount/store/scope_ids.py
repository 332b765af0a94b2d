"""Which row of the scope table a scope has: a bounded cache, and the queries behind it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from statemount.database.connections import Connections
from statemount.database.digests import asset_id, owner_digest, scope_digest, task_digest
from statemount.database.query import Script
from statemount.database.rows import NewScope
from statemount.database.statements.base import StoreStatements
from statemount.model import Run, Scope, TaskScope, Timestamp


class ScopeIds:
    """The ids of scopes seen lately. An id is never reused, so a stale one is found to be gone.

    That is so on one server. All are forgotten where a connection was lost: a copy that takes over may lack the scopes
    that were made last, and give their ids to others.

    Args:
        connections: What the ids are looked up over.
        size: At most so many are remembered.
    """

    def __init__(self, connections: Connections, size: int = 100_000) -> None:
        self._connections = connections
        self._size = size
        self._ids: OrderedDict[Scope, int] = OrderedDict()
        self._losses = connections.losses

    def get(self, scope: Scope) -> int | None:
        """Return the id, if it is remembered."""
        if self._losses != self._connections.losses:
            self._losses = self._connections.losses
            self._ids.clear()
        return self._ids.get(scope)

    def remember(self, scope: Scope, scope_id: int, *, since: int) -> None:
        """Keep an id.

        Args:
            since: The losses of the connections before it was looked up; it is kept if there were no more of them.
        """
        if not since == self._losses == self._connections.losses:
            return
        self._ids[scope] = scope_id
        if len(self._ids) > self._size:
            self._ids.popitem(last=False)

    def forget(self, scope: Scope) -> None:
        """Drop an id that was found to be gone."""
        self._ids.pop(scope, None)


def find_scopes(statements: StoreStatements, scopes: Iterable[Scope], now: Timestamp) -> Script[Mapping[Scope, int]]:
    """Look the ids up; scopes that do not exist, or whose run was dropped, are left out."""
    by_digest = {scope_digest(scope): scope for scope in scopes}
    rows = yield statements.find_scopes(list(by_digest), now)
    return {by_digest[bytes(row[0])]: row[1] for row in rows}


def create_scopes(statements: StoreStatements, scopes: Sequence[Scope], now: Timestamp) -> Script[None]:
    """Make the scopes that are missing, but for those of a dropped run."""
    yield statements.create_scopes(sorted((_new_scope(scope, now) for scope in scopes), key=_by_digest), now)


def _by_digest(scope: NewScope) -> bytes:
    return scope.digest  # one order for every process, so that none waits for another in a circle


def _new_scope(scope: Scope, now: Timestamp) -> NewScope:
    if isinstance(scope, TaskScope):
        return NewScope(
            kind="task",
            dag_id=scope.dag_id,
            run_id=scope.run_id,
            task_id=scope.task_id,
            map_index=scope.map_index,
            asset_id=None,
            digest=scope_digest(scope),
            run_digest=owner_digest(Run(scope.dag_id, scope.run_id)),
            task_digest=task_digest(scope),
            revision=now,
            updated_at=now,
        )
    digest = scope_digest(scope)
    return NewScope("asset", None, None, None, None, asset_id(scope), digest, owner_digest(scope), None, now, now)
