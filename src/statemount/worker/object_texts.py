"""What an object holds: the JSON text of a value, as it is or compressed. Its first bytes tell which."""

from __future__ import annotations

import json
import zlib
from typing import Literal

from statemount.errors import InvalidInputError, Problem
from statemount.model import JsonValue

Compression = Literal["gzip", "none"]

_GZIP = 16 + zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b"  # no JSON text begins with it
_FASTEST = 1  # 250 MB/s instead of 80 for texts that become 22 % of their size instead of 21 %


def json_text(value: JsonValue) -> str:
    """Return the JSON text of a value, in ASCII, as the server would store it.

    Raises:
        InvalidInputError: It is no JSON value: a number is not finite, or something else has no form in JSON.
    """
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            [Problem("value_error", ("body", "value"), f"value is not JSON representable: {error}")]
        ) from error


def to_bytes(text: str, compression: Compression) -> bytes:
    """Return what is written for a JSON text."""
    content = text.encode()
    if compression == "none":
        return content
    compressor = zlib.compressobj(_FASTEST, wbits=_GZIP)
    return compressor.compress(content) + compressor.flush()


def from_bytes(content: bytes | memoryview) -> str:
    """Return the JSON text that was written, however it was compressed.

    Raises:
        ValueError: It is not UTF-8, or damaged.
    """
    if bytes(content[:2]) != _GZIP_MAGIC:
        return str(content, "utf-8")
    try:
        return str(zlib.decompress(content, wbits=_GZIP), "utf-8")
    except zlib.error as error:
        raise ValueError(f"it cannot be decompressed: {error}") from error
