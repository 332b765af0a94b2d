"""Writers as they stand in the tables: a short JSON text."""

from __future__ import annotations

import json
from functools import lru_cache

from statemount.model import Writer


@lru_cache(maxsize=4096)
def writer_text(writer: Writer | None) -> str | None:
    """Return the text for a writer."""
    if writer is None:
        return None
    fields = {name: getattr(writer, name) for name in Writer.__slots__}
    return json.dumps({name: value for name, value in fields.items() if value is not None})


@lru_cache(maxsize=4096)
def read_writer(text: str | None) -> Writer | None:
    """Return the writer of a text; None for one that is not ours."""
    if text is None:
        return None
    try:
        return Writer(**json.loads(text))
    except (ValueError, TypeError):
        return None
