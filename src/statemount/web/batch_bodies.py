"""What the body of a batch may hold: operations of a task instance's state, or of an asset's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import isfinite
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, NoReturn, TypeAlias, Union

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from statemount.errors import InvalidInputError, Problem
from statemount.json_times import moment_of
from statemount.model import JsonValue
from statemount.operations import Condition
from statemount.service.batches import MAX_OPERATIONS
from statemount.service.limits import ValueLimits
from statemount.web.answers import without_default
from statemount.web.bodies import WHEN, DefaultExpiry, ExpiresAt, PublicExpiry, read_model
from statemount.web.parameters import MAX_INTEGER, Key


class _Held(NamedTuple):
    """What values are held to."""

    limits: ValueLimits
    is_public: bool


_LAZY: ConfigDict = ConfigDict(extra="forbid", defer_build=True)
_VALUE = Field(description="Any JSON but null.", json_schema_extra={"not": {"type": "null"}})


class KeyedOperation(BaseModel):
    """What every operation has."""

    model_config: ClassVar[ConfigDict] = _LAZY

    op: str
    key: Key
    if_revision: Annotated[
        int,
        Field(
            ge=0,
            le=MAX_INTEGER,
            description="A condition: the key has this revision; 0 = it is not there.",
            json_schema_extra=without_default,
        ),
    ] = 0
    exists: Annotated[
        bool, Field(description="A condition: the key is there, or is not.", json_schema_extra=without_default)
    ] = True

    @property
    def condition(self) -> Condition | None:
        """What must hold."""
        exists = self.exists if "exists" in self.model_fields_set else None
        if "if_revision" not in self.model_fields_set:
            return None if exists is None else Condition(exists)
        if self.if_revision == 0:
            return Condition(exists=False, revisions=frozenset() if exists else None)
        return Condition(exists, frozenset({self.if_revision}))


class KeyOperation(KeyedOperation):
    """Read a key as it is at this point, or remove it."""

    op: Literal["get", "delete"]


class CheckOperation(KeyedOperation):
    """Only look whether a condition holds; there must be one."""

    op: Literal["check"]

    @model_validator(mode="after")
    def check_has_condition(self) -> CheckOperation:
        """Refuse one that checks nothing."""
        if self.condition is None:
            raise ValueError("a check needs if_revision or exists")
        return self


class SetOperation(KeyedOperation):
    """Write a key."""

    op: Literal["set"]
    value: Annotated[Any, _VALUE]

    @field_validator("value")
    @classmethod
    def check_value(cls, value: Any, info: ValidationInfo[_Held]) -> str:
        """Turn a value into the text to store."""
        held = info.context
        try:
            return held.limits.text_of(value, is_public=held.is_public)
        except InvalidInputError as error:
            raise ValueError(error.problems[0].msg.removeprefix("Value error, ")) from error


class MergeOperation(KeyedOperation):
    """Change a value by a merge patch (RFC 7396); a key that is not there is patched as an empty object."""

    op: Literal["merge"]
    value: Annotated[Any, Field(description="The patch.", json_schema_extra={"not": {"type": "null"}})]

    @field_validator("value")
    @classmethod
    def check_patch(cls, patch: Any, info: ValidationInfo[_Held]) -> str:
        """Turn a patch into its text."""
        try:
            return info.context.limits.patch_text(patch)
        except InvalidInputError as error:
            raise ValueError(error.problems[0].msg.removeprefix("Value error, ")) from error


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(_as_float(value)):
        raise ValueError("must be a finite number")
    return value


def _as_float(value: int | float) -> float:
    return value if isinstance(value, float) else 0.0  # an integer may be too long for one


def _number_or_time(value: Any) -> int | float | str:
    try:
        if not isinstance(value, str):
            return _number(value)
        moment_of(value)
    except ValueError as error:
        raise ValueError("must be a finite number, or an ISO 8601 time with an offset") from error
    return value


class IncrementOperation(KeyedOperation):
    """Add to a number; a key that is not there counts as 0."""

    op: Literal["increment"]
    by: Annotated[Any, BeforeValidator(_number), Field(json_schema_extra={"type": "number"})] = 1


class BoundOperation(KeyedOperation):
    """Write a value unless one as great (max) or as small (min) is there; a key that is not there is set."""

    op: Literal["max", "min"]
    value: Annotated[
        Any,
        BeforeValidator(_number_or_time),
        Field(
            description="A number, or an ISO 8601 time with an offset.",
            json_schema_extra={"type": ["number", "string"]},
        ),
    ]


_KEPT = f"{WHEN} Left out: as it is; of a new key "


class _TaskUpdate(BaseModel):
    expires_at: Annotated[
        Union[ExpiresAt, None], Field(description=f"{_KEPT}never.", json_schema_extra=without_default)
    ] = None


class _PublicTaskUpdate(PublicExpiry):
    expires_at: Annotated[DefaultExpiry, Field(description=f'{_KEPT}"default".', json_schema_extra=without_default)] = (
        None
    )


class TaskSetOperation(SetOperation):
    """Write a key, its expiry included."""

    expires_at: Annotated[Union[ExpiresAt, None], Field(description=WHEN)] = None


class TaskMergeOperation(_TaskUpdate, MergeOperation):
    """Change a value by a merge patch (RFC 7396); a key that is not there is patched as an empty object."""


class TaskIncrementOperation(_TaskUpdate, IncrementOperation):
    """Add to a number; a key that is not there counts as 0."""


class TaskBoundOperation(_TaskUpdate, BoundOperation):
    """Write a value unless one as great (max) or as small (min) is there; a key that is not there is set."""


class PublicTaskSetOperation(PublicExpiry, SetOperation):
    """Write a key, its expiry included."""


class PublicTaskMergeOperation(_PublicTaskUpdate, MergeOperation):
    """Change a value by a merge patch (RFC 7396); a key that is not there is patched as an empty object."""


class PublicTaskIncrementOperation(_PublicTaskUpdate, IncrementOperation):
    """Add to a number; a key that is not there counts as 0."""


class PublicTaskBoundOperation(_PublicTaskUpdate, BoundOperation):
    """Write a value unless one as great (max) or as small (min) is there; a key that is not there is set."""


BatchOperation: TypeAlias = Union[
    KeyOperation, CheckOperation, SetOperation, MergeOperation, IncrementOperation, BoundOperation
]
"""Any operation; those on task instances have an ``expires_at`` besides."""

_OP = Field(discriminator="op")
_COUNT = Field(min_length=1, max_length=MAX_OPERATIONS, description="Done in this order, all or none.")

AssetOperation: TypeAlias = Annotated[BatchOperation, _OP]
TaskOperation: TypeAlias = Annotated[
    Union[
        KeyOperation, CheckOperation, TaskSetOperation, TaskMergeOperation, TaskIncrementOperation, TaskBoundOperation
    ],
    _OP,
]
PublicTaskOperation: TypeAlias = Annotated[
    Union[
        KeyOperation,
        CheckOperation,
        PublicTaskSetOperation,
        PublicTaskMergeOperation,
        PublicTaskIncrementOperation,
        PublicTaskBoundOperation,
    ],
    _OP,
]


class AssetBatchBody(BaseModel):
    """Operations on the state of an asset."""

    model_config: ClassVar[ConfigDict] = _LAZY

    operations: Annotated[list[AssetOperation], _COUNT]


class TaskBatchBody(BaseModel):
    """Operations on the state of a task instance."""

    model_config: ClassVar[ConfigDict] = _LAZY

    operations: Annotated[list[TaskOperation], _COUNT]


class PublicTaskBatchBody(BaseModel):
    """Operations on the state of a task instance, over the public API."""

    model_config: ClassVar[ConfigDict] = _LAZY

    operations: Annotated[list[PublicTaskOperation], _COUNT]


class _Batch(BaseModel):
    """A batch whose operations are looked at one by one: where they stand in it is told more exactly like this."""

    model_config: ClassVar[ConfigDict] = _LAZY

    operations: Annotated[list[Any], _COUNT]


class BatchReader:
    """Reads the operations of a body that was decoded.

    Args:
        model: Of the body, for the document.
        operation: What each of them may be.
        is_public: Whether it comes over the public API.
    """

    def __init__(self, model: type[BaseModel], operation: Any, *, is_public: bool) -> None:
        self.model = model
        self._operation = operation
        self._is_public = is_public

    @cached_property
    def _adapter(self) -> TypeAdapter[BatchOperation]:
        return TypeAdapter(self._operation)

    def read(
        self, content: JsonValue | bytes, limits: ValueLimits, others: Sequence[Problem] = ()
    ) -> list[BatchOperation]:
        """Return the operations.

        Args:
            limits: How long a value may be.
            others: What is wrong with the rest of the request, to be told together.

        Raises:
            InvalidInputError: Something is wrong, here or elsewhere.
            TooLargeError: A stored text is longer than the body limit.
        """
        held = _Held(limits, self._is_public)
        problems = [*others]
        operations: list[BatchOperation] = []
        for index, given in enumerate(read_model(_Batch, content, others, checks_others=False).operations):
            loc = ("body", "operations", index)
            try:
                operations.append(self._adapter.validate_python(given, context=held))
            except ValidationError as error:
                problems += [_problem(one, loc, given) for one in error.errors(include_url=False)]
            except ValueError as error:  # some versions of pydantic let the one about the year 0 through
                text = f"Input should be a valid datetime, {error}"
                end = given.get("expires_at")
                problems.append(Problem("datetime_parsing", (*loc, "expires_at"), text, end, {"error": str(error)}))
        if problems:
            raise InvalidInputError(problems)
        return operations

    def refuse(self, content: JsonValue | bytes, limits: ValueLimits, others: Sequence[Problem]) -> NoReturn:
        """Tell what is wrong with the rest of a request, and with the body too.

        Raises:
            InvalidInputError: Always.
            TooLargeError: A stored text is longer than the body limit.
        """
        self.read(content, limits, others)
        raise InvalidInputError(others)


def _problem(error: Any, loc: tuple[str | int, ...], given: Any) -> Problem:
    """Return a problem of an operation, whose own name pydantic has put before the place in it."""
    kind, ctx = error["type"], error.get("ctx")
    if kind == "union_tag_not_found":
        return Problem("missing", (*loc, "op"), "Field required", given)
    if kind == "union_tag_invalid":
        expected = ctx["expected_tags"]
        return Problem(
            "literal_error", (*loc, "op"), f"Input should be {expected}", given["op"], {"expected": expected}
        )
    return Problem(kind, (*loc, *error["loc"][1:]), error["msg"], error["input"], ctx)


ASSET_BATCH = BatchReader(AssetBatchBody, AssetOperation, is_public=False)
PUBLIC_ASSET_BATCH = BatchReader(AssetBatchBody, AssetOperation, is_public=True)
TASK_BATCH = BatchReader(TaskBatchBody, TaskOperation, is_public=False)
PUBLIC_TASK_BATCH = BatchReader(PublicTaskBatchBody, PublicTaskOperation, is_public=True)
