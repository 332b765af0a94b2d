"""Writers as they stand in the tables: a short JSON text."""

from __future__ import annotations

import json
from functools import lru_cache
from json.encoder import encode_basestring_ascii

from pydantic_core import from_json

from statemount.model import Writer


@lru_cache(maxsize=4096)
def writer_text(writer: Writer | None) -> str | None:
    """Return the text for a writer, as :func:`json.dumps` writes it."""
    if writer is None:
        return None
    fields = [
        f'"{name}": {encode_basestring_ascii(value) if isinstance(value, str) else value}'
        for name, value in zip(Writer._fields, writer, strict=True)
        if value is not None
    ]
    return f"{{{', '.join(fields)}}}"


@lru_cache(maxsize=4096)
def read_writer(text: str | None) -> Writer | None:
    """Return the writer of a text; None for one that is not ours."""
    if text is None:
        return None
    try:
        return Writer(**from_json(text))
    except (ValueError, TypeError):
        return _read_unusual(text)


def _read_unusual(text: str) -> Writer | None:
    """Return the writer of a text that pydantic does not read, if json does: with half a surrogate, for example."""
    try:
        return Writer(**json.loads(text))
    except (ValueError, TypeError):
        return None
