"""Conditions of a request (RFC 9110, section 13): ``If-Match`` and ``If-None-Match``, whose tags are revisions.

A header that does not follow the grammar is refused. The RFC leaves that open; to ignore it would do without a word
the very thing that the client wanted to make sure of. A tag that no revision has is fine, and matches nothing.
"""

from __future__ import annotations

import re

from statemount.errors import InvalidInputError, PreconditionFailedError, Problem
from statemount.operations import Condition
from statemount.web.errors import MalformedConditionError
from statemount.web.requests import Request
from statemount.web.responses import Response, etag

MAX_HEADER_BYTES = 64 * 1024
"""Longest header with a condition that is looked at, repeated ones together."""

_BLANK = b" \t"
_TAG = re.compile(rb'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?:,[ \t,]*|\Z)')
_REVISION = re.compile(rb"0|[1-9][0-9]{0,18}")


def condition_of(request: Request) -> Condition | None:
    """Return what must hold for a write, or None if the request says nothing of it.

    Raises:
        MalformedConditionError: A header does not follow the grammar.
    """
    if request.if_match is None and request.if_none_match is None:
        return None
    exists: bool | None = None
    revisions: frozenset[int] | None = None
    excluded: frozenset[int] = frozenset()
    if request.if_match is not None:
        revisions = _matching(request.if_match)
        exists = True if revisions is None else None
    if request.if_none_match is not None:
        unwanted = _not_matching(request.if_none_match)
        if unwanted is not None:
            excluded = unwanted
        elif exists:
            revisions = frozenset()
        else:
            exists = False
    return Condition(exists, revisions, excluded)


def condition_on_one_scope(request: Request, *, all_map_indices: bool) -> Condition | None:
    """Return what must hold for a clear.

    Raises:
        InvalidInputError: There is a condition on all map indices, which have no revision together.
        MalformedConditionError: A header does not follow the grammar.
    """
    condition = condition_of(request)
    if condition is not None and all_map_indices:
        loc, message = ("query", "all_map_indices"), "Value error, a condition is on one map index"
        raise InvalidInputError(
            [Problem("value_error", loc, message, request.query()["all_map_indices"], {"error": {}})]
        )
    return condition


def refuse_other_revision(request: Request, revision: int) -> None:
    """Refuse a read of what is not as the client wants it.

    For a list of what may expire this is all that is judged: entries go away there with no new revision, so that the
    list is not what the client has already although its revision is.

    Raises:
        PreconditionFailedError: The revision is none that ``If-Match`` names.
        MalformedConditionError: A header does not follow the grammar.
    """
    if request.if_match is not None:
        wanted = _matching(request.if_match)
        if wanted is not None and revision not in wanted:
            raise PreconditionFailedError(revision)


def unchanged(request: Request, revision: int) -> Response | None:
    """Return the answer to a read of what the client has already, or None if it is to be sent.

    Args:
        revision: Of what would be sent.

    Raises:
        PreconditionFailedError: The client wants another one only.
        MalformedConditionError: A header does not follow the grammar.
    """
    refuse_other_revision(request, revision)
    if request.if_none_match is not None:
        known = _not_matching(request.if_none_match)
        if known is None or revision in known:
            return Response(304, (etag(revision),))
    return None


def _matching(value: bytes) -> frozenset[int] | None:
    """Return the revisions of an ``If-Match``, by strong comparison, which no weak tag passes; None = any."""
    return _revisions("If-Match", value, counts_weak=False)


def _not_matching(value: bytes) -> frozenset[int] | None:
    """Return the revisions of an ``If-None-Match``, by weak comparison; None = any."""
    return _revisions("If-None-Match", value, counts_weak=True)


def _revisions(name: str, value: bytes, *, counts_weak: bool) -> frozenset[int] | None:
    if len(value) > MAX_HEADER_BYTES:
        raise MalformedConditionError(name, f"must have at most {MAX_HEADER_BYTES} bytes")
    if value.strip(_BLANK) == b"*":
        return None
    text = value.strip(_BLANK + b",")  # empty elements of a list count for nothing (section 5.6.1.2)
    found: set[int] = set()
    position = 0
    while position < len(text):
        tag = _TAG.match(text, position)
        if tag is None:
            raise MalformedConditionError(name)
        if (counts_weak or tag[1] is None) and _REVISION.fullmatch(tag[2]):
            found.add(int(tag[2]))
        position = tag.end()
    return frozenset(found)
