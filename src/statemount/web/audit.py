"""The audit log: one line of JSON for every request that is refused, and for every write over the public API."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from statemount.errors import AuthenticationError, ForbiddenError, WriteOutcomeUnknownError
from statemount.interfaces import Clock, Identity
from statemount.model import to_datetime
from statemount.web.operations import ApiOperation
from statemount.web.requests import Request
from statemount.web.routing import plain_template

logger: logging.Logger = logging.getLogger("statemount.audit")

MAX_TEXT_LENGTH = 2048
"""Longest text in a line, in characters; of a longer one the beginning stands there."""

WRITES = frozenset({"DELETE", "PATCH", "POST", "PUT"})

FIELDS: dict[str, str] = {
    "time": "When the request was answered, UTC.",
    "event": "`refused`; `written`; or `unknown`: nobody knows whether it was written.",
    "route_set": "`execution` or `public`.",
    "method": "The request's method.",
    "route": "The template of the route, below its route set.",
    "status": "The status of the answer; `null` if there is none.",
    "subject": "Who asked: the token's `sub`, or the host's name for its user; `null` if the token is refused.",
    "client": "The address that the server names as the client's.",
    "correlation_id": "The request's `correlation-id`.",
    "reason": "Why it is refused, or why the outcome is unknown.",
    "task_instance_id": "The task instance that is addressed, by its UUID.",
    "task_instance_ids": "Those that one request registers together.",
    "jti": "The token that is revoked.",
    "dag_id": "The dag that is addressed.",
    "run_id": "The run.",
    "task_id": "The task.",
    "map_index": "The map index; `null` = not given, which means `-1`.",
    "all_map_indices": "What the request says, if it asks for all map indices.",
    "purge": "What the request says, if it asks for old values to be removed, too.",
    "asset_id": "The asset that is addressed, by its id.",
    "asset_name": "The asset, by its name.",
    "asset_uri": "The asset, by its URI.",
    "key": "The key; `null` = all of them, or `keys`.",
    "keys": "Those that one batch names.",
}
"""The fields of a line, all of them in every line."""

_PARAMETERS = {"dag_run_id": "run_id", "name": "asset_name", "uri": "asset_uri"}


class AuditLog:
    """The audit log of one route set. What is in a value, a body or a token never stands in it.

    Args:
        operations: Of the route set.
    """

    def __init__(self, route_set: str, operations: Iterable[ApiOperation], clock: Clock) -> None:
        self._route_set = route_set
        self._clock = clock
        self._query_names = {(one.path, one.method): frozenset(one.query.model_fields) for one in operations}
        self._has_writes = route_set == "public"

    def answered(self, request: Request, status: int, error: Exception | None) -> None:
        """Note a request that is about to be answered, if it is to be noted at all.

        Args:
            error: What it ended in.
        """
        if status in (401, 403):
            reason = error.reason if isinstance(error, (AuthenticationError, ForbiddenError)) else None
            self._note("refused", request, status, reason)
        elif self._has_writes and request.method in WRITES:
            if status < 400:
                self._note("written", request, status, None)
            elif isinstance(error, WriteOutcomeUnknownError):
                self._note("unknown", request, status, str(error))

    def cancelled(self, request: Request) -> None:
        """Note a write that nobody waits for any more: it may be done all the same."""
        if self._has_writes and request.method in WRITES and _identity(request) is not None:
            self._note("unknown", request, None, "the request was cancelled")

    def _note(self, event: str, request: Request, status: int | None, reason: str | None) -> None:
        if not logger.isEnabledFor(logging.INFO):
            return
        identity, client = _identity(request), request.asgi_scope.get("client")
        line: dict[str, Any] = dict.fromkeys(FIELDS)
        filled = {
            "time": to_datetime(self._clock()).isoformat(timespec="microseconds"),
            "event": event,
            "route_set": self._route_set,
            "method": request.method,
            "route": plain_template(request.template),
            "status": status,
            "subject": None if identity is None else identity.subject,
            "client": client[0] if client else None,
            "correlation_id": None if request.correlation_id is None else request.correlation_id.decode(),
            "reason": reason,
            **self._named(request),
        }
        line |= {name: _short(value) for name, value in filled.items()}
        # With no character but ASCII's printable ones, whatever a request holds: a line stays one line.
        logger.info("%s", json.dumps(line), extra={"audit": line})

    def _named(self, request: Request) -> Mapping[str, object]:
        """Return what the request addresses: what its path and query say, in the words of the request."""
        named: dict[str, object] = {}
        asked = request.variant or request.method
        names = self._query_names.get((request.template, asked), frozenset())
        given = [*request.query().items()] if names else []
        for name, text in [*((name, text) for name, text in given if name in names), *request.parameters.items()]:
            field = _PARAMETERS.get(name, name)
            if field in FIELDS:
                named[field] = text
        return {**named, **request.named}


def _identity(request: Request) -> Identity | None:
    return getattr(request, "identity", None)


def _short(value: object) -> object:
    if isinstance(value, str) and len(value) > MAX_TEXT_LENGTH:
        return f"{value[:MAX_TEXT_LENGTH]}..."
    return value
