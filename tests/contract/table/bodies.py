"""Bodies of a PUT: their fields, their content type, and how everything that is wrong is told at once."""

from __future__ import annotations

from typing import Any

from tests.contract.rows import (
    MISSING,
    NO_BODY,
    NO_TOKEN,
    NOT_FINITE,
    NOT_OWN,
    NULL,
    OTHER,
    TEXT,
    UNREADABLE,
    Row,
    bad_json,
    bad_value,
    extra,
    missing,
    no_object,
    not_found,
    not_utf8,
    problem,
    refused,
    too_short,
)

_EXPIRES = "datetime_from_date_parsing"


def _bad_expiry(given: str) -> dict[str, Any]:
    return {**problem(_EXPIRES, "body.expires_at", TEXT, given), "ctx": {"error": TEXT}}


_FIELDS: list[tuple[Any, list[dict[str, Any]]]] = [
    ("", [missing("body")]),
    (NO_BODY, [missing("body")]),
    ("null", [missing("body")]),
    ("[]", [no_object([])]),
    ('[{"value":1}]', [no_object([{"value": 1}])]),
    ('"x"', [no_object("x")]),
    ("1", [no_object(1)]),
    ("true", [no_object(True)]),
    ("NaN", [no_object()]),
    ('"' + "x" * 1023 + '"', [no_object()]),
    ("{}", [missing("body.value", {})]),
    ('{"Value": 1}', [missing("body.value", {"Value": 1}), extra("Value", 1)]),
    ('{"expires_at": null}', [missing("body.value", {"expires_at": None})]),
    ('{"value": 1, "x": 2}', [extra("x", 2)]),
    ('{"value": 1, "x": null}', [extra("x", None)]),
    ('{"x": 2, "y": 3, "value": null}', [NULL, extra("x", 2), extra("y", 3)]),
    ('{"value": 1, "x": NaN}', [extra("x")]),
    (r'{"value": 1, "x": "\ud800"}', [extra("x")]),
    ('{"value": 1, "x": "' + "x" * 1022 + '"}', [extra("x", "x" * 1022)]),
    ('{"value": 1, "x": "' + "x" * 1023 + '"}', [extra("x")]),
    ('{"value": 1, "x": ' + "[" * 300 + "]" * 300 + "}", [extra("x", TEXT)]),
    (r'{"value": 1, "\u0000": 1}', [extra("\0", 1)]),
    ('{"value": 1, "revision": 3}', [extra("revision", 3)]),
    ('{"value": 1, "expires_at": null, "x": 1}', [extra("x", 1)]),
    ('{"value": NaN, "x": 1}', [bad_value(NOT_FINITE), extra("x", 1)]),
    ('{"value": null, "expires_at": "x"}', [NULL, _bad_expiry("x")]),
    ('{"expires_at": "x", "value": null, "q": 1}', [NULL, _bad_expiry("x"), extra("q", 1)]),
    ('{"expires_at": "x", "value": [NaN]}', [bad_value(NOT_FINITE), _bad_expiry("x")]),
]

NO_JSON = [
    "{",
    "}",
    " ",
    "nope",
    '{"value" 1}',
    "{'value': 1}",
    '{"value": 1} x',
    '{"value": 1',
    "é",
    '{"valué": 1 2}',
]

JSON_TYPES = [
    "application/json",
    "application/json; charset=utf-8",
    "application/json; charset=latin-1",
    "application/json;",
    "APPLICATION/JSON",
    "application/vnd.x+json",
    "application/merge-patch+json",
    "application/geo+json; x=y",
    "application/problem+json",
]

OTHER_TYPES = [
    "text/plain",
    "text/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonx",
    "application/x-ndjson",
    "application/octet-stream",
    "application/ json",
    "application/json, text/plain",
    "application/json/x",
    "json",
    "*/*",
    "+json",
    "",
]

_PLAIN = '{"value": 1}'
_NO_TASK = not_found("Task instance <missing> not found")

ROWS = [
    *[Row("PUT <task>/k", 422, refused(*found), body=body, seed={"k": "old"}) for body, found in _FIELDS],
    *[Row("PUT <task>/k", 422, refused(bad_json(body)), body=body, seed={"k": "old"}) for body in NO_JSON],
    *[
        Row("PUT <task>/k", 204, body=_PLAIN, sent={"content-type": kind}, leaves={"k": 1}, name=f"type {kind!r}")
        for kind in JSON_TYPES
    ],
    *[
        Row(
            "PUT <task>/k",
            422,
            refused(no_object(_PLAIN)),
            body=_PLAIN,
            sent={"content-type": kind},
            name=f"type {kind!r}",
        )
        for kind in OTHER_TYPES
    ],
    Row("PUT <task>/k", 422, refused(no_object(_PLAIN)), body=_PLAIN, sent={"content-type": "<none>"}, name="no type"),
    Row(
        "PUT <task>/k", 422, refused(no_object("{")), body="{", sent={"content-type": "<none>"}, name="no type, no JSON"
    ),
    Row("PUT <task>/k", 422, refused(no_object()), body=b"\xff", sent={"content-type": "text/plain"}),
    Row(
        "PUT <task>/k", 422, refused(missing("body")), body="", sent={"content-type": "text/plain"}, name="text, empty"
    ),
    Row("PUT <task>/k", 204, body='{"value": 1, "value": 2}', leaves={"k": 2}),
    Row("PUT <task>/k", 204, body='\r\n {"value" : 1}\t\n', leaves={"k": 1}),
    Row("PUT <task>/k", 204, body={"value": 1, "expires_at": None}, leaves={"k": 1}),
    Row(
        "PUT <task>/k", 204, body={"value": 2}, seed={"k": 1}, leaves={"k": 2}, name="a second write replaces the first"
    ),
    Row("GET <task>/k", 200, {"value": 1}, body="{", seed={"k": 1}),
    Row("DELETE <task>/k", 204, body="{", seed={"k": 1}, leaves={}),
    Row("DELETE <task>", 204, body=b"\xff", seed={"k": 1}, leaves={}),
    # Everything that is wrong with a path and with a body is told together; a body that is no JSON alone.
    Row("PUT <task>/", 422, refused(too_short("path.key"), NULL), body={"value": None}),
    Row("PUT <task>/", 422, refused(too_short("path.key"), bad_value(NOT_FINITE)), body='{"value": [NaN]}'),
    Row("PUT <task>/", 422, refused(too_short("path.key"), missing("body"))),
    Row("PUT <task>/%FF", 422, refused(not_utf8("path.key"), extra("x", 1)), body={"value": 1, "x": 1}),
    Row("PUT <task>/", 422, refused(bad_json("{")), body="{"),
    Row("PUT <task>/", 400, UNREADABLE, body=b"\xff"),
    # What is wrong with the fields comes before what is missing; a token for another comes before both.
    Row("PUT <task>/k", 403, NOT_OWN, body={"value": None}, token=OTHER),
    Row("PUT <task>/k", 403, NOT_OWN, body="{", token=OTHER),
    Row("PUT <task>/k", 403, NOT_OWN, body=b"\xff", token=OTHER),
    Row("PUT <task>/k", 401, NO_TOKEN, body="{", token=None),
    Row("PUT <task>/k", 401, NO_TOKEN, body=b"\xff", token=None),
    Row("PUT <tasks>/<missing>/k", 404, _NO_TASK, body={"value": 1}, token=MISSING),
    Row("PUT <tasks>/<missing>/k", 422, refused(NULL), body={"value": None}, token=MISSING),
    Row("PUT <tasks>/<missing>/k", 422, refused(bad_value(NOT_FINITE)), body='{"value": [NaN]}', token=MISSING),
    Row("PUT <tasks>/<missing>/", 422, refused(too_short("path.key")), body={"value": 1}, token=MISSING),
    Row("PUT <tasks>/<missing>/k", 422, refused(bad_json("{")), body="{", token=MISSING),
]
