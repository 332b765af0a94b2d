"""The public route set: what people and services call. Both contract versions have the same endpoints."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from statemount.clock import system_clock
from statemount.interfaces import Authenticator, Clock
from statemount.observer import Observer
from statemount.service import StateService
from statemount.web.answers import (
    BatchFailureResponse,
    BatchResponse,
    HTTPExceptionResponse,
    ReasonedResponse,
    TaskBatchResponse,
)
from statemount.web.batch_bodies import AssetBatchBody, PublicTaskBatchBody
from statemount.web.bodies import PublicTaskBody, ValueBody
from statemount.web.contracts import CONTRACTS, ContractVersion, Words
from statemount.web.directory import DirectoryEndpoints
from statemount.web.directory_operations import directory_operations
from statemount.web.documentation import Documentation
from statemount.web.errors import PUBLIC_WORDING
from statemount.web.history_operations import asset_history_operations, task_history_operations
from statemount.web.operations import Answer, ApiOperation
from statemount.web.parameters import MapIndexQuery, PurgeQuery, StatePageQuery
from statemount.web.public_asset_history import AssetHistoryEndpoints
from statemount.web.public_assets import AssetKeyPath, AssetPath, PublicAssetEndpoints
from statemount.web.public_task_history import TaskHistoryEndpoints
from statemount.web.public_tasks import (
    ClearQuery,
    DeleteQuery,
    PublicTaskEndpoints,
    TaskKeyPath,
    TaskPageQuery,
    TaskPath,
)
from statemount.web.route_set import Access, RouteSetApp
from statemount.web.variants import WATCH
from statemount.web.watching import Watching

_DONE = Answer(204, "Done.")
_WRITTEN = Answer(204, "Done.", has_etag=True)
_CHANGED = Answer(200, "Done.", type(None), has_etag=True)
_KNOWN = Answer(304, "The client has it already.", has_etag=True)
_FAILED = Answer(412, "The condition does not hold; the ETag is the current one.", HTTPExceptionResponse, has_etag=True)
_NO_KEY = Answer(404, "There is no such key.", HTTPExceptionResponse)
_NO_TASK_INSTANCE = Answer(404, "There is no such task instance.", HTTPExceptionResponse)
_NO_TASK_KEY = Answer(404, "There is no such task instance, or no such key of it.", HTTPExceptionResponse)
_NO_ASSET = Answer(404, "There is no such asset, or no such key of it.", HTTPExceptionResponse)
_FULL = Answer(409, "The task instance or asset would have too many keys, or too much in them.", ReasonedResponse)

_TASK = "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}"
_ASSET = "/assets/{asset_id}"
_EVENTS = Answer(200, "The events.")
_NOT_PATCHED = Answer(409, "What is there cannot be patched, or there would be too much.", ReasonedResponse)
_NOT_DONE = Answer(
    409,
    "A value cannot be updated like this, or there would be too many keys, or too much in them.",
    BatchFailureResponse,
)
_BATCH_FAILED = Answer(
    412, "A condition does not hold; the ETag is that of the whole.", BatchFailureResponse, has_etag=True
)
_BATCH = (
    "Each operation sees what those before it did; if one fails, nothing is done. A delete needs the permission "
    "`state:delete` besides, a get `state:read`."
)

_TITLE = "Task state and asset state: public API"
_DESCRIPTION = "What people and services call, and where hosts register task instances and assets."


def public_app(
    service: StateService,
    authenticator: Authenticator,
    *,
    max_body_bytes: int,
    contracts: Collection[ContractVersion],
    clock: Clock | None = None,
    observer: Observer | None = None,
    body_seconds: float | None = None,
) -> RouteSetApp:
    """Return the public route set as an app of its own.

    Args:
        max_body_bytes: Longest body of a request.
        contracts: The versions that are served, side by side.
        clock: Of the audit log; None = there is none.
        observer: Is told of every request; None = nobody is.
        body_seconds: How long a body is waited for; None = for ever.
    """
    operations: list[ApiOperation] = []
    watching = Watching(service.watches, "public", clock or system_clock)
    for version, contract in CONTRACTS.items():
        if version in contracts:
            tasks = PublicTaskEndpoints(service, contract.tasks, max_body_bytes)
            assets = PublicAssetEndpoints(service, contract.assets, max_body_bytes)
            operations += _of_tasks(f"{_TASK}/{contract.segment}", tasks)
            operations += _watches_of_tasks(f"{_TASK}/{contract.segment}", tasks, watching)
            operations += _of_assets(f"{_ASSET}/{contract.segment}", assets)
            operations += _watches_of_assets(f"{_ASSET}/{contract.segment}", assets, watching)
    if contracts:
        words = CONTRACTS["airflow33" if "airflow33" in contracts else "aip103"]
        operations += task_history_operations(TaskHistoryEndpoints(service, words.tasks, max_body_bytes), _TASK)
        operations += asset_history_operations(AssetHistoryEndpoints(service, words.assets, max_body_bytes), _ASSET)
    operations += directory_operations(DirectoryEndpoints(service, max_body_bytes))
    return RouteSetApp(
        operations,
        wording=PUBLIC_WORDING,
        access=Access(authenticator, "public"),
        name="public",
        observer=observer,
        clock=clock,
        body_seconds=body_seconds,
        documentation=Documentation(operations, name="public", title=_TITLE, description=_DESCRIPTION),
    )


def _list(words: Words) -> Answer:
    return Answer(200, "The entries, by key in byte order.", words.page_model, has_etag=True, has_link=True)


def _entry(words: Words) -> Answer:
    return Answer(200, "The entry.", words.entry_model, has_etag=True)


def _of_tasks(whole: str, tasks: PublicTaskEndpoints) -> Iterator[ApiOperation]:
    words = tasks.words
    name, tag = words.operation, words.tag
    one = f"{whole}/{{key:path}}"
    yield ApiOperation(
        "GET",
        whole,
        f"list_{words.operations}",
        "List a task instance's keys",
        tag,
        tasks.get_page,
        (_list(words), _FAILED),
        TaskPath,
        TaskPageQuery,
        permission="state:read",
        description="The list is empty where there is no such task instance.",
    )
    yield ApiOperation(
        "GET",
        one,
        f"get_{name}",
        "Get a key of a task instance",
        tag,
        tasks.get,
        (_entry(words), _KNOWN, _NO_KEY, _FAILED),
        TaskKeyPath,
        MapIndexQuery,
        permission="state:read",
    )
    yield ApiOperation(
        "PUT",
        one,
        f"set_{name}",
        "Set a key of a task instance",
        tag,
        tasks.put,
        (_WRITTEN, _NO_TASK_INSTANCE, _FULL, _FAILED),
        TaskKeyPath,
        MapIndexQuery,
        PublicTaskBody,
        permission="state:write",
        description="Creates or overwrites the key, its expiry included.",
    )
    yield ApiOperation(
        "PATCH",
        one,
        f"patch_{name}",
        "Change the value of a key of a task instance",
        tag,
        tasks.patch,
        (_CHANGED, _NO_TASK_KEY, _NOT_PATCHED, _FAILED),
        TaskKeyPath,
        MapIndexQuery,
        ValueBody,
        permission="state:write",
        description="The key must exist; its expiry stays.",
        takes_merge_patch=True,
    )
    yield ApiOperation(
        "DELETE",
        one,
        f"delete_{name}",
        "Delete a key of a task instance",
        tag,
        tasks.delete,
        (_DONE, _NO_TASK_INSTANCE, _FAILED),
        TaskKeyPath,
        DeleteQuery,
        permission="state:delete",
        description="A no-op if the key is missing.",
    )
    yield ApiOperation(
        "DELETE",
        whole,
        f"clear_{name}",
        "Delete every key of a task instance",
        tag,
        tasks.clear,
        (_DONE, _NO_TASK_INSTANCE, _FAILED),
        TaskPath,
        ClearQuery,
        permission="state:delete",
    )
    yield ApiOperation(
        "POST",
        whole,
        f"batch_{name}",
        "Do operations on a task instance's keys, all or none",
        tag,
        tasks.batch,
        (
            Answer(200, "What came of each.", TaskBatchResponse, has_etag=True),
            _NO_TASK_INSTANCE,
            _NOT_DONE,
            _BATCH_FAILED,
        ),
        TaskPath,
        MapIndexQuery,
        PublicTaskBatchBody,
        permission="state:write",
        description=_BATCH,
    )


def _of_assets(whole: str, assets: PublicAssetEndpoints) -> Iterator[ApiOperation]:
    words = assets.words
    name, tag = words.operation, words.tag
    one = f"{whole}/{{key:path}}"
    yield ApiOperation(
        "GET",
        whole,
        f"list_{words.operations}",
        "List an asset's keys",
        tag,
        assets.get_page,
        (_list(words), _KNOWN, _NO_ASSET, _FAILED),
        AssetPath,
        StatePageQuery,
        permission="state:read",
    )
    yield ApiOperation(
        "GET",
        one,
        f"get_{name}",
        "Get a key of an asset",
        tag,
        assets.get,
        (_entry(words), _KNOWN, _NO_ASSET, _FAILED),
        AssetKeyPath,
        permission="state:read",
    )
    yield ApiOperation(
        "PUT",
        one,
        f"set_{name}",
        "Set a key of an asset",
        tag,
        assets.put,
        (_WRITTEN, _NO_ASSET, _FULL, _FAILED),
        AssetKeyPath,
        body=ValueBody,
        permission="state:write",
        description="Creates or overwrites the key.",
    )
    yield ApiOperation(
        "PATCH",
        one,
        f"patch_{name}",
        "Change the value of a key of an asset",
        tag,
        assets.patch,
        (_CHANGED, _NO_ASSET, _NOT_PATCHED, _FAILED),
        AssetKeyPath,
        body=ValueBody,
        permission="state:write",
        description="The key must exist.",
        takes_merge_patch=True,
    )
    yield ApiOperation(
        "DELETE",
        one,
        f"delete_{name}",
        "Delete a key of an asset",
        tag,
        assets.delete,
        (_DONE, _NO_ASSET, _FAILED),
        AssetKeyPath,
        PurgeQuery,
        permission="state:delete",
        description="A no-op if the key is missing.",
    )
    yield ApiOperation(
        "DELETE",
        whole,
        f"clear_{name}",
        "Delete every key of an asset",
        tag,
        assets.clear,
        (_DONE, _NO_ASSET, _FAILED),
        AssetPath,
        PurgeQuery,
        permission="state:delete",
    )
    yield ApiOperation(
        "POST",
        whole,
        f"batch_{name}",
        "Do operations on an asset's keys, all or none",
        tag,
        assets.batch,
        (Answer(200, "What came of each.", BatchResponse, has_etag=True), _NO_ASSET, _NOT_DONE, _BATCH_FAILED),
        AssetPath,
        body=AssetBatchBody,
        permission="state:write",
        description=_BATCH,
    )


def _watches_of_tasks(whole: str, tasks: PublicTaskEndpoints, watching: Watching) -> Iterator[ApiOperation]:
    name, tag = tasks.words.operation, tasks.words.tag
    yield ApiOperation(
        WATCH,
        whole,
        f"watch_{name}",
        "Watch a task instance",
        tag,
        watching.endpoint(tasks.watched),
        (_EVENTS,),
        TaskPath,
        MapIndexQuery,
        permission="state:read",
    )
    yield ApiOperation(
        WATCH,
        f"{whole}/{{key:path}}",
        f"watch_key_of_{name}",
        "Watch a key of a task instance",
        tag,
        watching.endpoint(tasks.watched_key),
        (_EVENTS,),
        TaskKeyPath,
        MapIndexQuery,
        permission="state:read",
    )


def _watches_of_assets(whole: str, assets: PublicAssetEndpoints, watching: Watching) -> Iterator[ApiOperation]:
    name, tag = assets.words.operation, assets.words.tag
    yield ApiOperation(
        WATCH,
        whole,
        f"watch_{name}",
        "Watch an asset",
        tag,
        watching.endpoint(assets.watched),
        (_EVENTS, _NO_ASSET),
        AssetPath,
        permission="state:read",
    )
    yield ApiOperation(
        WATCH,
        f"{whole}/{{key:path}}",
        f"watch_key_of_{name}",
        "Watch a key of an asset",
        tag,
        watching.endpoint(assets.watched_key),
        (_EVENTS, _NO_ASSET),
        AssetKeyPath,
        permission="state:read",
    )
