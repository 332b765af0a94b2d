"""The directory over HTTP, for hosts that do not run in this process: what is asked, and what is answered."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, TypeAlias, Union
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator
from typing_extensions import Self

from statemount.errors import InvalidInputError, Problem
from statemount.model import NOT_MAPPED, Asset, AssetScope, Run, TaskInstance, TaskScope, Timestamp
from statemount.service import StateService
from statemount.service.registrar import READ, WRITE, Registration
from statemount.web.bodies import ExpiresAt, read_content, read_model
from statemount.web.parameters import (
    MAX_INTEGER,
    AssetText,
    Id,
    Jti,
    MapIndex,
    PageQuery,
    Parameters,
    ParametersT,
    checked,
    read_parameters,
)
from statemount.web.public_assets import AssetPath
from statemount.web.requests import Request
from statemount.web.responses import NO_CONTENT, Response, json_response
from statemount.web.worker_tasks import TaskInstancePath

MAX_TASK_INSTANCES = 1000
"""How many task instances one request registers at most."""

MAX_ASSETS = 1000
"""How many inlets, and how many outlets, a task instance has at most."""


class RunPath(Parameters):
    """A run of a dag."""

    dag_id: Id
    run_id: Id


class _Body(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", defer_build=True)


def _whole(number: object) -> object:
    return int(number) if isinstance(number, float) and number.is_integer() else number


AssetId: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=MAX_INTEGER), BeforeValidator(_whole)]


def _one_is_needed(schema: dict[str, Any]) -> None:
    """Describe an object with at least one property, and none that is null."""
    schema["minProperties"] = 1
    for described in schema["properties"].values():
        del described["default"]
        described.update(described.pop("anyOf")[0])


class AssetReference(_Body):
    """An asset: by its id, or else by its name, or else by its URI."""

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra=_one_is_needed)

    asset_id: AssetId | None = None
    name: AssetText | None = None
    uri: AssetText | None = None

    @model_validator(mode="after")
    def check_is_not_empty(self) -> Self:
        """Refuse what names nothing."""
        if self.asset_id is None and self.name is None and self.uri is None:
            raise ValueError("asset_id, name or uri is needed")
        return self


def _kind_of(reference: object) -> str | None:
    if isinstance(reference, (dict, AssetReference)):
        return "object"
    if isinstance(reference, str):
        return "text"
    return "id" if isinstance(_whole(reference), int) and not isinstance(reference, bool) else None


Reference: TypeAlias = Annotated[
    Union[Annotated[AssetId, Tag("id")], Annotated[AssetText, Tag("text")], Annotated[AssetReference, Tag("object")]],
    Discriminator(
        _kind_of,
        custom_error_type="asset_reference",
        custom_error_message="Input should be the id, the name or the URI of an asset, or an object with one of them",
    ),
    Field(description="An asset: its id (a number), its name or URI (a text; a name comes first), or an object."),
]
References: TypeAlias = Annotated[list[Reference], Field(max_length=MAX_ASSETS)]


class TaskInstanceBody(_Body):
    """A task instance. Another id for a known one (a retry) takes the place of the old one; the state stays."""

    dag_id: Id
    run_id: Id
    task_id: Id
    map_index: Annotated[MapIndex, Field(description="-1 = it is not mapped.")] = NOT_MAPPED
    try_number: Annotated[int, Field(ge=0, le=MAX_INTEGER)] = 1
    inlets: Annotated[References, Field(description="The assets that it reads.")] = []
    outlets: Annotated[References, Field(description="The assets that it writes.")] = []

    def registration(self, task_instance_id: UUID) -> Registration:
        """Return what the service takes."""
        scope = TaskScope(self.dag_id, self.run_id, self.task_id, self.map_index)
        inlets, outlets = (tuple(map(_asset_scope, assets)) for assets in (self.inlets, self.outlets))
        return Registration(task_instance_id, scope, self.try_number, inlets, outlets)


class OneTaskInstanceBody(TaskInstanceBody):
    """A task instance, whose id stands in the path and may be repeated."""

    id: UUID | None = None


class ListedTaskInstanceBody(TaskInstanceBody):
    """A task instance of a list."""

    id: UUID


class TaskInstancesBody(_Body):
    """Task instances, to be registered all or none."""

    task_instances: Annotated[list[ListedTaskInstanceBody], Field(max_length=MAX_TASK_INSTANCES)]


class AssetBody(_Body):
    """An asset."""

    name: AssetText
    uri: Annotated[AssetText | None, Field(description="null = as the name.")] = None
    group: AssetText = "asset"


def _exactly_one_is_needed(schema: dict[str, Any]) -> None:
    """Describe an object with one of two properties."""
    schema["oneOf"] = [{"required": ["task_instance_id"]}, {"required": ["jti"]}]
    for name in ("task_instance_id", "jti"):
        described = schema["properties"][name]
        del described["default"]
        described.update(described.pop("anyOf")[0])


class RevocationBody(_Body):
    """What is revoked: every token of a task instance, or one token with those that it is renewed to."""

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra=_exactly_one_is_needed)

    task_instance_id: UUID | None = None
    jti: Annotated[Jti | None, Field(description="The token's claim of this name.")] = None
    expires_at: Annotated[
        Union[ExpiresAt, None], Field(description="When the last of these tokens ends; null = in 30 days.")
    ] = None

    @model_validator(mode="after")
    def check_is_one(self) -> Self:
        """Refuse what names nothing, or two things."""
        if (self.task_instance_id is None) is (self.jti is None):
            raise ValueError("either task_instance_id or jti is needed")
        return self

    @property
    def until(self) -> Timestamp | None:
        """When it is over, as validated."""
        until: Any = self.expires_at
        return None if until is None else int(until)


class _Answer(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True)


class TaskInstanceResponse(_Answer):
    """A task instance as it is registered."""

    id: UUID
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    inlets: Annotated[list[int], Field(description="Ids of the assets that it reads.")]
    outlets: Annotated[list[int], Field(description="Ids of the assets that it writes.")]


class AssetResponse(_Answer):
    """An asset. An inactive one keeps its state for a while, out of reach of workers."""

    asset_id: int
    name: str
    uri: str
    group: str
    active: bool


class AssetCollectionResponse(_Answer):
    """Assets by id, inactive ones included."""

    assets: list[AssetResponse]
    total_entries: Annotated[int, Field(ge=0, description="How many assets there are in all.")]


class DirectoryEndpoints:
    """Answers for the directory."""

    def __init__(self, service: StateService, max_body_bytes: int) -> None:
        self._registrar = service.registrar
        self._max_body_bytes = max_body_bytes

    async def put_task_instance(self, request: Request) -> Response:
        """Register a task instance."""
        self._registrar.check(request.identity, WRITE)
        content = await read_content(request, self._max_body_bytes)
        path, problems = read_parameters(TaskInstancePath, request.parameters, "path")
        body = read_model(OneTaskInstanceBody, content, problems)
        path = checked(path, problems)
        if body.id not in (None, path.task_instance_id):
            text = "Value error, it is not the id of the path"
            raise InvalidInputError([Problem("value_error", ("body", "id"), text, str(body.id), {"error": {}})])
        registration = body.registration(path.task_instance_id)
        scope = registration.scope
        request.named = {
            "dag_id": scope.dag_id,
            "run_id": scope.run_id,
            "task_id": scope.task_id,
            "map_index": str(scope.map_index),
        }
        await self._registrar.register(request.identity, [registration])
        return NO_CONTENT

    async def post_task_instances(self, request: Request) -> Response:
        """Register task instances, all or none."""
        self._registrar.check(request.identity, WRITE)
        body = read_model(TaskInstancesBody, await read_content(request, self._max_body_bytes))
        request.named = {"task_instance_ids": [str(one.id) for one in body.task_instances]}
        await self._registrar.register(request.identity, [one.registration(one.id) for one in body.task_instances])
        return NO_CONTENT

    async def get_task_instance(self, request: Request) -> Response:
        """Return a registration."""
        path = self._read(request, READ, TaskInstancePath)
        return _task_instance_response(await self._registrar.task_instance(request.identity, path.task_instance_id))

    async def delete_task_instance(self, request: Request) -> Response:
        """Forget a task instance; its state stays."""
        path = self._read(request, WRITE, TaskInstancePath)
        await self._registrar.remove(request.identity, path.task_instance_id)
        return NO_CONTENT

    async def post_succeeded(self, request: Request) -> Response:
        """Take note of a success: the state is cleared if it is set so."""
        path = self._read(request, WRITE, TaskInstancePath)
        await self._registrar.succeeded(request.identity, path.task_instance_id)
        return NO_CONTENT

    async def post_revocation(self, request: Request) -> Response:
        """Refuse tokens from now on."""
        self._registrar.check(request.identity, WRITE)
        body = read_model(RevocationBody, await read_content(request, self._max_body_bytes))
        if body.task_instance_id is not None:
            request.named = {"task_instance_id": str(body.task_instance_id)}
            await self._registrar.revoke_task_instance(request.identity, body.task_instance_id, until=body.until)
        elif body.jti is not None:
            request.named = {"jti": body.jti}
            await self._registrar.revoke_token(request.identity, body.jti, until=body.until)
        return NO_CONTENT

    async def delete_run(self, request: Request) -> Response:
        """Forget a run, and remove its state."""
        path = self._read(request, WRITE, RunPath)
        await self._registrar.drop_run(request.identity, Run(path.dag_id, path.run_id))
        return NO_CONTENT

    async def put_asset(self, request: Request) -> Response:
        """Register an asset."""
        self._registrar.check(request.identity, WRITE)
        body = read_model(AssetBody, await read_content(request, self._max_body_bytes))
        request.named = {"asset_name": body.name, "asset_uri": body.uri}
        asset = await self._registrar.register_asset(request.identity, name=body.name, uri=body.uri, group=body.group)
        request.named = {"asset_id": str(asset.asset_id), "asset_name": asset.name, "asset_uri": asset.uri}
        return json_response(200, _asset(asset))

    async def get_assets(self, request: Request) -> Response:
        """Return a part of the assets, inactive ones included."""
        self._registrar.check(request.identity, READ)
        query = checked(*read_parameters(PageQuery, request.query(), "query"))
        assets, total = await self._registrar.assets(request.identity, limit=query.limit, offset=query.offset)
        return json_response(200, {"assets": list(map(_asset, assets)), "total_entries": total})

    async def delete_asset(self, request: Request) -> Response:
        """Hide an asset from workers."""
        path = self._read(request, WRITE, AssetPath)
        await self._registrar.deactivate_asset(request.identity, path.asset_id)
        return NO_CONTENT

    async def post_restore(self, request: Request) -> Response:
        """Make an inactive asset active again."""
        path = self._read(request, WRITE, AssetPath)
        return json_response(200, _asset(await self._registrar.restore_asset(request.identity, path.asset_id)))

    def _read(self, request: Request, permission: str, model: type[ParametersT]) -> ParametersT:
        """Return what a path names, once the caller is known to have the permission."""
        self._registrar.check(request.identity, permission)
        return checked(*read_parameters(model, request.parameters, "path"))


def _asset_scope(reference: int | str | AssetReference) -> AssetScope:
    if isinstance(reference, int):
        return AssetScope(reference)
    if isinstance(reference, str):
        return AssetScope(name=reference, uri=reference)
    return AssetScope(reference.asset_id, reference.name, reference.uri)


def _asset(asset: Asset) -> dict[str, object]:
    return {
        "asset_id": asset.asset_id,
        "name": asset.name,
        "uri": asset.uri,
        "group": asset.group,
        "active": asset.active,
    }


def _task_instance_response(task_instance: TaskInstance) -> Response:
    scope = task_instance.scope
    return json_response(
        200,
        {
            "id": str(task_instance.id),
            "dag_id": scope.dag_id,
            "run_id": scope.run_id,
            "task_id": scope.task_id,
            "map_index": scope.map_index,
            "try_number": task_instance.try_number,
            "inlets": sorted(task_instance.inlets),
            "outlets": sorted(task_instance.outlets),
        },
    )
