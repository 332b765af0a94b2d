"""What answers hold, for the OpenAPI document. The answers themselves are put together from texts that are stored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel
from pydantic.json_schema import SkipJsonSchema

from statemount.model import ChangeKind, WriterKind

Value = Annotated[
    JsonValue,
    Field(description="The value; null only where the stored text is no JSON, which others must have written."),
]


def without_default(schema: dict[str, Any]) -> None:
    """Leave out of a field's schema what it is where it is absent: it means nothing then."""
    del schema["default"]


Revision = Annotated[
    int | SkipJsonSchema[None],
    Field(description="Of its last change; only if include=revision asks for it.", json_schema_extra=without_default),
]
ListedValue = Annotated[
    JsonValue,
    Field(
        description="The value, unless keys_only leaves it out; null only where the stored text is no JSON.",
        json_schema_extra=without_default,
    ),
]
Total = Annotated[int, Field(ge=0, description="How many entries there are in all.")]


class _Answer(BaseModel):
    """Built when the document is asked for: a start has no use for it."""

    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True)


class StateValue(_Answer):
    """A value as workers get it."""

    value: Value


class TaskStateStoreResponse(_Answer):
    """One key of a task instance."""

    key: str
    value: Value
    updated_at: datetime
    expires_at: Annotated[datetime | None, Field(description="From when on it is gone; null = never.")]


class ListedTaskState(TaskStateStoreResponse):
    """One key of a task instance, in a list."""

    value: ListedValue = None
    revision: Revision = None


class TaskStateStoreCollectionResponse(_Answer):
    """Keys of a task instance, in byte order."""

    task_state_store: list[ListedTaskState]
    total_entries: Total


class TaskStateCollectionResponse(_Answer):
    """Keys of a task instance, in byte order."""

    task_states: list[ListedTaskState]
    total_entries: Total


class AssetStateStoreLastUpdatedBy(_Answer):
    """Who wrote last: a task instance, a watcher (a trigger without one), or somebody over the public API."""

    kind: WriterKind
    dag_id: str | None
    run_id: str | None
    task_id: str | None
    map_index: int | None


class AssetStateResponse(_Answer):
    """One key of an asset."""

    key: str
    value: Value
    updated_at: datetime


class AssetStateStoreResponse(AssetStateResponse):
    """One key of an asset."""

    last_updated_by: AssetStateStoreLastUpdatedBy | None


class ListedAssetState(AssetStateResponse):
    """One key of an asset, in a list."""

    value: ListedValue = None
    revision: Revision = None


class ListedAssetStateStore(AssetStateStoreResponse):
    """One key of an asset, in a list."""

    value: ListedValue = None
    revision: Revision = None


class AssetStateStoreCollectionResponse(_Answer):
    """Keys of an asset, in byte order."""

    asset_state_store: list[ListedAssetStateStore]
    total_entries: Total


class AssetStateCollectionResponse(_Answer):
    """Keys of an asset, in byte order."""

    asset_states: list[ListedAssetState]
    total_entries: Total


class BatchResult(_Answer):
    """What came of one operation."""

    op: Literal["get", "set", "delete", "check", "merge", "increment", "max", "min"]
    key: str
    status: Annotated[
        Literal["changed", "unchanged"],
        Field(description="unchanged: nothing was there to remove, the value was as great already, or it only looks."),
    ]
    revision: Annotated[int | None, Field(description="Of the key, as it is then; null = it is not there.")]
    value: Annotated[
        JsonValue,
        Field(
            description="What the key holds then, null = it is not there; of a get, and of an update by who may read.",
            json_schema_extra=without_default,
        ),
    ] = None


class TaskBatchResult(BatchResult):
    """What came of one operation."""

    expires_at: Annotated[
        datetime | None,
        Field(description="From when on it is gone; wherever there is a value.", json_schema_extra=without_default),
    ] = None


_SCOPE_REVISION = "Of the whole state, afterwards; 0 = nothing was ever written."


class BatchResponse(_Answer):
    """What came of a batch on the state of an asset."""

    revision: Annotated[int, Field(description=_SCOPE_REVISION)]
    results: list[BatchResult]


class TaskBatchResponse(_Answer):
    """What came of a batch on the state of a task instance."""

    revision: Annotated[int, Field(description=_SCOPE_REVISION)]
    results: list[TaskBatchResult]


class StateChangeWriter(AssetStateStoreLastUpdatedBy):
    """Who wrote, and by whose token."""

    subject: Annotated[str | None, Field(description="Who called; null where a task instance did.")]


class StateChange(_Answer):
    """One change of a state."""

    revision: int
    operation: ChangeKind
    key: Annotated[str | None, Field(description="null where everything was cleared.")]
    at: datetime
    writer: Annotated[StateChangeWriter | None, Field(description="null where nobody did, but time.")]
    size: Annotated[int, Field(ge=0, description="Bytes of the value as stored; 0 for what is no set.")]
    expires_at: Annotated[datetime | None, Field(description="From when on what was set is gone; null = never.")]
    value: Annotated[
        Value, Field(description="What was set; left out where it is not kept.", json_schema_extra=without_default)
    ] = None


class StateHistory(_Answer):
    """Changes, the newest first."""

    changes: list[StateChange]
    revision: Annotated[int, Field(description="Of the state now; 0 = it was never written.")]
    complete: Annotated[bool, Field(description="Whether nothing was removed from the history because of its age.")]


class PastAssetState(_Answer):
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


class HTTPExceptionResponse(_Answer):
    """A refusal."""

    detail: str


class NotFoundReason(_Answer):
    """What was looked for and is not there."""

    reason: Literal["not_found"]
    message: str


class NotFoundResponse(_Answer):
    """Something does not exist."""

    detail: NotFoundReason


class FailureReason(_Answer):
    """Why something was not done."""

    reason: str
    message: str


class ReasonedResponse(_Answer):
    """A refusal or a failure, with a stable reason where there is one."""

    detail: FailureReason | str


class OperationFailure(FailureReason):
    """Which operation of a batch has failed, and why."""

    index: Annotated[int, Field(ge=0, description="Its place in the batch, from 0 on.")]
    op: str
    key: str
    revision: Annotated[int | None, Field(description="Of the key; null = it is not there.")]


class BatchFailureResponse(_Answer):
    """Why nothing of a batch was done."""

    detail: OperationFailure | FailureReason | str


class ValidationError(_Answer):
    """One thing that is wrong with a request."""

    type: str
    loc: list[str | int]
    msg: str
    input: Annotated[Any, Field(description="What was given; left out where it is long or cannot be shown.")] = None
    ctx: dict[str, Any] | None = None


class HTTPValidationError(_Answer):
    """Everything that is wrong with a request."""

    detail: list[ValidationError]


class ProblemDetails(_Answer):
    """A refusal or a failure as RFC 9457 has it, for who accepts ``application/problem+json``."""

    type: Annotated[str, Field(description="Stable: urn:statemount:problem:...")]
    title: str
    status: int
    detail: str


class ValidationProblemDetails(ProblemDetails):
    """Everything that is wrong with a request, as RFC 9457 has it."""

    errors: list[ValidationError]


class Status(_Answer):
    """How the app is."""

    status: Literal["ok", "ready"]
