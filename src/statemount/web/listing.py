"""Lists of entries: the part that a request asks for, and where the next one begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar
from urllib.parse import quote

from statemount.model import AssetScope, Columns, EntryColumn, TaskScope
from statemount.service.states import States
from statemount.web.conditions import refuse_other_revision, unchanged
from statemount.web.contracts import Words
from statemount.web.cursors import cursor_after
from statemount.web.pages import page_response
from statemount.web.parameters import ListQuery, StatePageQuery
from statemount.web.requests import Request
from statemount.web.responses import Header, Response

_ScopeT = TypeVar("_ScopeT", TaskScope, AssetScope)

_LINKED = frozenset({"include", "prefix", "keys_only", "cursor"})
"""What only a client sends that may want to be told where the list goes on."""

_SHOWN_OF_TASK: frozenset[EntryColumn] = frozenset({"values", "updated_at", "expires_at"})
_SHOWN_OF_ASSET: Mapping[bool, frozenset[EntryColumn]] = {
    True: frozenset({"values", "updated_at", "writers"}),
    False: frozenset({"values", "updated_at"}),
}
_WANTED: Mapping[tuple[frozenset[EntryColumn], bool, str | None], frozenset[EntryColumn]] = {
    (shown, keys_only, include): (shown - {"values"} if keys_only else shown) | ({"revisions"} if include else set())
    for shown in (_SHOWN_OF_TASK, *_SHOWN_OF_ASSET.values())
    for keys_only in (False, True)
    for include in (None, "revision")
}


async def task_list(
    request: Request, states: States[TaskScope], scope: TaskScope, query: StatePageQuery, words: Words
) -> Response:
    """Answer with a part of a task instance's entries.

    Raises:
        PreconditionFailedError: The client wants another revision only.
    """
    page, last = await _read(states, scope, query, _SHOWN_OF_TASK)
    has_revisions = query.include == "revision"
    if has_revisions:
        refuse_other_revision(request, page.revision)
    return page_response(
        words.entries,
        scope,
        page,
        has_values=not query.keys_only,
        has_expiry=True,
        has_revisions=has_revisions,
        headers=_links(request, query, last),
    )


async def asset_list(
    request: Request, states: States[AssetScope], scope: AssetScope, query: StatePageQuery, words: Words
) -> Response:
    """Answer with a part of an asset's entries.

    Raises:
        PreconditionFailedError: The client wants another revision only.
    """
    page, last = await _read(states, scope, query, _SHOWN_OF_ASSET[words.shows_writer])
    has_revisions = query.include == "revision"
    known = unchanged(request, page.revision) if has_revisions else None
    if known is not None:
        return known
    return page_response(
        words.entries,
        scope,
        page,
        has_values=not query.keys_only,
        has_writer=words.shows_writer,
        has_revisions=has_revisions,
        headers=_links(request, query, last),
    )


async def _read(
    states: States[_ScopeT], scope: _ScopeT, query: StatePageQuery, shown: frozenset[EntryColumn]
) -> tuple[Columns, str | None]:
    """Return the part of a list that is wanted, and its last key; None = there is nothing behind it.

    Args:
        shown: What the list shows, whatever the query says.
    """
    after = query.cursor or None
    further = 1 if after is not None and query.limit else 0  # the total says nothing of what lies behind a cursor
    page = await states.list_columns(
        scope,
        columns=_WANTED[shown, query.keys_only, query.include],
        limit=query.limit + further,
        offset=query.offset,
        prefix=query.prefix,
        after=after,
    )
    has_more = len(page.keys) > query.limit if further else query.offset + len(page.keys) < page.total
    if further:
        page = page.part(0, query.limit)
    if not has_more or not page.keys or page.keys[-1] == after:  # a key that is no UTF-8 reads like another one
        return page, None
    return page, page.keys[-1]


def _links(request: Request, query: StatePageQuery, last: str | None) -> Iterable[Header]:
    """Return the link to the part that follows, if there is one and the client may want to know.

    Args:
        last: The key that it follows; None = there is none.
    """
    if last is None or not (isinstance(query, ListQuery) or _LINKED.intersection(query.model_fields_set)):
        return ()
    # A query alone: a reference that holds below every mount and behind every proxy.
    parameters = {**request.query(), "cursor": cursor_after(last, query.prefix)}
    parameters.pop("offset", None)
    target = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in parameters.items())
    return [(b"link", f'<?{target}>; rel="next"'.encode())]


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogateescape")
