"""Reading a request's body, and what a body of a write may hold."""

from __future__ import annotations

import asyncio
import codecs
import json
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, NoReturn, TypeAlias, TypeVar, Union

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from statemount.errors import InvalidInputError, Problem, TooLargeError
from statemount.model import JsonValue, Timestamp, from_datetime
from statemount.service.expiry import DEFAULT, Expiry
from statemount.service.limits import ValueLimits
from statemount.service.values import UnreadableError, UnstorableError, read_json, stored_text
from statemount.web.errors import LEFT_OUT, AmbiguousHeaderError, LateBodyError, UnreadableBodyError
from statemount.web.patience import InTime
from statemount.web.requests import ClientDisconnectedError, Receive, Request

# The years 1 to 9999.
_FIRST = -62_135_596_800_000_000
_LAST = 253_402_300_799_999_999


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body.

    Raises:
        AmbiguousHeaderError: The request says two things about it: who reads it in between may take it for another.
        TooLargeError: As soon as it is known to be longer than ``max_bytes``.
        LateBodyError: It is not complete within ``request.body_seconds``.
        ClientDisconnectedError: The client went away.
    """
    if request.ambiguous is not None:
        raise AmbiguousHeaderError(request.ambiguous)
    announced = request.content_length
    if announced is not None and announced.isdigit() and (len(announced) > 18 or int(announced) > max_bytes):
        raise TooLargeError(max_bytes)
    receiving = _receive_body(request.receive, max_bytes)
    if request.body_seconds is None:
        return await receiving
    try:
        return await InTime(receiving, request.body_seconds)
    except asyncio.TimeoutError as error:
        raise LateBodyError(request.body_seconds, request.asgi_scope.get("http_version", "1.1")) from error


async def _receive_body(receive: Receive, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    length = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnectedError
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        length += len(chunk)
        if length > max_bytes:
            raise TooLargeError(max_bytes)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


EMPTY: Any = object()
"""In place of a body: there is none."""


async def read_content(
    request: Request, max_bytes: int, *, loc: tuple[str, ...] = ("body", "value"), empty: Any = None
) -> JsonValue | bytes:
    """Return the body decoded, and its bytes as they are if the content type is not JSON's (as FastAPI).

    Args:
        loc: Where a value stands that is nested too deeply.
        empty: What to return for an empty body.

    Raises:
        AmbiguousHeaderError: See :func:`read_body`.
        UnreadableBodyError: It cannot be decoded.
        InvalidInputError: It is no JSON.
        TooLargeError: See :func:`read_body`.
        LateBodyError: See :func:`read_body`.
        ClientDisconnectedError: See :func:`read_body`.
    """
    body = await read_body(request, max_bytes)
    if not body:
        return empty
    if request.content_type != b"application/json" and not is_json_type(request.content_type):
        return body
    try:
        return read_json(body.removeprefix(codecs.BOM_UTF8))
    except json.JSONDecodeError as error:
        problem = Problem("json_invalid", ("body", error.pos), "JSON decode error", {}, {"error": error.msg})
        raise InvalidInputError([problem]) from error
    except UnreadableError as error:
        raise UnreadableBodyError(str(error)) from error
    except UnstorableError as error:
        problem = Problem("value_error", loc, f"Value error, {error}", LEFT_OUT, {"error": {}})
        raise InvalidInputError([problem]) from error


def is_json_type(content_type: bytes | None) -> bool:
    """Tell whether a ``Content-Type`` is ``application/json`` or ``application/...+json``, whatever its parameters."""
    main, _, sub = essence_of(content_type).partition("/")
    return main == "application" and "/" not in sub and (sub == "json" or sub.endswith("+json"))


def essence_of(content_type: bytes | None) -> str:
    """Return the type of a ``Content-Type`` without its parameters, in small letters; empty if there is none."""
    return "" if content_type is None else content_type.decode("latin-1").partition(";")[0].strip().lower()


def _to_timestamp(moment: Any) -> Timestamp:
    timestamp = from_datetime(moment)
    if not _FIRST <= timestamp <= _LAST:
        raise ValueError("the time is out of range once in UTC: years 1 to 9999")
    return timestamp


ExpiresAt: TypeAlias = Annotated[AwareDatetime, AfterValidator(_to_timestamp)]

DefaultExpiry: TypeAlias = Union[AwareDatetime, None, Literal["default"]]

WHEN = "From when on the entry is gone; null = never."


class ValueBody(BaseModel):
    """The value of a key."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    value: Annotated[Any, Field(description="Any JSON but null.", json_schema_extra={"not": {"type": "null"}})]

    @field_validator("value")
    @classmethod
    def check_value(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what is not stored."""
        try:
            if info.context is None:
                stored_text(value)
            else:
                info.context.text_of(value, is_public=True)
        except UnstorableError as error:
            raise ValueError(str(error)) from error
        except InvalidInputError as error:
            raise ValueError(error.problems[0].msg.removeprefix("Value error, ")) from error
        return value


class TaskBody(ValueBody):
    """What a worker writes to a key of its task instance."""

    expires_at: Annotated[Union[ExpiresAt, None], Field(description=WHEN)] = None


class PublicExpiry(BaseModel):
    """When an entry ends that is written over the public API."""

    expires_at: Annotated[DefaultExpiry, Field(description=f'{WHEN} "default": now plus the configured retention.')] = (
        DEFAULT
    )

    @field_validator("expires_at", mode="after")
    @classmethod
    def check_expires_at(cls, moment: Any) -> Any:
        """Turn a time into microseconds; not a part of the union, so that its errors read as pydantic's own."""
        return moment if moment is None or moment == DEFAULT else _to_timestamp(moment)


class PublicTaskBody(PublicExpiry, ValueBody):
    """What is written to a key of a task instance over the public API."""


class BodyReader:
    """Reads the fields of a body that was decoded.

    Args:
        model: The fields that it may have.
    """

    def __init__(self, model: type[ValueBody]) -> None:
        self.model = model
        expiry = model.model_fields.get("expires_at")
        self._may_expire = expiry is not None
        self._default: Expiry = None if expiry is None else expiry.default

    def read(
        self, content: JsonValue | bytes, others: Sequence[Problem] = (), limits: ValueLimits | None = None
    ) -> tuple[JsonValue, Expiry]:
        """Return the value and the time of expiry.

        In the most frequent bodies the value itself is not looked at: the service does that before it is stored,
        and :meth:`check` on the way to another refusal.

        Args:
            others: What is wrong with the rest of the request, to be told together.
            limits: How long a value may be, to be told together with other faults; None = that is told alone.

        Raises:
            InvalidInputError: Something is wrong, here or elsewhere.
            TooLargeError: The stored text is longer than the body limit.
        """
        if type(content) is dict and not others and self._is_plain(content):
            return content["value"], content.get("expires_at", self._default)
        found = self._validate(content, limits)
        if others or isinstance(found, list):
            raise InvalidInputError([*others, *(found if isinstance(found, list) else ())])
        return found.value, getattr(found, "expires_at", None)

    def refuse(self, content: JsonValue | bytes, others: Sequence[Problem], limits: ValueLimits) -> NoReturn:
        """Tell what is wrong with the rest of a request, and with the body too.

        Raises:
            InvalidInputError: Always.
            TooLargeError: The stored text is longer than the body limit.
        """
        found = self._validate(content, limits)
        raise InvalidInputError([*others, *(found if isinstance(found, list) else ())])

    def _is_plain(self, content: dict[str, Any]) -> bool:
        if content.get("value") is None:
            return False
        if len(content) == 1:
            return True
        if not self._may_expire or len(content) != 2 or "expires_at" not in content:
            return False
        expires_at = content["expires_at"]
        return expires_at is None or (self._default == DEFAULT and expires_at == DEFAULT)

    def check(self, value: JsonValue) -> None:
        """Refuse a value that is not stored.

        Raises:
            InvalidInputError: It is not.
        """
        found = self._validate({"value": value}, None)
        if isinstance(found, list):
            raise InvalidInputError(found)

    def _validate(self, content: JsonValue | bytes, limits: ValueLimits | None) -> ValueBody | list[Problem]:
        try:
            return _validated(self.model, content, limits)
        except InvalidInputError as error:
            return list(error.problems)
        except ValueError as error:  # some versions of pydantic let the one about the year 0 through
            given = content.get("expires_at") if isinstance(content, dict) else None
            return self._no_datetime(given, str(error))

    def _no_datetime(self, given: Any, reason: str) -> list[Problem]:
        loc = ("body", "expires_at")
        text = f"Input should be a valid datetime, {reason}"
        if self._default != DEFAULT:
            return [Problem("datetime_parsing", loc, text, given, {"error": reason})]
        return [
            Problem("datetime_parsing", (*loc, "datetime"), text, given, {"error": reason}),
            Problem(
                "literal_error",
                (*loc, "literal['default']"),
                "Input should be 'default'",
                given,
                {"expected": "'default'"},
            ),
        ]


_ModelT = TypeVar("_ModelT", bound=BaseModel)


def read_model(
    model: type[_ModelT], content: JsonValue | bytes, others: Sequence[Problem] = (), *, checks_others: bool = True
) -> _ModelT:
    """Return the fields of a body that was decoded.

    Args:
        others: What is wrong with the rest of the request, to be told together.
        checks_others: Whether that is reason enough to refuse it.

    Raises:
        InvalidInputError: Something is wrong, here or elsewhere.
    """
    try:
        found = _validated(model, content)
    except InvalidInputError as error:
        raise InvalidInputError([*others, *error.problems]) from error
    if others and checks_others:
        raise InvalidInputError(others)
    return found


def _validated(model: type[_ModelT], content: JsonValue | bytes, context: Any = None) -> _ModelT:
    if content is None:
        raise InvalidInputError([Problem("missing", ("body",), "Field required")])
    if not isinstance(content, dict):
        raise InvalidInputError([Problem("model_attributes_type", ("body",), _NO_OBJECT, _text_of(content))])
    try:
        return model.model_validate(content, context=context)
    except ValidationError as error:
        raise InvalidInputError(
            [
                Problem(one["type"], ("body", *one["loc"]), one["msg"], one["input"], one.get("ctx"))
                for one in error.errors(include_url=False)
            ]
        ) from error


_NO_OBJECT = "Input should be a valid dictionary or object to extract fields from"


def _text_of(content: JsonValue | bytes) -> Any:
    return content.decode("utf-8", "surrogateescape") if isinstance(content, bytes) else content


VALUE_BODY = BodyReader(ValueBody)
TASK_BODY = BodyReader(TaskBody)
PUBLIC_TASK_BODY = BodyReader(PublicTaskBody)
