"""Bodies of writes to the public API: fields, values, sizes, content types, expiry."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tests.contract.rows import (
    LEFT_OUT,
    NO_BODY,
    NOT_FINITE,
    NULL,
    TEXT,
    UNREADABLE,
    Row,
    asset_entry,
    bad_json,
    bad_value,
    by_turns,
    detail,
    entry,
    extra,
    missing,
    no_integer,
    no_object,
    problem,
    refused,
    user,
)
from tests.contract.table.bodies import JSON_TYPES, NO_JSON, OTHER_TYPES
from tests.contract.table.expiry import (
    BEYOND,
    IN_THE_FUTURE,
    IN_THE_PAST,
    NAIVE,
    NOT_SHOWN,
    OF_ANOTHER_TYPE,
    OUT_OF_RANGE,
    UNPARSED,
)
from tests.contract.table.values import KEPT, LARGE, NOT_FINITE_TEXTS, SURROGATES, TOO_DEEP

_LIMIT = 65_535
_PATHS = [("PUT", "<state>/k"), ("PATCH", "<state>/k"), ("PUT", "<asset>/k"), ("PATCH", "<asset>/k")]
_PLAIN = '{"value": 1}'


def _not_default(given: Any) -> dict[str, Any]:
    loc = ["body", "expires_at", "literal['default']"]
    one = problem("literal_error", "x", "Input should be 'default'", given, expected="'default'")
    return {**one, "loc": loc}


def _neither(kind: str, message: Any, given: Any, **ctx: Any) -> dict[str, Any]:
    """Return the body of a 422 about an expiry that is neither a time nor the default."""
    return refused(problem(kind, "body.expires_at.datetime", message, given, **ctx), _not_default(given))


def _too_large(size: int, given: Any = LEFT_OUT) -> dict[str, Any]:
    return bad_value(f"value exceeds max_value_storage_bytes ({_LIMIT}); its stored form has {size} bytes", given)


_FIELDS: list[tuple[Any, list[dict[str, Any]]]] = [
    ("", [missing("body")]),
    (NO_BODY, [missing("body")]),
    ("null", [missing("body")]),
    ("[]", [no_object([])]),
    ('"x"', [no_object("x")]),
    ("1", [no_object(1)]),
    ("false", [no_object(False)]),
    ("{}", [missing("body.value", {})]),
    ('{"Value": 1}', [missing("body.value", {"Value": 1}), extra("Value", 1)]),
    ('{"value": null}', [NULL]),
    ('{"value": 1, "x": 2}', [extra("x", 2)]),
    ('{"value": 1, "key": "k"}', [extra("key", "k")]),
    ('{"x": 2, "y": 3, "value": null}', [NULL, extra("x", 2), extra("y", 3)]),
    ('{"value": NaN, "x": 1}', [bad_value(NOT_FINITE), extra("x", 1)]),
    (
        r'{"value": "\ud800", "x": 1}',
        [bad_value("value contains lone surrogates, which are not valid Unicode"), extra("x", 1)],
    ),
    ('{"value": "' + "x" * _LIMIT + '", "x": 1}', [_too_large(_LIMIT + 2), extra("x", 1)]),
]

_SIZES: list[tuple[str, int | None]] = [
    ('"' + "x" * (_LIMIT - 2) + '"', None),
    ('"' + "x" * (_LIMIT - 1) + '"', _LIMIT + 1),
    ('"' + "é" * 10_922 + '"', None),
    ('"' + "é" * 10_923 + '"', 65_540),
    ("[" + "1," * 21_843 + "1000]", None),
    ("[" + "1," * 21_844 + "10]", _LIMIT + 1),
    ('"' + "x" * 300_000 + '"', 300_002),
]


def _sized(method: str, path: str, text: str, size: int | None) -> Row:
    row = user(
        f"{method} {path}",
        200 if method == "PATCH" else 204,
        None if method == "PATCH" else NO_BODY,
        body=f'{{"value": {text}}}'.encode(),
        seed={"k": 0},
        asset_seed={"k": 0},
        name=f"{len(text)} characters",
    )
    if size is not None:
        return replace(row, status=422, answer=refused(_too_large(size)))
    leaves = {"k": json.loads(text)}
    return replace(row, leaves=leaves) if "state>" in path else replace(row, asset_leaves=leaves)


_KEPT: list[Row] = [
    *[user("PUT <state>/k", 204, body=f'{{"value": {text}}}', leaves={"k": value}) for text, value in KEPT],
    *[user("GET <state>/k", 200, entry("k", value), seed={"k": value}) for _, value in KEPT],
    *[
        user("PATCH <asset>/k", 200, None, body=f'{{"value": {text}}}', asset_seed={"k": 0}, asset_leaves={"k": value})
        for text, value in KEPT
    ],
    *[user("GET <asset>/k", 200, asset_entry("k", value), asset_seed={"k": value}) for _, value in KEPT],
]

ROWS: list[Row] = [
    *[
        user(f"{method} {path}", 422, refused(*found), body=body, seed={"k": "old"}, asset_seed={"k": "old"})
        for method, path in _PATHS
        for body, found in _FIELDS
    ],
    *[
        user(f"PUT {path}", 422, refused(bad_json(body)), body=body, seed={"k": 0}, asset_seed={"k": 0})
        for path in ("<state>/k", "<asset>/k")
        for body in NO_JSON
    ],
    *[
        user(f"{method} {path}", 400, UNREADABLE, body=body, seed={"k": 0}, asset_seed={"k": 0})
        for method, path in _PATHS
        for body in (b"\xff", b'{"value": "\xc3"}', '{"value": ' + "9" * 4301 + "}")
    ],
    *[
        user("PUT <state>/k", 204, body=_PLAIN, sent={"content-type": kind}, leaves={"k": 1}, name=f"type {kind!r}")
        for kind in JSON_TYPES
    ],
    *[
        user(
            "PUT <asset>/k",
            422,
            refused(no_object(_PLAIN)),
            body=_PLAIN,
            sent={"content-type": kind},
            name=f"type {kind!r}",
        )
        for kind in OTHER_TYPES
    ],
    user(
        "PUT <state>/k", 422, refused(no_object(_PLAIN)), body=_PLAIN, sent={"content-type": "<none>"}, name="no type"
    ),
    user("PATCH <state>/k", 422, refused(no_object("{")), body="{", sent={"content-type": "text/plain"}),
    user("PUT <state>/k", 422, refused(no_object()), body=b"\xff", sent={"content-type": "text/plain"}),
    *by_turns(_KEPT),
    *[
        user("PUT <state>/k", 204, body=f'{{"value": {text}}}', leaves={"k": json.loads(text)}, name=name)
        for name, text in LARGE
        if len(text) <= _LIMIT
    ],
    *[
        user(
            f"{method} {path}",
            422,
            refused(bad_value(NOT_FINITE)),
            body=f'{{"value": {text}}}',
            seed={"k": 0},
            asset_seed={"k": 0},
        )
        for method, path in _PATHS
        for text in NOT_FINITE_TEXTS[::3]
    ],
    *[
        user(
            f"{method} {path}",
            422,
            refused(bad_value("value contains lone surrogates, which are not valid Unicode")),
            body=f'{{"value": {text}}}',
            seed={"k": 0},
            asset_seed={"k": 0},
        )
        for method, path in _PATHS
        for text in SURROGATES[::2]
    ],
    *[
        user(
            "PUT <state>/k",
            422,
            refused(bad_value("value is nested deeper than 255 levels", given)),
            body=f'{{"value": {text}}}',
            seed={"k": 0},
            name=name,
        )
        for name, text, given in TOO_DEEP
    ],
    *[_sized(method, path, text, size) for method, path in _PATHS for text, size in _SIZES],
    *[
        user(
            f"{method} {path}",
            413,
            detail("Content larger than 4194304 bytes"),
            body='{"value": "' + "x" * 4 * 2**20 + '"}',
            seed={"k": 0},
            asset_seed={"k": 0},
            name="5 MB",
        )
        for method, path in _PATHS
    ],
    *[
        user("PUT <state>/k", 204, body={"value": 1, "expires_at": at}, seed={"k": 0}, leaves={"k": 1})
        for at in [*IN_THE_FUTURE, "default"]
    ],
    *[user("PUT <state>/k", 204, body={"value": 1, "expires_at": at}, seed={"k": 0}, leaves={}) for at in IN_THE_PAST],
    *[
        user(
            "PUT <state>/k",
            422,
            _neither("datetime_from_date_parsing", TEXT, at, error=TEXT),
            body={"value": 1, "expires_at": at},
            seed={"k": 0},
        )
        for at in ["Default", "default ", *[at for at in UNPARSED if at != "default"]]
    ],
    *[
        user(
            "PUT <state>/k",
            422,
            _neither("timezone_aware", "Input should have timezone info", at),
            body={"value": 1, "expires_at": at},
            seed={"k": 0},
        )
        for at in NAIVE
    ],
    *[
        user(
            "PUT <state>/k",
            422,
            _neither("datetime_type", "Input should be a valid datetime", at),
            body={"value": 1, "expires_at": at},
            seed={"k": 0},
        )
        for at in OF_ANOTHER_TYPE
    ],
    *[
        user(
            "PUT <state>/k",
            422,
            _neither("datetime_parsing", TEXT, TEXT, error=TEXT),
            body=f'{{"value": 1, "expires_at": {text}}}',
            seed={"k": 0},
        )
        for text in BEYOND
    ],
    *[
        user(
            "PUT <state>/k",
            422,
            _neither("datetime_parsing", TEXT, LEFT_OUT, error=TEXT),
            body=f'{{"value": 1, "expires_at": {text}}}',
            seed={"k": 0},
        )
        for text in NOT_SHOWN
    ],
    user(
        "PUT <state>/k",
        422,
        _neither("datetime_parsing", TEXT, "0000-01-01T00:00:00Z", error=TEXT),
        body={"value": 1, "expires_at": "0000-01-01T00:00:00Z"},
        seed={"k": 0},
    ),
    *[
        user(
            "PUT <state>/k",
            422,
            refused(bad_value("the time is out of range once in UTC: years 1 to 9999", at, "body.expires_at")),
            body={"value": 1, "expires_at": at},
            seed={"k": 0},
        )
        for at in OUT_OF_RANGE
    ],
    user(
        "PUT <state>/k?map_index=x",
        422,
        refused(
            no_integer("query.map_index", "x"),
            NULL,
            problem("datetime_from_date_parsing", "body.expires_at.datetime", TEXT, "x", error=TEXT),
            _not_default("x"),
            extra("z", 1),
        ),
        body={"value": None, "expires_at": "x", "z": 1},
    ),
]
