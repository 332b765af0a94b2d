"""JSON values: how a text is read, and the one text that is stored for a value.

The stored text is what ``json.dumps`` writes by default (ASCII), so that its length is the value's size and
readers get back what Airflow's server would have stored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from math import isfinite
from typing import Any

from statemount.model import JsonValue

MAX_DIGITS = 4300
"""Longest integer, in decimal digits, whatever the interpreter's own limit is."""

MAX_NESTING = 255
"""Deepest nesting of arrays and objects."""

_SAFE_DIGITS = 640  # no interpreter refuses an integer up to this length (sys.int_info.str_digits_check_threshold)
_MANY_DIGITS = re.compile(r"[0-9]{641}")


class UnreadableError(ValueError):
    """The text is JSON that cannot be decoded at all: an integer has too many digits, or it is not UTF-8."""


class UnstorableError(ValueError):
    """The value is JSON that is not stored; ``str(error)`` says why."""


def load_json(text: str) -> JsonValue:
    """Decode a JSON text.

    Raises:
        json.JSONDecodeError: It is no JSON.
        UnreadableError: An integer is longer than :data:`MAX_DIGITS`.
        UnstorableError: It is nested too deeply to be decoded.
    """
    try:
        if len(text) <= _SAFE_DIGITS or _MANY_DIGITS.search(text) is None:
            return _loads(text)
        return json.loads(text, parse_int=_parse_long_integer)
    except RecursionError as error:
        raise UnstorableError(_TOO_DEEP) from error


_decode_value = json.JSONDecoder().raw_decode


def _loads(text: str) -> JsonValue:
    """Decode as json.loads does, which looks for blanks around the value first: there are none most of the time."""
    try:
        value, end = _decode_value(text)
    except json.JSONDecodeError:
        return json.loads(text)
    return value if end == len(text) else json.loads(text)


def _parse_long_integer(digits: str) -> int:
    if len(digits) <= _SAFE_DIGITS:
        return int(digits)
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise UnreadableError(f"an integer has more than {MAX_DIGITS} digits")
    return int(Decimal(digits))  # unlike int(digits), not subject to the interpreter's limit


_encode = json.JSONEncoder(allow_nan=False).encode  # what json.dumps makes anew at every call

_TOO_DEEP = f"value is nested deeper than {MAX_NESTING} levels"
_NULL = "value cannot be null"
_NOT_FINITE = "value contains non-finite numbers; NaN and Inf are not JSON representable"
_SURROGATES = "value contains lone surrogates, which are not valid Unicode"
_NO_JSON = "value is not JSON representable"
_TOO_MANY_DIGITS = f"value contains an integer of more than {MAX_DIGITS} digits"


def stored_text(value: JsonValue) -> str:
    """Return the text that is stored for a value.

    Raises:
        UnstorableError: It is null, or holds anywhere a number that is not finite, a lone surrogate, an integer of
            more than :data:`MAX_DIGITS` digits, more than :data:`MAX_NESTING` levels, or something that is no JSON.
    """
    if value is None:
        raise UnstorableError(_NULL)
    try:
        text = _encode(value)
    except RecursionError as error:
        raise UnstorableError(_TOO_DEEP) from error
    except TypeError as error:
        raise UnstorableError(_NO_JSON) from error
    except ValueError as error:
        text = _long_integer_text(value, error)
    if text.count("[") + text.count("{") > MAX_NESTING and _is_too_deep(value):
        raise UnstorableError(_TOO_DEEP)
    if "\\ud" in text and not all(map(is_unicode, _strings(value))):
        raise UnstorableError(_SURROGATES)
    if len(text) > MAX_DIGITS and _MANY_DIGITS.search(text) and _has_too_many_digits(value):
        raise UnstorableError(_TOO_MANY_DIGITS)
    return text


def is_unicode(text: str) -> bool:
    """Tell whether a text can be encoded: it has no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _walk(value: JsonValue) -> Iterator[JsonValue]:
    """Give every value, in no order; keys are left out."""
    pending = [value]
    while pending:
        item = pending.pop()
        yield item
        pending.extend(_children(item))


def _children(item: JsonValue) -> Iterable[JsonValue]:
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, (list, tuple)) else ()


def _strings(value: JsonValue) -> Iterator[str]:
    for item in _walk(value):
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            yield from (key for key in item if isinstance(key, str))


def _is_too_deep(value: JsonValue) -> bool:
    pending = [(value, 0)]  # depth first, so that what holds itself is found out soon
    while pending:
        item, depth = pending.pop()
        if depth == MAX_NESTING:
            return True
        pending.extend((child, depth + 1) for child in _children(item) if isinstance(child, (dict, list, tuple)))
    return False


def _has_too_many_digits(value: JsonValue) -> bool:
    limit = 10**MAX_DIGITS
    return any(isinstance(item, int) and abs(item) >= limit for item in _walk(value))


def _long_integer_text(value: JsonValue, error: ValueError) -> str:
    """Write a value whose integers are longer than this interpreter writes; any other fault is told apart here."""
    if _is_too_deep(value):  # also where it holds itself
        raise UnstorableError(_TOO_DEEP) from error
    for item in _walk(value):
        if isinstance(item, float) and not isfinite(item):
            raise UnstorableError(_NOT_FINITE) from error
        if isinstance(item, dict) and any(isinstance(key, float) and not isfinite(key) for key in item):
            raise UnstorableError(_NOT_FINITE) from error
    if _has_too_many_digits(value):
        raise UnstorableError(_TOO_MANY_DIGITS) from error
    return _write(value)


def _write(value: JsonValue) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_write_key(key)}: {_write(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_write, value)) + "]"
    if isinstance(value, int) and not isinstance(value, bool):
        return format(Decimal(value), "f")
    return json.dumps(value)


def _write_key(key: Any) -> str:
    text = _write(key)
    return text if isinstance(key, str) else f'"{text}"'
