"""What an ``Accept`` header names."""

from __future__ import annotations

from collections.abc import Sequence


def names_media_type(accept: bytes, media_type: bytes) -> bool:
    """Tell whether an ``Accept`` names a media type: itself, not by a wildcard, and not with q=0.

    Args:
        media_type: In lower case.
    """
    lower = accept.lower()
    return media_type in lower and any(_names(part, media_type) for part in lower.split(b","))


def _names(media_range: bytes, media_type: bytes) -> bool:
    named, *parameters = [part.strip() for part in media_range.split(b";")]
    return named == media_type and not _is_refused(parameters)


def _is_refused(parameters: Sequence[bytes]) -> bool:
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"q":
            return value.strip().strip(b"0").strip(b".") == b""
    return False
