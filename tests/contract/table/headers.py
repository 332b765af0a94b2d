"""Headers, and the shape of errors that a client can ask for."""

from __future__ import annotations

from typing import Any

from tests.contract.rows import (
    NO_METHOD,
    NO_ROUTE,
    NO_TOKEN,
    NOT_OWN,
    NULL,
    OTHER,
    UNREADABLE,
    Row,
    detail,
    not_found,
    refused,
    too_short,
)

_VERSIONS = ["2026-06-30", "2026-04-06", "2025-04-28", "2099-01-01", "garbage", "latest", ""]

_ECHOED = ["abc", "0199d3c0-7c4e-7a3b-9f1e-3c2b1a0f9e8d", "a b", "x" * 256]
_NOT_ECHOED = ["", "x" * 257, "a\tb", "\xe4"]

_EVERY_STATUS = [
    Row("GET <task>/k", 200, {"value": 1}, seed={"k": 1}),
    Row("PUT <task>/k", 204, body={"value": 1}, leaves={"k": 1}),
    Row("PUT <task>/k", 400, UNREADABLE, body=b"\xff"),
    Row("GET <task>/k", 401, NO_TOKEN, token=None),
    Row("GET <task>/k", 403, NOT_OWN, token=OTHER),
    Row("GET <task>/k", 404, not_found("<label> 'k' not found")),
    Row("GET /execution/nope", 404, NO_ROUTE),
    Row("POST <task>/k", 405, NO_METHOD),
    Row("PUT <task>/k", 413, detail("Content larger than 4194304 bytes"), body=b" " * (2**22 + 1)),
    Row("GET <task>/", 422, refused(too_short("path.key"))),
]

_PROBLEM = "application/problem+json"

_ASKS = [
    _PROBLEM,
    "application/json, application/problem+json",
    "APPLICATION/Problem+JSON",
    "application/problem+json;q=0.1",
    "text/html;q=0.5, application/problem+json ; q=1.0, */*",
    "application/problem+json;charset=utf-8",
]

_DOES_NOT_ASK = [
    "*/*",
    "application/*",
    "application/json",
    "application/problem+json;q=0",
    "application/problem+json; q=0.000",
    "application/problem+xml",
    "application/problem+json2",
    "text/html",
    "",
    ";;,,q=;",
]


def _kind(name: str, title: str, status: int, detail: str, **more: Any) -> dict[str, Any]:
    return {"type": f"urn:statemount:problem:{name}", "title": title, "status": status, "detail": detail, **more}


_NO_KEY = _kind("key-not-found", "There is no such key", 404, "<label> 'k' not found")
_TYPE = {"content-type": _PROBLEM}
_TOO_SHORT = too_short("path.key")


def _with(row: Row, sent: dict[str, str], answered: dict[str, str | None], **changes: Any) -> Row:
    return Row(**{**row.__dict__, "sent": sent, "answered": answered, **changes})


ROWS = [
    *[_with(row, {}, {"airflow-api-version": "2026-06-30", "correlation-id": None}) for row in _EVERY_STATUS],
    *[_with(row, {"correlation-id": "c-1"}, {"correlation-id": "c-1"}) for row in _EVERY_STATUS],
    *[
        Row("GET <task>/k", 200, {"value": 1}, seed={"k": 1}, sent={"airflow-api-version": version})
        for version in _VERSIONS
    ],
    *[
        Row(
            "GET <task>/k",
            200,
            {"value": 1},
            seed={"k": 1},
            sent={"correlation-id": text},
            answered={"correlation-id": text},
        )
        for text in _ECHOED
    ],
    *[
        Row(
            "GET <task>/k",
            200,
            {"value": 1},
            seed={"k": 1},
            sent={"correlation-id": text},
            answered={"correlation-id": None},
            needs_raw=True,
        )
        for text in _NOT_ECHOED
    ],
    Row("GET <task>/k", 200, {"value": 1}, seed={"k": 1}, answered={"content-length": "12", "vary": None}),
    Row(
        "PUT <task>/k", 204, body={"value": 1}, leaves={"k": 1}, answered={"content-type": None, "content-length": None}
    ),
    Row("GET <task>/k", 200, {"value": 1}, seed={"k": 1}, sent={"accept": "text/html"}),
    Row("GET <task>/k", 200, {"value": 1}, seed={"k": 1}, sent={"accept": _PROBLEM}),
    Row(
        "GET <task>/k",
        200,
        {"value": 1},
        seed={"k": 1},
        sent={"accept-encoding": "gzip"},
        answered={"content-encoding": None},
    ),
    Row(
        "GET <task>/k",
        200,
        {"value": 1},
        seed={"k": 1},
        sent={"origin": "http://x"},
        answered={"access-control-allow-origin": None},
    ),
    *[Row("GET <task>/k", 404, _NO_KEY, sent={"accept": accept}, answered=_TYPE) for accept in _ASKS],
    *[
        Row("GET <task>/k", 404, not_found("<label> 'k' not found"), sent={"accept": accept})
        for accept in _DOES_NOT_ASK
    ],
    *[
        _with(row, {"accept": _PROBLEM}, {**_TYPE, **answered}, answer=answer)
        for row, answered, answer in (
            (
                _EVERY_STATUS[2],
                {},
                _kind("unreadable-body", "The body cannot be decoded", 400, "There was an error parsing the body"),
            ),
            (
                _EVERY_STATUS[3],
                {"www-authenticate": "Bearer"},
                _kind("missing-credentials", "No usable credentials were shown", 401, "Missing auth token"),
            ),
            (
                _EVERY_STATUS[4],
                {},
                _kind(
                    "forbidden",
                    "The credentials do not allow this",
                    403,
                    "Token subject does not match task instance ID",
                ),
            ),
            (_EVERY_STATUS[6], {}, _kind("route-not-found", "There is no such route", 404, "Not Found")),
            (
                _EVERY_STATUS[7],
                {"allow": "DELETE, GET, HEAD, PATCH, PUT"},
                _kind("method-not-allowed", "The route does not have this method", 405, "Method Not Allowed"),
            ),
            (
                _EVERY_STATUS[8],
                {},
                _kind(
                    "too-large",
                    "The body, or what would be stored of it, is too large",
                    413,
                    "Content larger than 4194304 bytes",
                ),
            ),
            (
                _EVERY_STATUS[9],
                {},
                _kind(
                    "invalid-input",
                    "The request holds something that is not acceptable",
                    422,
                    "path.key: String should have at least 1 character",
                    errors=[_TOO_SHORT],
                ),
            ),
        )
    ],
    Row(
        "PUT <task>/",
        422,
        _kind(
            "invalid-input",
            "The request holds something that is not acceptable",
            422,
            "path.key: String should have at least 1 character; body.value: Value error, value cannot be null",
            errors=[_TOO_SHORT, NULL],
        ),
        body={"value": None},
        sent={"accept": _PROBLEM},
        answered=_TYPE,
    ),
    Row(
        "GET <task>/k",
        403,
        _kind("invalid-credentials", "The credentials are not accepted", 403, "Invalid auth token"),
        token="Bearer garbage",
        sent={"accept": _PROBLEM},
        answered=_TYPE,
    ),
    Row(
        "GET /execution/state/asset/nope/k",
        404,
        _kind("asset-not-found", "There is no such asset", 404, "Asset with name='nope' not found"),
        sent={"accept": _PROBLEM},
        answered=_TYPE,
    ),
    Row(
        "GET /nope",
        404,
        _kind("route-not-found", "There is no such route", 404, "Not Found"),
        sent={"accept": _PROBLEM},
        answered=_TYPE,
    ),
]
