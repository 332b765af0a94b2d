"""The table of the directory's operations, a part of the public route set."""

from __future__ import annotations

from collections.abc import Iterator

from statemount.service.registrar import READ, WRITE
from statemount.web.answers import HTTPExceptionResponse
from statemount.web.directory import (
    AssetBody,
    AssetCollectionResponse,
    AssetResponse,
    DirectoryEndpoints,
    OneTaskInstanceBody,
    RevocationBody,
    RunPath,
    TaskInstanceResponse,
    TaskInstancesBody,
)
from statemount.web.operations import Answer, ApiOperation
from statemount.web.parameters import NoParameters, PageQuery
from statemount.web.public_assets import AssetPath
from statemount.web.worker_tasks import TaskInstancePath

_TAG = "Directory"
_TASK_INSTANCES = "/directory/task-instances"
_TASK_INSTANCE = f"{_TASK_INSTANCES}/{{task_instance_id}}"
_ASSETS = "/directory/assets"
_ASSET = f"{_ASSETS}/{{asset_id}}"

_DONE = Answer(204, "Done.")
_NO_TASK_INSTANCE = Answer(404, "There is no such task instance.", HTTPExceptionResponse)
_NO_ASSET = Answer(404, "There is no such asset.", HTTPExceptionResponse)
_NO_REGISTRY = Answer(409, "The directory is none that is filled like this.", HTTPExceptionResponse)
_CONFLICT = Answer(
    409,
    "The name or the URI belongs to another active asset, or the directory is none that is filled like this.",
    HTTPExceptionResponse,
)


def directory_operations(directory: DirectoryEndpoints) -> Iterator[ApiOperation]:
    """Return what can be asked of the directory."""
    yield ApiOperation(
        "PUT",
        _TASK_INSTANCE,
        "register_task_instance",
        "Register a task instance",
        _TAG,
        directory.put_task_instance,
        (_DONE, Answer(404, "An inlet or outlet is no known asset.", HTTPExceptionResponse), _NO_REGISTRY),
        TaskInstancePath,
        body=OneTaskInstanceBody,
        permission=WRITE,
        description="Idempotent. The same id again replaces its registration; another id for the same task instance, "
        "a retry, takes the place of the old one, and the state stays.",
    )
    yield ApiOperation(
        "POST",
        _TASK_INSTANCES,
        "register_task_instances",
        "Register up to 1,000 task instances",
        _TAG,
        directory.post_task_instances,
        (_DONE, Answer(404, "An inlet or outlet is no known asset.", HTTPExceptionResponse), _NO_REGISTRY),
        body=TaskInstancesBody,
        permission=WRITE,
        description="All or none, in their order. Idempotent.",
    )
    yield ApiOperation(
        "GET",
        _TASK_INSTANCE,
        "get_registered_task_instance",
        "Get a task instance as it is registered",
        _TAG,
        directory.get_task_instance,
        (Answer(200, "The registration.", TaskInstanceResponse), _NO_TASK_INSTANCE, _NO_REGISTRY),
        TaskInstancePath,
        permission=READ,
    )
    yield ApiOperation(
        "DELETE",
        _TASK_INSTANCE,
        "remove_task_instance",
        "Forget a task instance",
        _TAG,
        directory.delete_task_instance,
        (_DONE, _NO_REGISTRY),
        TaskInstancePath,
        permission=WRITE,
        description="Its state stays. A no-op if it is unknown.",
    )
    yield ApiOperation(
        "POST",
        f"{_TASK_INSTANCE}/succeeded",
        "task_instance_succeeded",
        "Report that a task instance has succeeded",
        _TAG,
        directory.post_succeeded,
        (_DONE, _NO_TASK_INSTANCE, _NO_REGISTRY),
        TaskInstancePath,
        permission=WRITE,
        description="Its state is cleared where the setting clear_on_success says so.",
    )
    yield ApiOperation(
        "POST",
        "/directory/revocations",
        "revoke_tokens",
        "Refuse the tokens of a task instance, or one token, from now on",
        _TAG,
        directory.post_revocation,
        (_DONE,),
        body=RevocationBody,
        permission=WRITE,
        description="For a task instance that has ended, or a token that got into wrong hands. State and registration "
        "stay. Of several times for the same the latest counts.",
    )
    yield ApiOperation(
        "DELETE",
        "/directory/runs/{dag_id:encoded}/{run_id:path}",
        "drop_run",
        "Forget a run with its task instances and their state",
        _TAG,
        directory.delete_run,
        (_DONE,),
        RunPath,
        permission=WRITE,
        description="A no-op if there is no such run.",
    )
    yield ApiOperation(
        "PUT",
        _ASSETS,
        "register_asset",
        "Register an asset",
        _TAG,
        directory.put_asset,
        (Answer(200, "The asset, with its id.", AssetResponse), _CONFLICT),
        NoParameters,
        body=AssetBody,
        permission=WRITE,
        description="Idempotent: an active asset with this name and URI is given back, with the group replaced.",
    )
    yield ApiOperation(
        "GET",
        _ASSETS,
        "list_assets",
        "List assets",
        _TAG,
        directory.get_assets,
        (Answer(200, "Assets by id, inactive ones included.", AssetCollectionResponse), _NO_REGISTRY),
        NoParameters,
        PageQuery,
        permission=READ,
        description="Refused to who may not reach every asset.",
    )
    yield ApiOperation(
        "DELETE",
        _ASSET,
        "deactivate_asset",
        "Hide an asset from workers",
        _TAG,
        directory.delete_asset,
        (_DONE, _NO_ASSET, _NO_REGISTRY),
        AssetPath,
        permission=WRITE,
        description="Its state is kept for a grace period, in which the asset can be restored.",
    )
    yield ApiOperation(
        "POST",
        f"{_ASSET}/restore",
        "restore_asset",
        "Make an inactive asset active again",
        _TAG,
        directory.post_restore,
        (Answer(200, "The asset.", AssetResponse), _NO_ASSET, _CONFLICT),
        AssetPath,
        permission=WRITE,
    )
