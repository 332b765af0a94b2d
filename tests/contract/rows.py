"""What a row of the contract's table is, and the words that rows are written in.

A row is one request and its answer. In its texts stand, in angle brackets:

=============  =======================================================================================
``<tasks>``    ``/execution/store/ti``, and in a second row ``/execution/state/ti``
``<task>``     the same with ``/<ti>``
``<label>``    ``Task state store key`` and ``Task state key``, likewise
``<ti>``       the worker's own task instance; ``<TI>`` the same id in capitals, ``<ti-hex>`` without dashes
``<other>``    another one that exists; ``<missing>`` one that does not
``<name>``     an asset that the task has as its outlet
``<inlet>``    one that it has as inlet; ``<foreign>`` one that it is not registered with; ``<gone>`` an inactive one;
               ``<unknown>`` none at all
``<name-uri>`` the URI of any of these; ``<name%>``, ``<name-uri%>`` percent-encoded; ``<name!r>`` as Python
               writes it
``<own>``      the worker's token; ``<renewed>`` one that is made in its place
``<state>``    ``/api/v2/dags/dag/dagRuns/<run>/taskInstances/task/state-store``, and in a second row ``.../states``;
               ``<states>`` the same without the task and what follows; ``<states-of-mapped>`` that of a task with map
               indices 0 and 1
``<asset>``    ``/api/v2/assets/<name-id>/state-store``, likewise; ``<assets>`` without the id; ``<segment>`` the
               last part
``<list>``     what the answer calls a task instance's list, ``<asset-list>`` an asset's; ``<asset-label>`` as
               ``<label>``
``<name-id>``  the id of any of these assets
``<dir>``      ``/api/v2/directory``
=============  =======================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, Union
from unittest.mock import ANY

NO_BODY: Any = object()
"""As the body of a request: none at all. As that of an answer: it is empty."""

TEXT: Any = ANY
"""In an answer: a text that a library words, and another version of it may word otherwise."""


@dataclass(frozen=True)
class Token:
    """A token that is made for one row.

    Args:
        changes: Claims in place of, or besides, those of a good one. ``exp``, ``iat`` and ``nbf`` count from now.
        drop: Claims that it lacks.
        key: What it is signed with; None = the right secret.
        header: Members of its header besides.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    key: str | None = None
    algorithm: str = "HS512"
    header: Mapping[str, Any] = field(default_factory=dict)


OWN = Token()
OTHER = Token({"sub": "<other>"})
MISSING = Token({"sub": "<missing>"})
USER = Token(
    {
        "sub": "ann",
        "aud": "apache-airflow",
        "scope": "state:read state:write state:delete directory:read directory:write",
    }
)
WATCHER = Token({"sub": "00000000-0000-0000-0000-000000000000", "assets": ["<name>"]})

Credentials: TypeAlias = Union[Token, str, None]
"""A token, the whole value of an ``Authorization`` header, or no such header."""


@dataclass(frozen=True)
class Expiring:
    """A value of a seed that ends.

    Args:
        seconds: From now on; it may be gone already.
    """

    value: Any
    seconds: float

    @property
    def is_live(self) -> bool:
        """Whether it can be read."""
        return self.seconds > 0


@dataclass(frozen=True)
class Row:
    """One request and what is answered.

    Args:
        request: Method and target, as they go over the wire.
        answer: The JSON of the answer's body.
        body: Of the request: bytes or a text as they are, anything else as JSON.
        sent: Headers of the request besides.
        answered: Headers of the answer: a value, or None if it must not be there.
        seed: The task instance's entries before; ``asset_seed`` the asset's.
        leaves: Its entries afterwards; None = as before. ``asset_leaves`` likewise.
        mapped_seed: The entries of the mapped task, by map index; ``mapped_leaves`` likewise.
        asset: What the name of the task's outlet begins with.
        needs_raw: httpx would send another path or header.
        version: The contract version, by number, that the row is for; None = it is for both.
        name: Of the test.
    """

    request: str
    status: int
    answer: Any = NO_BODY
    body: Any = NO_BODY
    token: Credentials = OWN
    sent: Mapping[str, str] = field(default_factory=dict)
    answered: Mapping[str, str | None] = field(default_factory=dict)
    seed: Mapping[str, Any] = field(default_factory=dict)
    leaves: Mapping[str, Any] | None = None
    asset_seed: Mapping[str, Any] = field(default_factory=dict)
    asset_leaves: Mapping[str, Any] | None = None
    mapped_seed: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    mapped_leaves: Mapping[int, Mapping[str, Any]] | None = None
    asset: str = "asset"
    needs_raw: bool = False
    version: int | None = None
    name: str = ""

    def body_bytes(self) -> bytes | None:
        """Return the body as it goes over the wire."""
        if self.body is NO_BODY:
            return None
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


def user(request: str, status: int, answer: Any = NO_BODY, *, token: Credentials = USER, **others: Any) -> Row:
    """Return a row of the public routes."""
    return Row(request, status, answer, token=token, **others)


def _words(tasks: str, segment: str, label: str, asset_label: str, lists: tuple[str, str]) -> dict[str, str]:
    dag_run = "/api/v2/dags/dag/dagRuns/<run>/taskInstances"
    return {
        "<task>": f"{tasks}/<ti>",
        "<tasks>": tasks,
        "<label>": label,
        "<asset-label>": asset_label,
        "<state>": f"{dag_run}/task/{segment}",
        "<states-of-mapped>": f"{dag_run}/mapped/{segment}",
        "<states>": dag_run,
        "<asset>": f"/api/v2/assets/<name-id>/{segment}",
        "<assets>": "/api/v2/assets",
        "<segment>": segment,
        "<list>": lists[0],
        "<asset-list>": lists[1],
        "<dir>": "/api/v2/directory",
    }


_VERSIONS = (
    _words(
        "/execution/store/ti",
        "state-store",
        "Task state store key",
        "Asset state store key",
        ("task_state_store", "asset_state_store"),
    ),
    _words("/execution/state/ti", "states", "Task state key", "Asset state key", ("task_states", "asset_states")),
)

_IN_BOTH = ("<task", "<state", "<asset>", "<segment>")


def expand(rows: Iterable[Row]) -> Iterator[Row]:
    """Give the rows whose path depends on the contract version once in each, all of them with a name."""
    for row in rows:
        versions = _VERSIONS if any(word in row.request for word in _IN_BOTH) else _VERSIONS[:1]
        if row.version is not None:
            versions = (_VERSIONS[row.version],)
        for words in versions:
            request = substitute(row.request, words)
            name = f"{row.name}: " if row.name else ""
            name += f"{request[:120]} {_hint(row)}-> {row.status}"
            answer = _without_writers(row.answer) if "/states" in request else row.answer
            yield replace(row, request=request, answer=substitute(answer, words), name=name)


def by_turns(rows: Iterable[Row]) -> Iterator[Row]:
    """Give rows for the two contract versions by turns: where there are many rows that hardly differ."""
    for number, row in enumerate(rows):
        yield replace(row, version=number % 2)


def shared_out(cases: Iterable[Sequence[Row]]) -> Iterator[Row]:
    """Give rows of cases that are asked of many routes, each of every other one of its routes, by turns."""
    for number, rows in enumerate(cases):
        yield from by_turns(rows[number % 2 :: 2])


def _without_writers(answer: Any) -> Any:
    """Return an answer of the older contract version, which does not say who wrote an asset's entry."""
    if isinstance(answer, dict):
        return {name: _without_writers(item) for name, item in answer.items() if name != "last_updated_by"}
    return list(map(_without_writers, answer)) if isinstance(answer, list) else answer


def _hint(row: Row) -> str:
    body = row.body_bytes()
    return "" if body is None else f"{body[:60]!r} "


def substitute(value: Any, words: Mapping[str, str]) -> Any:
    """Replace words in every text of a value."""
    if isinstance(value, str):
        if "<" in value:  # as every word begins; few texts have any
            for word, text in words.items():
                value = value.replace(word, text)
        return value
    if isinstance(value, dict):
        return {substitute(key, words): substitute(item, words) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(substitute(item, words) for item in value)
    return value


def detail(content: Any) -> dict[str, Any]:
    """Return the body of an error."""
    return {"detail": content}


def not_found(message: str) -> dict[str, Any]:
    """Return the body of a 404 about something that was looked for."""
    return detail({"reason": "not_found", "message": message})


def refused(*problems: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a 422."""
    return detail(list(problems))


NOW = "2026-11-20T12:00:00Z"
"""What the clock says while the table is gone through."""

IN_30_DAYS = "2026-12-20T12:00:00Z"
"""When an entry ends that asks for the default."""


def entry(key: str, value: Any, expires_at: str | None = None) -> dict[str, Any]:
    """Return a task instance's entry."""
    return {"key": key, "value": value, "updated_at": NOW, "expires_at": expires_at}


def asset_entry(key: str, value: Any, kind: str = "api", **ids: Any) -> dict[str, Any]:
    """Return an asset's entry."""
    writer = {"kind": kind, "dag_id": None, "run_id": None, "task_id": None, "map_index": None, **ids}
    return {"key": key, "value": value, "updated_at": NOW, "last_updated_by": writer}


def page(*entries: dict[str, Any], total: int | None = None) -> dict[str, Any]:
    """Return a list of a task instance's entries."""
    return {"<list>": list(entries), "total_entries": len(entries) if total is None else total}


def asset_page(*entries: dict[str, Any], total: int | None = None) -> dict[str, Any]:
    """Return a list of an asset's entries."""
    return {"<asset-list>": list(entries), "total_entries": len(entries) if total is None else total}


def no_integer(loc: str, given: str) -> dict[str, Any]:
    """Return the problem of a text that is no integer."""
    message = "Input should be a valid integer, unable to parse string as an integer"
    return problem("int_parsing", loc, message, given)


def too_small(loc: str, given: Any, limit: int) -> dict[str, Any]:
    """Return the problem of an integer that is too small."""
    message = f"Input should be greater than or equal to {limit}"
    return problem("greater_than_equal", loc, message, given, ge=limit)


def too_great(loc: str, given: Any, limit: int = 2**63 - 1) -> dict[str, Any]:
    """Return the problem of an integer that is too great."""
    return problem("less_than_equal", loc, f"Input should be less than or equal to {limit}", given, le=limit)


def no_boolean(loc: str, given: str) -> dict[str, Any]:
    """Return the problem of a text that is no boolean."""
    return problem("bool_parsing", loc, "Input should be a valid boolean, unable to interpret input", given)


def no_task_instance(task: str = "task", which: str = "map_index=-1", dag: str = "dag", run: str = "<run>") -> Any:
    """Return the body of a 404 about a task instance of the public API."""
    return detail(f"Task instance not found for dag_id={dag!r}, run_id='{run}', task_id={task!r}, {which}")


LEFT_OUT: Any = object()
"""As the input of a problem: it is not repeated."""


def problem(kind: str, loc: str, msg: Any, given: Any = LEFT_OUT, **ctx: Any) -> dict[str, Any]:
    """Return one problem of a 422; ``loc`` is written with dots."""
    parts: dict[str, Any] = {"type": kind, "loc": loc.split("."), "msg": msg}
    if given is not LEFT_OUT:
        parts["input"] = given
    return {**parts, "ctx": ctx} if ctx else parts


def missing(loc: str, given: Any = None) -> dict[str, Any]:
    """Return the problem of something that is not there."""
    return problem("missing", loc, "Field required", given)


def too_short(loc: str) -> dict[str, Any]:
    """Return the problem of an empty text."""
    return problem("string_too_short", loc, "String should have at least 1 character", "", min_length=1)


def too_long(loc: str, limit: int, given: Any = LEFT_OUT) -> dict[str, Any]:
    """Return the problem of a text that is too long."""
    message = f"String should have at most {limit} characters"
    return problem("string_too_long", loc, message, given, max_length=limit)


def not_utf8(loc: str) -> dict[str, Any]:
    """Return the problem of bytes that are no UTF-8."""
    message = "Input should be a valid string, unable to parse raw data as a unicode string"
    return problem("string_unicode", loc, message)


def bad_value(message: str, given: Any = LEFT_OUT, loc: str = "body.value") -> dict[str, Any]:
    """Return the problem of a value that is not stored."""
    return problem("value_error", loc, f"Value error, {message}", given, error={})


def extra(name: str, given: Any = LEFT_OUT) -> dict[str, Any]:
    """Return the problem of a field that a body may not have."""
    return problem("extra_forbidden", f"body.{name}", "Extra inputs are not permitted", given)


def no_object(given: Any = LEFT_OUT) -> dict[str, Any]:
    """Return the problem of a body that is no JSON object."""
    message = "Input should be a valid dictionary or object to extract fields from"
    return problem("model_attributes_type", "body", message, given)


def bad_json(text: str) -> dict[str, Any]:
    """Return the problem of a text that is no JSON, as this interpreter words it."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        one = problem("json_invalid", "body", "JSON decode error", {}, error=error.msg)
        return {**one, "loc": ["body", error.pos]}
    raise AssertionError(f"{text!r} is JSON")


NULL = bad_value("value cannot be null", None)
NOT_FINITE = "value contains non-finite numbers; NaN and Inf are not JSON representable"
UNREADABLE = detail("There was an error parsing the body")
NO_ROUTE = detail("Not Found")
NO_METHOD = detail("Method Not Allowed")
NO_TOKEN = detail("Missing auth token")
BAD_TOKEN = detail("Invalid auth token")
NOT_OWN = detail("Token subject does not match task instance ID")
NOT_REGISTERED = detail("Asset not registered with this task")
NOT_AUTHENTICATED = detail("Not authenticated")
BAD_USER_TOKEN = detail("Invalid JWT token")
EXPIRED = detail("Token Expired")
FORBIDDEN = detail("Forbidden")
