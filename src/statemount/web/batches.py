"""Batches over HTTP: the operations of a body as the store knows them, and what came of them as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from json.encoder import encode_basestring_ascii

from statemount.model import Scope, TaskScope, Timestamp
from statemount.operations import (
    KEEP,
    Check,
    Condition,
    Delete,
    Get,
    Increment,
    Maximum,
    Merge,
    Minimum,
    Operation,
    Outcome,
    Result,
    Set,
)
from statemount.service.expiry import Expiry
from statemount.web.batch_bodies import (
    BatchOperation,
    CheckOperation,
    IncrementOperation,
    KeyedOperation,
    KeyOperation,
    MergeOperation,
    SetOperation,
)
from statemount.web.entries import expiry_text, value_text
from statemount.web.requests import Request
from statemount.web.responses import JSON, Response, etag

_UPDATES = frozenset({"merge", "increment", "max", "min"})


def _never(expiry: Expiry) -> Timestamp | None:
    return None


def operations_of(
    given: Sequence[BatchOperation],
    request: Request,
    end_of: Callable[[Expiry], Timestamp | None] = _never,
    if_new: Expiry = None,
) -> list[Operation]:
    """Return the operations of a body; the request takes note of their keys, for the audit log.

    Args:
        end_of: Resolves when an entry ends.
        if_new: When one ends that an update makes, unless the update says it.
    """
    request.named = {"keys": list(dict.fromkeys(one.key for one in given))}
    return [_operation(one, end_of, end_of(if_new)) for one in given]


def _operation(
    given: BatchOperation, end_of: Callable[[Expiry], Timestamp | None], end_if_new: Timestamp | None
) -> Operation:
    key, condition = given.key, given.condition
    if isinstance(given, KeyOperation):
        return Get(key, condition) if given.op == "get" else Delete(key, condition)
    if isinstance(given, CheckOperation):
        return Check(key, condition or Condition())
    end = end_of(getattr(given, "expires_at", None))
    if isinstance(given, SetOperation):
        return Set(key, given.value, end, condition)
    expires_at = end if "expires_at" in given.model_fields_set else KEEP
    if isinstance(given, MergeOperation):
        return Merge(key, given.value, expires_at=expires_at, expires_at_if_new=end_if_new, condition=condition)
    if isinstance(given, IncrementOperation):
        return Increment(key, given.by, expires_at=expires_at, expires_at_if_new=end_if_new, condition=condition)
    kind = Maximum if given.op == "max" else Minimum
    return kind(key, given.value, expires_at=expires_at, expires_at_if_new=end_if_new, condition=condition)


def batch_response(scope: Scope, given: Sequence[KeyedOperation], outcome: Outcome, *, may_read: bool) -> Response:
    """Return the answer to a batch that was done.

    Args:
        may_read: Whether the caller may know what updates have left.
    """
    results = ",".join(
        "".join(_result(scope, one, result, may_read=may_read))
        for one, result in zip(given, outcome.results, strict=True)
    )
    body = f'{{"revision":{outcome.revision},"results":[{results}]}}'
    return Response(200, (JSON, etag(outcome.revision)), body.encode())


def _result(scope: Scope, given: KeyedOperation, result: Result, *, may_read: bool) -> Iterator[str]:
    yield f'{{"op":"{given.op}","key":{encode_basestring_ascii(given.key)},"status":"{result.status}"'
    revision = result.revision if type(result.revision) is int else 0  # else somebody else wrote it
    yield f',"revision":{revision or "null"}'
    if given.op == "get" or (may_read and given.op in _UPDATES):
        entry = result.entry
        yield f',"value":{"null" if entry is None else value_text(scope, entry)}'
        if isinstance(scope, TaskScope):
            yield f',"expires_at":{"null" if entry is None else expiry_text(entry.expires_at)}'
    yield "}"
