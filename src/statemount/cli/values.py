"""What a command is given as a value or a time, and what it means."""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias, Union

import click

from statemount.clock import system_clock
from statemount.model import JsonValue, to_datetime

Expiry: TypeAlias = Union[datetime, Literal["default"], None]
"""A time, after the server's retention, or never."""

_DURATION = re.compile(r"(?:[0-9]+[wdhms])+")
_PART = re.compile(r"([0-9]+)([wdhms])")
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def read_value(argument: str, *, is_text: bool, name: str = "VALUE") -> JsonValue:
    """Return the value that an argument gives: itself, what is in ``@file``, or what comes from stdin for ``-``.

    Args:
        name: Of the argument.

    Raises:
        click.UsageError: It cannot be read, or is no JSON.
    """
    text = _content(argument, name)
    if is_text:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        hint = "; for a text, add --text" if name == "VALUE" else ""
        raise click.UsageError(f"{name} is no JSON ({error}){hint}") from None


def _content(argument: str, name: str) -> str:
    if argument != "-" and not argument.startswith("@"):
        return argument
    try:
        if argument == "-":
            return sys.stdin.buffer.read().decode()
        return Path(argument[1:]).read_bytes().decode()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise click.UsageError(f"{name} cannot be read from {argument}: {reason}") from None


def read_expiry(context: click.Context, parameter: click.Parameter, text: str) -> Expiry:
    """Return what an option means: ``never``, ``default``, a duration from now on, or a time with its offset.

    Raises:
        click.BadParameter: It is none of them, or ends after the year 9999.
    """
    if text == "never":
        return None
    if text == "default":
        return "default"
    try:
        return to_datetime(system_clock()) + _duration(text) if _DURATION.fullmatch(text) else _time(text)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is neither never, default, a duration such as 30d or 1h30m, nor a time with its offset "
            "such as 2030-01-01T00:00:00Z",
            context,
            parameter,
        ) from None


def read_moment(context: click.Context, parameter: click.Parameter, text: str | None) -> datetime | None:
    """Return the time that an option gives, with its offset; None = it is not given.

    Raises:
        click.BadParameter: It is none.
    """
    if text is None:
        return None
    try:
        return _time(text)
    except ValueError:
        message = f"{text!r} is no time with its offset such as 2026-01-01T00:00:00Z"
        raise click.BadParameter(message, context, parameter) from None


def read_operations(argument: str) -> list[dict[str, Any]]:
    """Return the operations of a batch that an argument gives, as a value is given.

    Raises:
        click.UsageError: It cannot be read, or is no list of objects, alone or as ``operations``.
    """
    document = read_value(argument, is_text=False, name="OPERATIONS")
    found = document.get("operations") if isinstance(document, dict) else document
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise click.UsageError('OPERATIONS is no list of objects such as {"op": "set", "key": "a", "value": 1}')
    return found


def _duration(text: str) -> timedelta:
    return sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in _PART.findall(text)), timedelta())


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    if moment.utcoffset() is None:
        raise ValueError("it has no offset")
    return moment
