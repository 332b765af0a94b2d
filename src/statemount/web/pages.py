"""Lists of entries as JSON, put together column by column: a step for each entry would be most of what a list costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from json.encoder import encode_basestring_ascii
from secrets import token_hex

from pydantic_core import from_json

from statemount.model import Columns, Scope, Timestamp, Writer
from statemount.web.entries import expiry_text, revision_text, stored_value, writer_text
from statemount.web.responses import JSON, Header, Response, etag


def page_response(
    name: str,
    scope: Scope,
    page: Columns,
    *,
    has_values: bool = True,
    has_expiry: bool = False,
    has_writer: bool = False,
    has_revisions: bool = False,
    headers: Iterable[Header] = (),
) -> Response:
    """Return the answer with a list.

    Args:
        name: Of the list.
        page: Its entries, with the columns that are shown.
        has_values: Whether the entries have their values.
        has_expiry: Whether they say when they end.
        has_writer: Whether they say who wrote them.
        has_revisions: Whether they say their revisions, and the answer that of the scope.
        headers: Further ones.
    """
    headers = [JSON, *headers]
    fields: list[tuple[str, Sequence[str]]] = [('{"key":', list(map(encode_basestring_ascii, page.keys)))]
    if has_values:
        fields.append((',"value":', _values(scope, page)))
    fields.append((',"updated_at":', _times(page.updated_at)))
    if has_expiry:
        fields.append((',"expires_at":', _times(page.expires_at)))
    if has_writer:
        fields.append((',"last_updated_by":', _writers(page.writers)))
    if has_revisions:
        fields.append((',"revision":', list(map(revision_text, page.revisions))))
        headers.append(etag(page.revision))
    pieces = _objects(fields, len(page.keys))
    text = "".join([f'{{"{name}":[', *pieces, f'],"total_entries":{page.total}}}'])
    return Response(200, headers, text.encode())


def _objects(fields: Sequence[tuple[str, Sequence[str]]], count: int) -> list[str]:
    """Return the pieces of JSON objects that are separated by commas.

    Args:
        fields: What stands before each value, and the values.
    """
    width = 2 * len(fields) + 1
    pieces = ["},"] * (count * width)
    for place, (label, values) in enumerate(fields):
        pieces[2 * place :: width] = [label] * count
        pieces[2 * place + 1 :: width] = values
    if pieces:
        pieces[-1] = "}"
    return pieces


def _values(scope: Scope, page: Columns) -> Sequence[str]:
    if _are_json(page.values):
        return page.values
    return [stored_value(scope, key, value) for key, value in zip(page.keys, page.values, strict=True)]


def _are_json(texts: Sequence[str]) -> bool:
    """Tell whether each text is JSON for certain; False: one by one they may be.

    They are read at once, as one array in which a mark stands before each text, and behind the last. Nobody can have
    put the mark into a text, for nobody knows it. So where the marks are every other item of the array there is one
    item between two of them, and that is the text.
    """
    try:
        items = from_json(f'["{_MARK}",{_BETWEEN.join(texts)},"{_MARK}"]', allow_inf_nan=False, cache_strings="none")
    except (ValueError, TypeError):
        return False
    return len(items) == 2 * len(texts) + 1 and items[::2] == [_MARK] * (len(texts) + 1)


_MARK = token_hex(16)
_BETWEEN = f',"{_MARK}",'


def _times(timestamps: Sequence[Timestamp | None]) -> Sequence[str]:
    different = set(timestamps)
    if len(different) == 1:  # what was written together, or has no end
        return [expiry_text(timestamps[0])] * len(timestamps)
    texts = {timestamp: expiry_text(timestamp) for timestamp in different}
    return [texts[timestamp] for timestamp in timestamps]


def _writers(writers: Sequence[Writer | None]) -> Sequence[str]:
    texts = {id(writer): writer_text(writer) for writer in {id(writer): writer for writer in writers}.values()}
    return [texts[id(writer)] for writer in writers]
