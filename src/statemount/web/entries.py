"""Entries as JSON: the stored text goes in as it is, neither decoded nor encoded again."""

from __future__ import annotations

import json
import logging
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import get_args

from pydantic_core import from_json

from statemount.model import Entry, Scope, Timestamp, Writer, WriterKind, to_datetime
from statemount.web.responses import JSON, Response, etag

logger: logging.Logger = logging.getLogger("statemount.web")

_SECOND = 1_000_000


def value_response(scope: Scope, entry: Entry) -> Response:
    """Return the answer with an entry's value alone."""
    return Response(200, (JSON, etag(entry.revision)), f'{{"value": {value_text(scope, entry)}}}'.encode())


def task_entry(scope: Scope, entry: Entry) -> str:
    """Return a task instance's entry as JSON."""
    return f'{_head(scope, entry)},"expires_at":{expiry_text(entry.expires_at)}}}'


def asset_entry(scope: Scope, entry: Entry) -> str:
    """Return an asset's entry as JSON."""
    return f"{_head(scope, entry)}}}"


def asset_entry_with_writer(scope: Scope, entry: Entry) -> str:
    """Return an asset's entry as JSON, with who wrote it."""
    return f'{_head(scope, entry)},"last_updated_by":{writer_text(entry.writer)}}}'


def entry_response(text: str, entry: Entry) -> Response:
    """Return the answer with one entry.

    Args:
        text: The entry as JSON.
    """
    return Response(200, (JSON, etag(entry.revision)), text.encode())


def revision_text(revision: int) -> str:
    """Return an entry's revision as JSON; 0 for one that is no number, which somebody else wrote."""
    return str(revision) if type(revision) is int else "0"


def _head(scope: Scope, entry: Entry) -> str:
    key, value = encode_basestring_ascii(entry.key), value_text(scope, entry)
    return f'{{"key":{key},"value":{value},"updated_at":{time_text(entry.updated_at)}'


def value_text(scope: Scope, entry: Entry) -> str:
    """Return an entry's stored text; see :func:`stored_value`."""
    return stored_value(scope, entry.key, entry.value)


def stored_value(scope: Scope, key: str, value: str) -> str:
    """Return a stored text.

    One that is no JSON, which only somebody else can have written, is answered as null and logged.
    """
    if is_json(value):
        return value
    logger.error("the stored text of key %r of %r is no JSON: its value is answered as null", key, scope)
    return "null"


def time_text(timestamp: Timestamp) -> str:
    """Return a time as a JSON text, as pydantic writes it: microseconds only where there are some.

    A time before the year 1 or after 9999, which only somebody else can have stored, is answered as the nearest one
    that there is.
    """
    seconds, microseconds = divmod(timestamp, _SECOND)
    text = _second_text(seconds)
    return f'"{text}.{str(_SECOND + microseconds)[1:]}Z"' if microseconds else f'"{text}Z"'


def expiry_text(timestamp: Timestamp | None) -> str:
    """Return a time of expiry as a JSON text."""
    return "null" if timestamp is None else time_text(timestamp)


@lru_cache(maxsize=4096)
def _second_text(seconds: int) -> str:
    try:
        return to_datetime(seconds * _SECOND).isoformat()[:19]
    except OverflowError:
        return "0001-01-01T00:00:00" if seconds < 0 else "9999-12-31T23:59:59"


def writer_text(writer: Writer | None) -> str:
    """Return who wrote as JSON; null for nobody, and for what somebody else has stored."""
    if writer is None:
        return "null"
    try:
        return _text_of_writer(writer)
    except (TypeError, ValueError):
        return "null"


def named_writer_text(writer: Writer | None) -> str:
    """Return who wrote as a JSON text, with the subject, which only the history tells."""
    text = writer_text(writer)
    if writer is None or text == "null":
        return "null"
    subject = writer.subject if isinstance(writer.subject, str) else None
    return f'{text[:-1]},"subject":{_text_or_null(subject)}}}'


@lru_cache(maxsize=4096)
def _text_of_writer(writer: Writer) -> str:
    if writer.kind not in _KINDS:
        return "null"
    dag_id, run_id, task_id = map(_text_or_null, (writer.dag_id, writer.run_id, writer.task_id))
    map_index = "null" if writer.map_index is None else f"{writer.map_index:d}"
    ids = f'"dag_id":{dag_id},"run_id":{run_id},"task_id":{task_id},"map_index":{map_index}'
    return f'{{"kind":"{writer.kind}",{ids}}}'


_KINDS = frozenset(get_args(WriterKind))


def _text_or_null(text: str | None) -> str:
    return "null" if text is None else encode_basestring_ascii(text)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


# Numbers are left as text: their syntax is checked, and no limit of the interpreter on integers applies.
_decode = json.JSONDecoder(parse_constant=_refuse, parse_int=str, parse_float=str).decode


def is_json(text: object) -> bool:
    """Tell whether what is stored is JSON that can be sent as it is."""
    if not isinstance(text, str):
        return False
    try:
        from_json(text, allow_inf_nan=False, cache_strings="none")
        return True
    except (ValueError, TypeError):  # it has limits of its own: on nesting, digits and surrogates
        return _is_unusual_json(text)


def _is_unusual_json(text: str) -> bool:
    try:
        _decode(text)
        return text.isascii() or bool(text.encode())
    except (ValueError, RecursionError):
        return False
