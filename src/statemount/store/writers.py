"""Writers as they stand in the tables: a short JSON text."""

from __future__ import annotations

from functools import lru_cache
from json.encoder import encode_basestring_ascii

from statemount.json_values import load_json
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
        return Writer(**load_json(text))
    except (ValueError, TypeError):
        return None
