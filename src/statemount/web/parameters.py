"""Parameters of paths and queries: the models that read them are what the OpenAPI document says of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, ClassVar, Literal, TypeAlias, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from statemount.errors import InvalidInputError, Problem
from statemount.interfaces import MAX_JTI_LENGTH
from statemount.model import MAX_ASSET_NAME_LENGTH, MAX_ID_LENGTH, MAX_KEY_LENGTH, NOT_MAPPED
from statemount.web.cursors import key_of
from statemount.web.requests import Request, query_parameters

MAX_INTEGER = 2**63 - 1
"""The largest integer that every database keeps."""

DEFAULT_LIMIT = 50
"""How many entries a list gives unless it is asked for another number."""

MAX_LIMIT = 100
"""How many entries a list gives at most; a larger number is cut to it."""


_SHORT_QUERY = 200


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL characters")
    return text


def _cut(limit: int) -> int:
    return min(limit, MAX_LIMIT)


_NO_NUL = Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})


def _without_plus(text: object) -> object:
    return text.replace("+", "", 1) if isinstance(text, str) and _PLUS.match(text) else text


_PLUS = re.compile(r"\s*\+[0-9]")

_PLAIN = BeforeValidator(_without_plus)  # last in an annotation, else the schema loses the bounds before it

Integer: TypeAlias = Annotated[int, _PLAIN]
"""Read alike by every version of pydantic: the older ones refuse a plus sign."""

Key: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_KEY_LENGTH), AfterValidator(_without_nul), _NO_NUL]
Id: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH), AfterValidator(_without_nul), _NO_NUL]
AssetText: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=MAX_ASSET_NAME_LENGTH), AfterValidator(_without_nul), _NO_NUL
]
Jti: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_JTI_LENGTH), AfterValidator(_without_nul), _NO_NUL]
MapIndex: TypeAlias = Annotated[int, Field(ge=NOT_MAPPED, le=MAX_INTEGER), _PLAIN]
Revision: TypeAlias = Annotated[int, Field(ge=0, le=MAX_INTEGER), _PLAIN]


class Parameters(BaseModel):
    """The parameters of a path, or of a query; unknown ones are ignored."""

    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True)


class NoParameters(Parameters):
    """None at all."""


class MapIndexQuery(Parameters):
    """Which of a mapped task's instances is meant."""

    map_index: Annotated[MapIndex, Field(description="Of a mapped task: which instance; -1 = it is not mapped.")] = (
        NOT_MAPPED
    )


class PageQuery(Parameters):
    """Which part of a list is wanted."""

    limit: Annotated[
        int,
        Field(ge=0, description=f"At most so many; more than {MAX_LIMIT} is read as {MAX_LIMIT}, 0 = only the total."),
        AfterValidator(_cut),
        _PLAIN,
    ] = DEFAULT_LIMIT
    offset: Annotated[int, Field(ge=0, le=MAX_INTEGER, description="How many to pass over."), _PLAIN] = 0


class StatePageQuery(PageQuery):
    """Which part of a list of entries is wanted, and what of them."""

    include: Annotated[
        Literal["revision"] | None,
        Field(description="revision: each entry's, and that of the whole state as ETag."),
    ] = None
    prefix: Annotated[
        str,
        Field(max_length=MAX_KEY_LENGTH, description="List and count only keys that begin with it, byte by byte."),
        AfterValidator(_without_nul),
        _NO_NUL,
    ] = ""
    keys_only: Annotated[bool, Field(description="Leave the values out.")] = False
    cursor: Annotated[
        str | None,
        Field(description="Where to go on: as in the Link of the answer before; empty = from the first key on."),
    ] = None

    @field_validator("cursor")
    @classmethod
    def check_cursor(cls, cursor: str | None, info: ValidationInfo) -> str | None:
        """Turn a cursor into the key that it stands behind."""
        if not cursor or "prefix" not in info.data:
            return cursor
        if info.data.get("offset"):
            raise ValueError("a cursor goes on where the last part ended, with no offset")
        return key_of(cursor, info.data["prefix"])


class ListQuery(StatePageQuery):
    """The list of a collection that has none for an ordinary GET."""

    list: Annotated[bool, Field(description="Asks for the list.", json_schema_extra={"enum": [True]})]


class PurgeQuery(Parameters):
    """What of a removal is to be remembered."""

    purge: Annotated[
        bool, Field(description="Remove old values from the history too, of all that happened so far.")
    ] = False


class HistoryQuery(Parameters):
    """Which part of a history is wanted."""

    limit: Annotated[
        int,
        Field(ge=0, description=f"At most so many changes; more than {MAX_LIMIT} is read as {MAX_LIMIT}."),
        AfterValidator(_cut),
        _PLAIN,
    ] = DEFAULT_LIMIT
    before: Annotated[
        Revision | None, Field(description="Changes with a smaller revision alone; without it, from the newest on.")
    ] = None


ParametersT = TypeVar("ParametersT", bound=Parameters)
_ReadT = TypeVar("_ReadT")

Place = Literal["path", "query"]


def read_parameters(
    model: type[ParametersT], given: Mapping[str, str], place: Place
) -> tuple[ParametersT | None, list[Problem]]:
    """Return the parameters, or None and what is wrong with them, in the order of the model's fields.

    Args:
        given: The texts by name, decoded.
        place: Where they stand.
    """
    try:
        return model.model_validate(given), []
    except ValidationError as error:
        return None, [
            Problem(
                one["type"],
                (place, *one["loc"]),
                one["msg"],
                given.get(str(one["loc"][0])),
                one.get("ctx"),
            )
            for one in error.errors(include_url=False)
        ]


def read_query(model: type[ParametersT], request: Request) -> tuple[ParametersT | None, list[Problem]]:
    """Return the parameters of a query, as :func:`read_parameters` does.

    Short queries are the same again and again: what they say is remembered.
    """
    query: bytes = request.asgi_scope.get("query_string", b"")
    found = _remembered(model, query) if len(query) <= _SHORT_QUERY else None
    return read_parameters(model, request.query(), "query") if found is None else (found, [])


@lru_cache(maxsize=1024)
def _remembered(model: type[ParametersT], query: bytes) -> ParametersT | None:
    try:
        return model.model_validate(query_parameters(query))
    except ValidationError:
        return None


def checked(parameters: _ReadT | None, problems: Sequence[Problem]) -> _ReadT:
    """Return parameters with which nothing is wrong.

    Raises:
        InvalidInputError: Something is, with them or with others.
    """
    if parameters is None or problems:
        raise InvalidInputError(problems)
    return parameters


_UUID: TypeAdapter[UUID] = TypeAdapter(UUID)


def uuid_of(text: str) -> UUID | None:
    """Return the UUID that a text spells, in any spelling, or None."""
    try:
        return _UUID.validate_python(text)
    except ValidationError:
        return None


_INTEGER: TypeAdapter[int] = TypeAdapter(Integer)


def integer_of(text: str) -> int | None:
    """Return the integer that a text spells, or None."""
    try:
        return _INTEGER.validate_python(text)
    except ValidationError:
        return None
