"""What a store is asked about."""

from __future__ import annotations

from collections.abc import Sequence

from statemount.database.digests import asset_id
from statemount.model import AssetScope, Scope, Timestamp
from statemount.operations import Clear, Operation


def stored_scope(scope: Scope) -> Scope:
    """Return the scope as a store knows it: an asset by its id alone.

    Raises:
        ValueError: It is an asset's, without the id.
    """
    if not isinstance(scope, AssetScope) or (scope.asset_id is not None and scope.name is None and scope.uri is None):
        return scope
    return AssetScope(asset_id(scope))


def check_moment(revision: int | None, at: Timestamp | None) -> None:
    """Refuse a question about the past that names no moment, or two.

    Raises:
        ValueError: It does.
    """
    if (revision is None) is (at is None):
        raise ValueError("a revision or a time is needed, and only one of them")


def check_clears_task(operations: Sequence[Operation]) -> None:
    """Refuse what cannot be done to every map index of a task.

    Raises:
        ValueError: It is anything but a single clear.
    """
    if list(operations) not in ([Clear()], [Clear(purge=True)]):
        raise ValueError("every map index of a task can only be cleared, without a condition")
