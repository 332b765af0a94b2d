"""What answers hold, for the OpenAPI document. The answers themselves are put together from texts that are stored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, JsonValue, RootModel
from pydantic.json_schema import SkipJsonSchema

from statemount.model import ChangeKind, WriterKind

Value = Annotated[
    JsonValue,
    Field(description="The value; null only where the stored text is no JSON, which others must have written."),
]


def _without_default(schema: dict[str, Any]) -> None:
    del schema["default"]


Revision = Annotated[
    int | SkipJsonSchema[None],
    Field(
        description="Of its last change; in lists alone, and only if include=revision asks for it.",
        json_schema_extra=_without_default,
    ),
]
Total = Annotated[int, Field(ge=0, description="How many entries there are in all.")]


class StateValue(BaseModel):
    """A value as workers get it."""

    value: Value


class TaskStateStoreResponse(BaseModel):
    """One key of a task instance."""

    key: str
    value: Value
    updated_at: datetime
    expires_at: Annotated[datetime | None, Field(description="From when on it is gone; null = never.")]
    revision: Revision = None


class TaskStateStoreCollectionResponse(BaseModel):
    """Keys of a task instance, in byte order."""

    task_state_store: list[TaskStateStoreResponse]
    total_entries: Total


class TaskStateCollectionResponse(BaseModel):
    """Keys of a task instance, in byte order."""

    task_states: list[TaskStateStoreResponse]
    total_entries: Total


class AssetStateStoreLastUpdatedBy(BaseModel):
    """Who wrote last: a task instance, a watcher (a trigger without one), or somebody over the public API."""

    kind: WriterKind
    dag_id: str | None
    run_id: str | None
    task_id: str | None
    map_index: int | None


class AssetStateResponse(BaseModel):
    """One key of an asset."""

    key: str
    value: Value
    updated_at: datetime
    revision: Revision = None


class AssetStateStoreResponse(AssetStateResponse):
    """One key of an asset."""

    last_updated_by: AssetStateStoreLastUpdatedBy | None


class AssetStateStoreCollectionResponse(BaseModel):
    """Keys of an asset, in byte order."""

    asset_state_store: list[AssetStateStoreResponse]
    total_entries: Total


class AssetStateCollectionResponse(BaseModel):
    """Keys of an asset, in byte order."""

    asset_states: list[AssetStateResponse]
    total_entries: Total


class StateChangeWriter(AssetStateStoreLastUpdatedBy):
    """Who wrote, and by whose token."""

    subject: Annotated[str | None, Field(description="Who called; null where a task instance did.")]


class StateChange(BaseModel):
    """One change of a state."""

    revision: int
    operation: ChangeKind
    key: Annotated[str | None, Field(description="null where everything was cleared.")]
    at: datetime
    writer: Annotated[StateChangeWriter | None, Field(description="null where nobody did, but time.")]
    size: Annotated[int, Field(ge=0, description="Bytes of the value as stored; 0 for what is no set.")]
    expires_at: Annotated[datetime | None, Field(description="From when on what was set is gone; null = never.")]
    value: Annotated[
        Value, Field(description="What was set; left out where it is not kept.", json_schema_extra=_without_default)
    ] = None


class StateHistory(BaseModel):
    """Changes, the newest first."""

    changes: list[StateChange]
    revision: Annotated[int, Field(description="Of the state now; 0 = it was never written.")]
    complete: Annotated[bool, Field(description="Whether nothing was removed from the history because of its age.")]


class PastAssetState(BaseModel):
    """One key of an asset as it was."""

    key: str
    value: Value
    revision: Annotated[int, Field(description="Of the change that had written it.")]
    updated_at: datetime
    writer: StateChangeWriter | None


class PastTaskState(PastAssetState):
    """One key of a task instance as it was."""

    expires_at: Annotated[datetime | None, Field(description="From when on it was to be gone; null = never.")]


class AssetKeyHistory(RootModel[StateHistory | PastAssetState]):
    """The changes of a key, or the entry as it was where a revision or a time was asked for."""


class TaskKeyHistory(RootModel[StateHistory | PastTaskState]):
    """The changes of a key, or the entry as it was where a revision or a time was asked for."""


class HTTPExceptionResponse(BaseModel):
    """A refusal."""

    detail: str


class NotFoundReason(BaseModel):
    """What was looked for and is not there."""

    reason: Literal["not_found"]
    message: str


class NotFoundResponse(BaseModel):
    """Something does not exist."""

    detail: NotFoundReason


class FailureReason(BaseModel):
    """Why something was not done."""

    reason: str
    message: str


class ReasonedResponse(BaseModel):
    """A refusal or a failure, with a stable reason where there is one."""

    detail: FailureReason | str


class ValidationError(BaseModel):
    """One thing that is wrong with a request."""

    type: str
    loc: list[str | int]
    msg: str
    input: Annotated[Any, Field(description="What was given; left out where it is long or cannot be shown.")] = None
    ctx: dict[str, Any] | None = None


class HTTPValidationError(BaseModel):
    """Everything that is wrong with a request."""

    detail: list[ValidationError]


class ProblemDetails(BaseModel):
    """A refusal or a failure as RFC 9457 has it, for who accepts ``application/problem+json``."""

    type: Annotated[str, Field(description="Stable: urn:statemount:problem:...")]
    title: str
    status: int
    detail: str


class ValidationProblemDetails(ProblemDetails):
    """Everything that is wrong with a request, as RFC 9457 has it."""

    errors: list[ValidationError]


class Status(BaseModel):
    """How the app is."""

    status: Literal["ok", "ready"]
