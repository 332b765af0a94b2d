"""Histories over HTTP: what may be asked of them, and how they are told."""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii
from typing import Annotated, Any, ClassVar
from urllib.parse import urlencode

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)

from statemount.model import Change, Entry, History, Scope, TaskScope, Timestamp
from statemount.web.bodies import ExpiresAt
from statemount.web.entries import expiry_text, named_writer_text, time_text, value_text
from statemount.web.parameters import HistoryQuery, MapIndexQuery, Revision
from statemount.web.requests import Request
from statemount.web.responses import JSON, Header, Response


def _checked_time(given: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(given)
    except ValidationError:
        raise
    except ValueError as error:  # some versions of pydantic let the one about the year 0 through
        raise ValueError(f"no datetime: {error}") from error


class KeyHistoryQuery(HistoryQuery):
    """Which part of a key's history is wanted, or as of when the entry."""

    revision: Annotated[
        Revision | None, Field(description="The entry as it was right after the change with this revision.")
    ] = None
    at: Annotated[
        ExpiresAt | None,
        Field(description="The entry as it was at this time, which must have a time zone."),
        WrapValidator(_checked_time),
    ] = None

    @field_validator("at")
    @classmethod
    def check_at(cls, moment: Any, info: ValidationInfo) -> Any:
        """Refuse two moments."""
        if moment is not None and info.data.get("revision") is not None:
            raise ValueError("a revision or a time is wanted, not both")
        return moment

    @property
    def asks_for_entry(self) -> bool:
        """Whether the entry is wanted, not its changes."""
        return self.revision is not None or self.at is not None

    @property
    def timestamp(self) -> Timestamp | None:
        """The time, which the validation has turned into microseconds."""
        moment: Any = self.at
        return moment  # type: ignore[no-any-return]


class TaskHistoryQuery(HistoryQuery, MapIndexQuery):
    """Which part of a task instance's history is wanted."""


class TaskKeyHistoryQuery(KeyHistoryQuery, MapIndexQuery):
    """Which part of the history of a task instance's key is wanted, or as of when the entry."""


class RevertBody(BaseModel):
    """Where to go back to."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    revision: Annotated[Revision, Field(description="The entry becomes what it was right after this change.")]


def more_than(limit: int) -> int:
    """Return how many changes to read so that it is known whether there are more."""
    return limit + 1 if limit else 0


def history_response(request: Request, scope: Scope, history: History, limit: int) -> Response:
    """Return the answer with a part of a history.

    Args:
        history: With one more change than is wanted, if there is one.
        limit: So many are wanted.
    """
    changes = history.changes[:limit]
    headers: list[Header] = [JSON]
    if len(changes) < len(history.changes):
        headers.append(_next(request, changes[-1].revision))
    complete = "true" if history.complete else "false"
    texts = ",".join(_change_text(scope, change) for change in changes)
    text = f'{{"changes":[{texts}],"revision":{history.revision},"complete":{complete}}}'
    return Response(200, headers, text.encode())


def past_response(scope: Scope, entry: Entry) -> Response:
    """Return the answer with an entry as it was."""
    expiry = f'"expires_at":{expiry_text(entry.expires_at)},' if isinstance(scope, TaskScope) else ""
    text = (
        f'{{"key":{encode_basestring_ascii(entry.key)},"value":{value_text(scope, entry)},"revision":{entry.revision},'
        f'"updated_at":{time_text(entry.updated_at)},{expiry}"writer":{named_writer_text(entry.writer)}}}'
    )
    return Response(200, (JSON,), text.encode())


def _next(request: Request, before: int) -> Header:
    query = {name: text for name, text in request.query().items() if name in ("limit", "map_index")}
    return b"link", f'<?{urlencode({**query, "before": before})}>; rel="next"'.encode()


def _change_text(scope: Scope, change: Change) -> str:
    key = "null" if change.key is None else encode_basestring_ascii(change.key)
    value = ""
    if change.value is not None:
        entry = Entry(change.key or "", change.value, change.at, change.revision)
        value = f',"value":{value_text(scope, entry)}'
    return (
        f'{{"revision":{change.revision},"operation":{json.dumps(change.kind)},"key":{key},'
        f'"at":{time_text(change.at)},"writer":{named_writer_text(change.writer)},"size":{change.size},'
        f'"expires_at":{expiry_text(change.expires_at)}{value}}}'
    )
