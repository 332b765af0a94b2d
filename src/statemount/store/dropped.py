"""What a write to a scope is told whose owner was dropped a moment ago."""

from __future__ import annotations

from statemount.errors import AssetNotFoundError, NotFoundError, TaskInstanceNotFoundError
from statemount.model import Scope, TaskScope


def dropped(scope: Scope) -> NotFoundError:
    """Return the error for a write to a scope that was dropped."""
    if isinstance(scope, TaskScope):
        return TaskInstanceNotFoundError(f"run {scope.run_id!r} of dag {scope.dag_id!r} was dropped")
    return AssetNotFoundError(f"Asset with id {scope.asset_id} not found")
