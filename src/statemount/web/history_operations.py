"""What can be asked of histories: the same paths for both contract versions."""

from __future__ import annotations

from collections.abc import Iterator

from statemount.web.answers import (
    AssetKeyHistory,
    HTTPExceptionResponse,
    ReasonedResponse,
    StateHistory,
    TaskKeyHistory,
)
from statemount.web.histories import KeyHistoryQuery, RevertBody, TaskHistoryQuery, TaskKeyHistoryQuery
from statemount.web.operations import Answer, ApiOperation
from statemount.web.parameters import HistoryQuery, MapIndexQuery
from statemount.web.public_asset_history import AssetHistoryEndpoints
from statemount.web.public_assets import AssetKeyPath, AssetPath
from statemount.web.public_task_history import TaskHistoryEndpoints
from statemount.web.public_tasks import TaskKeyPath, TaskPath

_SEGMENT = "state-history"

_HISTORY = Answer(200, "The changes, the newest first.", StateHistory, has_link=True)
_GONE = Answer(410, "It is not known any more how it was.", ReasonedResponse)
_REVERTED = Answer(204, "Done; the ETag is left out where the key is deleted.", has_etag=True)
_FULL = Answer(409, "The task instance or asset would have too many keys, or too much in them.", ReasonedResponse)
_FAILED = Answer(412, "The condition does not hold; the ETag is the current one.", HTTPExceptionResponse, has_etag=True)
_NO_KEY = Answer(404, "There was no such key.", HTTPExceptionResponse)
_NO_TASK_INSTANCE = Answer(404, "There is no such task instance.", HTTPExceptionResponse)
_NO_ASSET = Answer(404, "There is no such asset, or there was no such key of it.", HTTPExceptionResponse)

_HISTORY_OF_ALL = "Who wrote or removed what, and when. Only so many changes are kept, and for so long."
_HISTORY_OF_KEY = (
    "Its changes, with those that cleared everything; or, with revision or at, the entry as it was then. Values are"
    " kept of assets, and up to a length, unless it is set otherwise; what has not changed since is known in any case."
)
_REVERT = (
    "Writes what the key held right after a change, as a change of its own; deletes the key if there was nothing then,"
    " which needs state:delete besides."
)


def task_history_operations(tasks: TaskHistoryEndpoints, task: str) -> Iterator[ApiOperation]:
    """Return the operations on the histories of task instances.

    Args:
        task: The path of a task.
    """
    whole, tag = f"{task}/{_SEGMENT}", "Task State History"
    yield ApiOperation(
        "GET",
        whole,
        "list_task_state_history",
        "Read the history of a task instance's state",
        tag,
        tasks.get_page,
        (_HISTORY,),
        TaskPath,
        TaskHistoryQuery,
        permission="state:read",
        description=f"{_HISTORY_OF_ALL} The list is empty where there is no such task instance.",
    )
    yield ApiOperation(
        "GET",
        f"{whole}/{{key:path}}",
        "get_task_state_history",
        "Read the history of a key of a task instance",
        tag,
        tasks.get,
        (Answer(200, "The changes, or the entry.", TaskKeyHistory, has_link=True), _NO_KEY, _GONE),
        TaskKeyPath,
        TaskKeyHistoryQuery,
        permission="state:read",
        description=_HISTORY_OF_KEY,
    )
    yield ApiOperation(
        "POST",
        f"{whole}/{{key:path}}",
        "revert_task_state",
        "Bring back a key of a task instance",
        tag,
        tasks.revert,
        (_REVERTED, _NO_TASK_INSTANCE, _FULL, _GONE, _FAILED),
        TaskKeyPath,
        MapIndexQuery,
        RevertBody,
        permission="state:write",
        further_permissions=("state:read",),
        description=f"{_REVERT} The entry ends when it did then; where that is over, after the default retention.",
    )


def asset_history_operations(assets: AssetHistoryEndpoints, asset: str) -> Iterator[ApiOperation]:
    """Return the operations on the histories of assets.

    Args:
        asset: The path of an asset.
    """
    whole, tag = f"{asset}/{_SEGMENT}", "Asset State History"
    yield ApiOperation(
        "GET",
        whole,
        "list_asset_state_history",
        "Read the history of an asset's state",
        tag,
        assets.get_page,
        (_HISTORY, _NO_ASSET),
        AssetPath,
        HistoryQuery,
        permission="state:read",
        description=_HISTORY_OF_ALL,
    )
    yield ApiOperation(
        "GET",
        f"{whole}/{{key:path}}",
        "get_asset_state_history",
        "Read the history of a key of an asset",
        tag,
        assets.get,
        (Answer(200, "The changes, or the entry.", AssetKeyHistory, has_link=True), _NO_ASSET, _GONE),
        AssetKeyPath,
        KeyHistoryQuery,
        permission="state:read",
        description=_HISTORY_OF_KEY,
    )
    yield ApiOperation(
        "POST",
        f"{whole}/{{key:path}}",
        "revert_asset_state",
        "Bring back a key of an asset",
        tag,
        assets.revert,
        (_REVERTED, _NO_ASSET, _FULL, _GONE, _FAILED),
        AssetKeyPath,
        body=RevertBody,
        permission="state:write",
        further_permissions=("state:read",),
        description=_REVERT,
    )
