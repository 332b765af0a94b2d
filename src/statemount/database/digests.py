"""Digests that identify scopes, tasks, runs and assets: an index over the ids themselves would be too long.

SHA-256 over the parts, each led by its length, so that no two lists of parts are alike.
"""

from __future__ import annotations

from hashlib import sha256

from statemount.model import AssetScope, MappedTask, Run, Scope, TaskScope


def digest(*parts: str) -> bytes:
    """Return the digest of some texts, 32 bytes."""
    hashed = sha256()
    for part in parts:
        encoded = part.encode()
        hashed.update(len(encoded).to_bytes(4, "big"))
        hashed.update(encoded)
    return hashed.digest()


def run_digest(dag_id: str, run_id: str) -> bytes:
    """Return the digest that every scope of a run carries."""
    return digest("run", dag_id, run_id)


def owner_digest(owner: Run | AssetScope) -> bytes:
    """Return the digest, in the column ``run_digest``, of what a scope is dropped with: its run, or its asset."""
    return run_digest(owner.dag_id, owner.run_id) if isinstance(owner, Run) else scope_digest(owner)


def task_digest(task: MappedTask | TaskScope) -> bytes:
    """Return the digest that the scopes of every map index of a task carry."""
    return digest("mapped", task.dag_id, task.run_id, task.task_id)


def scope_digest(scope: Scope) -> bytes:
    """Return the digest of one scope.

    Raises:
        ValueError: It is an asset's, without the id that the server knows it by.
    """
    if isinstance(scope, TaskScope):
        return digest("task", scope.dag_id, scope.run_id, scope.task_id, str(scope.map_index))
    return digest("asset", str(asset_id(scope)))


def asset_id(scope: AssetScope) -> int:
    """Return the asset's id.

    Raises:
        ValueError: The scope has none.
    """
    if scope.asset_id is None:
        raise ValueError("a store knows an asset by its id")
    return scope.asset_id
