"""Times in JSON: texts that name a moment, and which of two is the later one."""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"(?:([Zz])|([+-][0-9]{2}):?([0-9]{2}))"
)


class Moment(NamedTuple):
    """A moment; the later one of two is the greater one.

    Args:
        second: Aware, without its fraction.
        fraction: The digits of the fraction of the second, however many, without zeros at the end.
    """

    second: datetime
    fraction: str


def moment_of(text: str) -> Moment:
    """Return the moment that an ISO 8601 text names: date, time and offset, as in RFC 3339; the seconds may be missing.

    Raises:
        ValueError: It names none. Without an offset a time has no place on the time line.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("no ISO 8601 date and time with an offset")
    date, time, seconds, fraction, utc, hours, minutes = match.groups()
    offset = "+00:00" if utc else f"{hours}:{minutes}"
    return Moment(datetime.fromisoformat(f"{date}T{time}:{seconds or '00'}{offset}"), (fraction or "").rstrip("0"))
