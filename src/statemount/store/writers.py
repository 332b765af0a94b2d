"""Writers as they stand in the tables: a short JSON text."""

from __future__ import annotations

import json
from functools import lru_cache
from json.encoder import encode_basestring_ascii

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
        fields, end = _decode(text)
        return Writer(**(fields if end == len(text) else json.loads(text)))
    except (ValueError, TypeError):
        return None


_decode = json.JSONDecoder().raw_decode  # json.loads looks for blanks around the object, which we do not write
