"""Server-sent events, as the HTML standard has them: what a watch is told, as text."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from json.encoder import encode_basestring_ascii

from statemount.model import Change, Entry, Scope, TaskScope
from statemount.watching.events import SharedEvents, WatchEvent
from statemount.web.entries import time_text, value_text, writer_text

HEARTBEAT = b":\n\n"
"""A comment, which tells nothing but that the connection is alive."""

_PART_BYTES = 32_768
_SHORTEST_RETRY = 1000
_LONGEST_RETRY = 3000


def retry_text() -> bytes:
    """Return what tells a client how long to wait before it connects again: not all of them at the same moment."""
    return b"retry: %d\n\n" % random.randint(_SHORTEST_RETRY, _LONGEST_RETRY)  # noqa: S311 - no secret


def position_text(revision: int) -> bytes:
    """Return what tells a client, besides that the connection is alive, up to where nothing concerned it.

    It is no event, and the next ``Last-Event-ID`` all the same.
    """
    return b":\nid: %d\n\n" % revision


def event_texts(scope: Scope, events: Iterable[WatchEvent]) -> Iterable[bytes]:
    """Return events as text, in parts that are not much larger than need be: a server keeps one that it is given.

    Each is made once, for everybody who is told it.
    """
    if not isinstance(events, SharedEvents):
        return _parts(scope, events)
    if events.parts is None:
        events.parts = tuple(_parts(scope, events))
    return events.parts


def _parts(scope: Scope, events: Iterable[WatchEvent]) -> Iterator[bytes]:
    texts: list[bytes] = []
    size = 0
    for event in events:
        text = event.text
        if text is None:
            text = event.text = _text(scope, event)
        texts.append(text)
        size += len(text)
        if size > _PART_BYTES:
            yield b"".join(texts)
            texts, size = [], 0
    if texts:
        yield b"".join(texts)


def _text(scope: Scope, event: WatchEvent) -> bytes:
    data = f'{{"revision":{event.revision}}}' if event.change is None else _data(scope, event.change)
    return f"id: {event.revision}\nevent: {event.kind}\ndata: {data}\n\n".encode()


def _data(scope: Scope, change: Change) -> str:
    parts = [f'"revision":{change.revision}']
    if change.key is not None:
        parts.append(f'"key":{encode_basestring_ascii(change.key)}')
    parts.append(f'"at":{time_text(change.at)}')
    if change.kind == "set":
        parts.append(f'"size":{change.size}')
        if isinstance(scope, TaskScope):
            parts.append(f'"expires_at":{"null" if change.expires_at is None else time_text(change.expires_at)}')
        if change.value is not None:
            parts.append(f'"value":{_value(scope, change, change.value)}')
    parts.append(f'"writer":{writer_text(change.writer)}')
    return f"{{{','.join(parts)}}}"


def _value(scope: Scope, change: Change, value: str) -> str:
    text = value_text(scope, Entry(change.key or "", value, change.at, change.revision))
    # A line break in JSON stands between its tokens, and only in a text that somebody else has written.
    return text.replace("\r", " ").replace("\n", " ")
