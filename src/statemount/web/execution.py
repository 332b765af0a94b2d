"""The execution route set: what workers call. Both contract versions have the same endpoints under other paths."""

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
    NotFoundResponse,
    ReasonedResponse,
    StateValue,
    TaskBatchResponse,
)
from statemount.web.batch_bodies import AssetBatchBody, TaskBatchBody
from statemount.web.bodies import TaskBody, ValueBody
from statemount.web.contracts import CONTRACTS, ContractVersion, Words
from statemount.web.documentation import Documentation
from statemount.web.errors import EXECUTION_WORDING
from statemount.web.operations import Answer, ApiOperation
from statemount.web.parameters import ListQuery, NoParameters
from statemount.web.route_set import Access, RouteSetApp
from statemount.web.variants import LIST, WATCH
from statemount.web.watching import Watching
from statemount.web.worker_assets import BY_NAME, BY_PATH, BY_URI, WorkerAssetEndpoints
from statemount.web.worker_tasks import AllMapIndicesQuery, TaskInstanceKeyPath, TaskInstancePath, WorkerTaskEndpoints

API_VERSION = (b"airflow-api-version", b"2026-06-30")
"""On every answer, whatever version a request names."""

_FOUND = Answer(200, "The value.", StateValue, has_etag=True)
_KNOWN = Answer(304, "The client has it already.", has_etag=True)
_WRITTEN = Answer(204, "Done.", has_etag=True)
_DONE = Answer(204, "Done.")
_FAILED = Answer(412, "The condition does not hold; the ETag is the current one.", ReasonedResponse, has_etag=True)
_GONE = Answer(404, "There is no such task instance, asset or key.", NotFoundResponse)
_FULL = Answer(409, "The task instance or asset would have too many keys, or too much in them.", ReasonedResponse)

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
_BATCH = "Each operation sees what those before it did; if one fails, nothing is done."

_NO_LIST = Answer(405, "The query does not ask for the list.", HTTPExceptionResponse)

_TITLE = "Task state and asset state: execution API"
_DESCRIPTION = "What workers call. Each reaches its own task instance, and the assets that its task is registered with."


def execution_app(
    service: StateService,
    authenticator: Authenticator,
    *,
    max_body_bytes: int,
    contracts: Collection[ContractVersion],
    clock: Clock | None = None,
    observer: Observer | None = None,
    body_seconds: float | None = None,
) -> RouteSetApp:
    """Return the execution route set as an app of its own.

    Args:
        max_body_bytes: Longest body of a request.
        contracts: The versions that are served, side by side.
        clock: Of the audit log; None = there is none.
        observer: Is told of every request; None = nobody is.
        body_seconds: How long a body is waited for; None = for ever.
    """
    operations: list[ApiOperation] = []
    watching = Watching(service.watches, "execution", clock or system_clock)
    if "airflow33" in contracts:
        contract = CONTRACTS["airflow33"]
        tasks = WorkerTaskEndpoints(service, contract.tasks, max_body_bytes)
        operations += _of_tasks("/store/ti", tasks, watching)
        for addressing in (BY_NAME, BY_URI):
            assets = WorkerAssetEndpoints(service, contract.assets, max_body_bytes, addressing)
            path, suffix = f"/store/asset/by-{addressing.by}", f"_by_{addressing.by}"
            operations += _of_assets(f"{path}/value", f"{path}/clear", path, assets, suffix=suffix)
            operations += _watches_of_assets(f"{path}/value", path, assets, watching, suffix=suffix)
    if "aip103" in contracts:
        contract = CONTRACTS["aip103"]
        tasks = WorkerTaskEndpoints(service, contract.tasks, max_body_bytes)
        operations += _of_tasks("/state/ti", tasks, watching, has_all_map_indices=True)
        assets = WorkerAssetEndpoints(service, contract.assets, max_body_bytes, BY_PATH)
        path = "/state/asset/{name:encoded}"
        operations += _of_assets(f"{path}/{{key:path}}", path, path, assets)
        operations += _watches_of_assets(f"{path}/{{key:path}}", path, assets, watching)
    return RouteSetApp(
        operations,
        wording=EXECUTION_WORDING,
        access=Access(authenticator, "execution"),
        headers=[API_VERSION],
        name="execution",
        observer=observer,
        clock=clock,
        body_seconds=body_seconds,
        documentation=Documentation(operations, name="execution", title=_TITLE, description=_DESCRIPTION),
    )


def _of_tasks(
    prefix: str, tasks: WorkerTaskEndpoints, watching: Watching, *, has_all_map_indices: bool = False
) -> Iterator[ApiOperation]:
    words = tasks.words
    name, tag = words.operation, words.tag
    whole = f"{prefix}/{{task_instance_id}}"
    one = f"{whole}/{{key:path}}"
    yield ApiOperation(
        "GET",
        one,
        f"get_{name}",
        "Get a key of the own task instance",
        tag,
        tasks.get,
        (_FOUND, _KNOWN, _GONE, _FAILED),
        TaskInstanceKeyPath,
    )
    yield ApiOperation(
        "PUT",
        one,
        f"set_{name}",
        "Set a key of the own task instance",
        tag,
        tasks.put,
        (_WRITTEN, _GONE, _FULL, _FAILED),
        TaskInstanceKeyPath,
        body=TaskBody,
        description="Creates or overwrites the key, its expiry included.",
    )
    yield ApiOperation(
        "DELETE",
        one,
        f"delete_{name}",
        "Delete a key of the own task instance",
        tag,
        tasks.delete,
        (_DONE, _GONE, _FAILED),
        TaskInstanceKeyPath,
        description="A no-op if the key is missing.",
    )
    yield ApiOperation(
        "DELETE",
        whole,
        f"clear_{name}",
        "Delete every key of the own task instance",
        tag,
        tasks.clear_widely if has_all_map_indices else tasks.clear,
        (_DONE, _GONE, _FAILED),
        TaskInstancePath,
        AllMapIndicesQuery if has_all_map_indices else NoParameters,
    )
    yield ApiOperation(
        WATCH,
        whole,
        f"watch_{name}",
        "Watch the own task instance",
        tag,
        watching.endpoint(tasks.watched),
        (_EVENTS, _GONE),
        TaskInstancePath,
    )
    yield ApiOperation(
        WATCH,
        one,
        f"watch_key_of_{name}",
        "Watch a key of the own task instance",
        tag,
        watching.endpoint(tasks.watched_key),
        (_EVENTS, _GONE),
        TaskInstanceKeyPath,
    )
    yield ApiOperation(
        LIST,
        whole,
        f"list_{words.operations}",
        "List the own task instance's keys",
        tag,
        tasks.get_page,
        (_list(words), _GONE, _NO_LIST, _FAILED),
        TaskInstancePath,
        ListQuery,
    )
    yield ApiOperation(
        "PATCH",
        one,
        f"patch_{name}",
        "Change the value of a key of the own task instance",
        tag,
        tasks.patch,
        (_WRITTEN, _GONE, _NOT_PATCHED, _FAILED),
        TaskInstanceKeyPath,
        description="The key must exist; its expiry stays.",
        takes_merge_patch=True,
    )
    yield ApiOperation(
        "POST",
        whole,
        f"batch_{name}",
        "Do operations on the own task instance's keys, all or none",
        tag,
        tasks.batch,
        (Answer(200, "What came of each.", TaskBatchResponse, has_etag=True), _GONE, _NOT_DONE, _BATCH_FAILED),
        TaskInstancePath,
        body=TaskBatchBody,
        description=_BATCH,
    )


def _list(words: Words) -> Answer:
    return Answer(200, "The entries, by key in byte order.", words.page_model, has_etag=True, has_link=True)


def _of_assets(
    one: str, clear: str, whole: str, assets: WorkerAssetEndpoints, *, suffix: str = ""
) -> Iterator[ApiOperation]:
    words = assets.words
    name, tag = f"{words.operation}{suffix}", words.tag
    of_key, of_asset = assets.addressing.of_key, assets.addressing.of_asset
    yield ApiOperation(
        "GET", one, f"get_{name}", "Get a key of an asset", tag, assets.get, (_FOUND, _KNOWN, _GONE, _FAILED), *of_key
    )
    yield ApiOperation(
        "PUT",
        one,
        f"set_{name}",
        "Set a key of an asset",
        tag,
        assets.put,
        (_WRITTEN, _GONE, _FULL, _FAILED),
        *of_key,
        body=ValueBody,
        description="Creates or overwrites the key.",
    )
    yield ApiOperation(
        "DELETE",
        one,
        f"delete_{name}",
        "Delete a key of an asset",
        tag,
        assets.delete,
        (_DONE, _GONE, _FAILED),
        *of_key,
        description="A no-op if the key is missing.",
    )
    yield ApiOperation(
        "DELETE",
        clear,
        f"clear_{name}",
        "Delete every key of an asset",
        tag,
        assets.clear,
        (_DONE, _GONE, _FAILED),
        *of_asset,
    )
    yield ApiOperation(
        LIST,
        whole,
        f"list_{words.operations}{suffix}",
        "List an asset's keys",
        tag,
        assets.get_page,
        (_list(words), _KNOWN, _GONE, _NO_LIST, _FAILED),
        *assets.addressing.of_list,
    )
    yield ApiOperation(
        "PATCH",
        one,
        f"patch_{name}",
        "Change the value of a key of an asset",
        tag,
        assets.patch,
        (_WRITTEN, _GONE, _NOT_PATCHED, _FAILED),
        *of_key,
        description="The key must exist.",
        takes_merge_patch=True,
    )
    yield ApiOperation(
        "POST",
        whole,
        f"batch_{name}",
        "Do operations on an asset's keys, all or none",
        tag,
        assets.batch,
        (Answer(200, "What came of each.", BatchResponse, has_etag=True), _GONE, _NOT_DONE, _BATCH_FAILED),
        *of_asset,
        body=AssetBatchBody,
        description=_BATCH,
    )


def _watches_of_assets(
    one: str, whole: str, assets: WorkerAssetEndpoints, watching: Watching, *, suffix: str = ""
) -> Iterator[ApiOperation]:
    name, tag = f"{assets.words.operation}{suffix}", assets.words.tag
    yield ApiOperation(
        WATCH,
        whole,
        f"watch_{name}",
        "Watch an asset",
        tag,
        watching.endpoint(assets.watched),
        (_EVENTS, _GONE),
        *assets.addressing.of_asset,
    )
    yield ApiOperation(
        WATCH,
        one,
        f"watch_key_of_{name}",
        "Watch a key of an asset",
        tag,
        watching.endpoint(assets.watched_key),
        (_EVENTS, _GONE),
        *assets.addressing.of_key,
    )
