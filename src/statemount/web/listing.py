"""Lists of entries: the part that a request asks for, and where the next one begins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar
from urllib.parse import quote

from statemount.model import AssetScope, Page, TaskScope
from statemount.service.states import States
from statemount.web.conditions import refuse_other_revision, unchanged
from statemount.web.contracts import Words
from statemount.web.cursors import cursor_after
from statemount.web.entries import asset_entry, asset_entry_with_writer, page_response, task_entry
from statemount.web.parameters import ListQuery, StatePageQuery
from statemount.web.requests import Request
from statemount.web.responses import Header, Response

_ScopeT = TypeVar("_ScopeT", TaskScope, AssetScope)

_LINKED = frozenset({"include", "prefix", "keys_only", "cursor"})
"""What only a client sends that may want to be told where the list goes on."""


async def task_list(
    request: Request, states: States[TaskScope], scope: TaskScope, query: StatePageQuery, words: Words
) -> Response:
    """Answer with a part of a task instance's entries.

    Raises:
        PreconditionFailedError: The client wants another revision only.
    """
    page, cursor = await _read(states, scope, query)
    if query.include == "revision":
        refuse_other_revision(request, page.revision)
    texts = [task_entry(scope, entry, has_value=not query.keys_only) for entry in page.entries]
    links = _links(request, query, cursor)
    return page_response(words.entries, texts, page, has_revisions=query.include == "revision", headers=links)


async def asset_list(
    request: Request, states: States[AssetScope], scope: AssetScope, query: StatePageQuery, words: Words
) -> Response:
    """Answer with a part of an asset's entries.

    Raises:
        PreconditionFailedError: The client wants another revision only.
    """
    page, cursor = await _read(states, scope, query)
    known = unchanged(request, page.revision) if query.include == "revision" else None
    if known is not None:
        return known
    text_of = asset_entry_with_writer if words.shows_writer else asset_entry
    texts = [text_of(scope, entry, has_value=not query.keys_only) for entry in page.entries]
    links = _links(request, query, cursor)
    return page_response(words.entries, texts, page, has_revisions=query.include == "revision", headers=links)


async def _read(states: States[_ScopeT], scope: _ScopeT, query: StatePageQuery) -> tuple[Page, str | None]:
    """Return the part of a list that is wanted, and the cursor of the next one; None = there is no more."""
    after = query.cursor or None
    further = 1 if after is not None and query.limit else 0  # the total says nothing of what lies behind a cursor
    page = await states.list(
        scope,
        limit=query.limit + further,
        offset=query.offset,
        prefix=query.prefix,
        after=after,
        keys_only=query.keys_only,
    )
    entries = page.entries[: query.limit]
    has_more = len(page.entries) > query.limit if further else query.offset + len(entries) < page.total
    if not has_more or not entries or entries[-1].key == after:  # a key that is no UTF-8 reads like another one
        return replace(page, entries=entries), None
    return replace(page, entries=entries), cursor_after(entries[-1].key, query.prefix)


def _links(request: Request, query: StatePageQuery, cursor: str | None) -> Iterable[Header]:
    """Return the link to the part that follows, if there is one and the client may want to know."""
    if cursor is None or not (isinstance(query, ListQuery) or _LINKED.intersection(query.model_fields_set)):
        return ()
    # A query alone: a reference that holds below every mount and behind every proxy.
    parameters = {**request.query(), "cursor": cursor}
    parameters.pop("offset", None)
    target = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in parameters.items())
    return [(b"link", f'<?{target}>; rel="next"'.encode())]


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogateescape")
