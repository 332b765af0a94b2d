"""The JSON value of a request's body, under the rules of :mod:`statemount.json_values`."""

from __future__ import annotations

from statemount.json_values import MAX_DIGITS, MAX_NESTING, UnreadableError, UnstorableError, load_json, stored_text
from statemount.model import JsonValue

__all__ = ["MAX_DIGITS", "MAX_NESTING", "UnreadableError", "UnstorableError", "read_json", "stored_text"]


def read_json(body: bytes) -> JsonValue:
    """Decode a request's body.

    Raises:
        json.JSONDecodeError: It is no JSON.
        UnreadableError: It is not UTF-8, or an integer is longer than :data:`MAX_DIGITS`.
        UnstorableError: It is nested too deeply to be decoded.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise UnreadableError("the body is not UTF-8") from error
    return load_json(text)
