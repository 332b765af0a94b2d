"""Calls of the directory routes: what hosts ask that do not run in the server's process."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from statemount.client import answers
from statemount.client.bodies import encode
from statemount.client.calls import Call
from statemount.client.contracts import PUBLIC
from statemount.client.paths import query, segment
from statemount.client.values import AssetPage, AssetReference, Registration
from statemount.model import Asset, AssetScope, TaskInstance

_TASK_INSTANCES = f"{PUBLIC}/directory/task-instances"
_ASSETS = f"{PUBLIC}/directory/assets"
_REVOCATIONS = f"{PUBLIC}/directory/revocations"


def register_task_instance(registration: Registration | TaskInstance) -> Call[None]:
    """Register one."""
    return Call("PUT", _task_instance(registration.id), answers.nothing, encode(_document(registration)))


def register_task_instances(registrations: Iterable[Registration | TaskInstance]) -> Call[None]:
    """Register several, all or none."""
    body = encode({"task_instances": [_document(registration) for registration in registrations]})
    return Call("POST", _TASK_INSTANCES, answers.nothing, body)


def task_instance(ti_id: UUID | str) -> Call[TaskInstance]:
    """Ask for a registration."""
    return Call("GET", _task_instance(ti_id), answers.task_instance)


def remove_task_instance(ti_id: UUID | str) -> Call[None]:
    """Forget one."""
    return Call("DELETE", _task_instance(ti_id), answers.nothing)


def succeeded(ti_id: UUID | str) -> Call[None]:
    """Report a success."""
    return Call("POST", f"{_task_instance(ti_id)}/succeeded", answers.nothing)


def revoke_task_instance(ti_id: UUID | str, until: datetime | None) -> Call[None]:
    """Revoke the tokens of one."""
    return Call("POST", _REVOCATIONS, answers.nothing, encode({"task_instance_id": str(ti_id), **_until(until)}))


def revoke_token(jti: str, until: datetime | None) -> Call[None]:
    """Revoke one token."""
    return Call("POST", _REVOCATIONS, answers.nothing, encode({"jti": jti, **_until(until)}))


def _until(until: datetime | None) -> dict[str, str]:
    return {} if until is None else {"expires_at": until.isoformat()}


def drop_run(dag_id: str, run_id: str) -> Call[None]:
    """Forget a run, and remove its state."""
    path = f"{PUBLIC}/directory/runs/{segment('dag_id', dag_id)}/{segment('run_id', run_id)}"
    return Call("DELETE", path, answers.nothing)


def register_asset(name: str, uri: str | None, group: str) -> Call[Asset]:
    """Register an asset."""
    return Call("PUT", _ASSETS, answers.asset, encode({"name": name, "uri": uri, "group": group}))


def assets(limit: int, offset: int) -> Call[AssetPage]:
    """Ask for a part of the assets."""
    return Call("GET", _ASSETS + query(limit=limit, offset=offset), answers.assets)


def deactivate_asset(asset_id: int) -> Call[None]:
    """Hide an asset."""
    return Call("DELETE", f"{_ASSETS}/{asset_id:d}", answers.nothing)


def restore_asset(asset_id: int) -> Call[Asset]:
    """Show an asset again."""
    return Call("POST", f"{_ASSETS}/{asset_id:d}/restore", answers.asset)


def _task_instance(ti_id: UUID | str) -> str:
    return f"{_TASK_INSTANCES}/{segment('task_instance_id', str(ti_id))}"


def _document(registration: Registration | TaskInstance) -> dict[str, Any]:
    scope = registration.scope
    return {
        "id": str(registration.id),
        "dag_id": scope.dag_id,
        "run_id": scope.run_id,
        "task_id": scope.task_id,
        "map_index": scope.map_index,
        "try_number": registration.try_number,
        "inlets": [_reference(asset) for asset in registration.inlets],
        "outlets": [_reference(asset) for asset in registration.outlets],
    }


def _reference(asset: AssetReference) -> int | str | dict[str, int | str]:
    if isinstance(asset, Asset):
        return asset.asset_id
    if isinstance(asset, AssetScope):
        named = {"asset_id": asset.asset_id, "name": asset.name, "uri": asset.uri}
        return {name: value for name, value in named.items() if value is not None}
    return asset
