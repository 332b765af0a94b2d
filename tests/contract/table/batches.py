"""Batches: all or nothing on one task instance or asset."""

from __future__ import annotations

from typing import Any

from tests.contract.rows import (
    FORBIDDEN,
    IN_30_DAYS,
    LEFT_OUT,
    NO_TOKEN,
    NOT_AUTHENTICATED,
    NOT_FINITE,
    NOT_OWN,
    NOT_REGISTERED,
    OTHER,
    TEXT,
    UNREADABLE,
    USER,
    Expiring,
    Row,
    Token,
    bad_json,
    detail,
    missing,
    no_object,
    no_task_instance,
    not_found,
    refused,
    shared_out,
    too_long,
    too_small,
    user,
)
from tests.contract.rows import problem as of_query

_END = "2030-01-01T00:00:00Z"
_NOON = "2026-11-20T12:00:00Z"
_WORKERS_ASSETS = (
    "/execution/store/asset/by-name?name=<name%>",
    "/execution/store/asset/by-uri?uri=<name-uri%>",
    "/execution/state/asset/<name%>",
)
_DONE = {"etag": TEXT, "content-type": "application/json"}
_OPS = "'get', 'delete', 'check', 'set', 'merge', 'increment', 'max', 'min'"


def _body(*operations: Any, **others: Any) -> dict[str, Any]:
    return {"operations": list(operations), **others}


def _op(op: str, key: str = "k", **fields: Any) -> dict[str, Any]:
    return {"op": op, "key": key, **fields}


def _did(op: str, key: str = "k", status: str = "changed", **fields: Any) -> dict[str, Any]:
    """Return a result; a revision is there unless the fields say otherwise."""
    return {"op": op, "key": key, "status": status, "revision": TEXT, **fields}


def _results(*results: dict[str, Any]) -> dict[str, Any]:
    return {"revision": TEXT, "results": list(results)}


def _failed(reason: str, message: str, index: int, op: str, key: str = "k", revision: Any = TEXT) -> dict[str, Any]:
    text = f"operation {index} ({op} {key!r}): {message}" if message else TEXT
    return detail({"reason": reason, "message": text, "index": index, "op": op, "key": key, "revision": revision})


def _problem(kind: str, loc: list[Any], msg: Any, given: Any = LEFT_OUT, **ctx: Any) -> dict[str, Any]:
    """Return a problem of an operation; ``loc`` begins behind ``operations``."""
    return {**of_query(kind, "", msg, given, **ctx), "loc": ["body", "operations", *loc]}


def _bad(message: str, loc: list[Any], given: Any = LEFT_OUT) -> dict[str, Any]:
    return _problem("value_error", loc, f"Value error, {message}", given, error={})


# What is asked, what is answered on a task instance (on an asset without the expiry), what was there and what is after.
_DOES: list[tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any], dict[str, Any]]] = [
    ([_op("get")], [_did("get", status="unchanged", value=1, expires_at=None)], {"k": 1}, {"k": 1}),
    ([_op("get")], [_did("get", status="unchanged", revision=None, value=None, expires_at=None)], {}, {}),
    ([_op("delete")], [_did("delete", revision=None)], {"k": 1, "l": 2}, {"l": 2}),
    ([_op("delete")], [_did("delete", status="unchanged", revision=None)], {"l": 2}, {"l": 2}),
    ([_op("set", value=[1])], [_did("set")], {"k": 1}, {"k": [1]}),
    (
        [_op("set", value=1), _op("get"), _op("delete"), _op("get"), _op("set", "\u00e4\n", value={})],
        [
            _did("set"),
            _did("get", status="unchanged", value=1, expires_at=TEXT),
            _did("delete", revision=None),
            _did("get", status="unchanged", revision=None, value=None, expires_at=None),
            _did("set", "\u00e4\n"),
        ],
        {},
        {"\u00e4\n": {}},
    ),
    (
        [_op("merge", value={"b": None, "c": {"d": 1}}), _op("merge", "l", value={"x": {"y": None}})],
        [
            _did("merge", value={"a": 1, "c": {"d": 1}}, expires_at=None),
            _did("merge", "l", value={"x": {}}, expires_at=TEXT),
        ],
        {"k": {"a": 1, "b": 2}},
        {"k": {"a": 1, "c": {"d": 1}}, "l": {"x": {}}},
    ),
    ([_op("merge", value=7)], [_did("merge", value=7, expires_at=None)], {"k": {"a": 1}}, {"k": 7}),
    (
        [_op("increment"), _op("increment", by=-3), _op("increment", "l", by=0.5)],
        [
            _did("increment", value=42, expires_at=None),
            _did("increment", value=39, expires_at=None),
            _did("increment", "l", value=0.5, expires_at=TEXT),
        ],
        {"k": 41},
        {"k": 39, "l": 0.5},
    ),
    (
        [_op("max", value=5), _op("max", value=3), _op("min", value=4), _op("max", "t", value=_NOON)],
        [
            _did("max", value=5, expires_at=None),
            _did("max", status="unchanged", value=5, expires_at=None),
            _did("min", value=4, expires_at=None),
            _did("max", "t", value=_NOON, expires_at=TEXT),
        ],
        {"k": 4},
        {"k": 4, "t": _NOON},
    ),
    (
        [_op("min", "t", value="2026-11-20T12:00:00+01:00")],
        [_did("min", "t", value="2026-11-20T12:00:00+01:00", expires_at=None)],
        {"t": _NOON},
        {"t": "2026-11-20T12:00:00+01:00"},
    ),
    (
        [_op("check", exists=True), _op("check", "l", if_revision=0), _op("check", "l", exists=False)],
        [
            _did("check", status="unchanged"),
            _did("check", "l", "unchanged", revision=None),
            _did("check", "l", "unchanged", revision=None),
        ],
        {"k": 1},
        {"k": 1},
    ),
    (
        [_op("set", value=1, if_revision=0), _op("set", value=2, exists=True), _op("delete", exists=True)],
        [_did("set"), _did("set"), _did("delete", revision=None)],
        {},
        {},
    ),
    (
        [_op("increment", "l", exists=False, if_revision=0), _op("get", exists=True)],
        [_did("increment", "l", value=1, expires_at=TEXT), _did("get", status="unchanged", value=1, expires_at=None)],
        {"k": 1},
        {"k": 1, "l": 1},
    ),
    (
        [_op("set", f"k{index}", value=index) for index in range(100)],
        [_did("set", f"k{index}") for index in range(100)],
        {},
        {f"k{index}": index for index in range(100)},
    ),
]


# What fails, and how: reason, message, place, operation and, if it is not that of a key that is there, the revision.
_FAILS: list[tuple[list[dict[str, Any]], int, dict[str, Any], dict[str, Any]]] = [
    (
        [_op("set", "l", value=1), _op("check", if_revision=1)],
        412,
        _failed("precondition_failed", "", 1, "check"),
        {"k": 1},
    ),
    (
        [_op("check", exists=True)],
        412,
        _failed(
            "precondition_failed", "the condition does not hold: there is no such entry", 0, "check", revision=None
        ),
        {"l": 1},
    ),
    ([_op("set", value=1, if_revision=0)], 412, _failed("precondition_failed", "", 0, "set"), {"k": 1}),
    ([_op("set", value=1, exists=False)], 412, _failed("precondition_failed", "", 0, "set"), {"k": 1}),
    (
        [_op("delete", "l"), _op("delete", if_revision=5)],
        412,
        _failed("precondition_failed", "", 1, "delete", revision=None),
        {"l": 1},
    ),
    ([_op("get", if_revision=5)], 412, _failed("precondition_failed", "", 0, "get"), {"k": 1}),
    (
        [_op("increment", exists=True, if_revision=0)],
        412,
        _failed("precondition_failed", "", 0, "increment", revision=None),
        {},
    ),
    ([_op("max", value=1, exists=True, if_revision=0)], 412, _failed("precondition_failed", "", 0, "max"), {"k": 1}),
    (
        [_op("check", exists=True), _op("delete"), _op("check", exists=True)],
        412,
        _failed("precondition_failed", "", 2, "check", revision=None),
        {"k": 1},
    ),
    (
        [_op("increment")],
        409,
        _failed("update_failed", "the stored value is no number", 0, "increment"),
        {"k": "x"},
    ),
    (
        [_op("set", "l", value=2), _op("increment", "l"), _op("increment", "l", by=1e308), _op("max", value=1)],
        409,
        _failed("update_failed", "the stored value is a time, which does not compare with a number", 3, "max"),
        {"k": _NOON},
    ),
    (
        [_op("increment", by=1e308), _op("increment", by=1e308)],
        409,
        _failed("update_failed", NOT_FINITE, 1, "increment"),
        {},
    ),
    ([_op("min", value=_NOON)], 409, _failed("update_failed", "", 0, "min"), {"k": {"a": 1}}),
]


_NO_OPS: tuple[Any, ...] = ("GET", "clear", "", "set ", None, 1, [], {})
_NO_NUMBERS: tuple[Any, ...] = ("1", None, True, [], {})

# What is no batch: on every route.
_REFUSED: list[tuple[Any, list[dict[str, Any]]]] = [
    ({}, [missing("body.operations", {})]),
    ([], [no_object([])]),
    ("1", [no_object(1)]),
    ("null", [missing("body")]),
    (b"", [missing("body")]),
    ("{", [bad_json("{")]),
    ({"operations": None}, [of_query("list_type", "body.operations", "Input should be a valid list", None)]),
    ({"operations": {}}, [of_query("list_type", "body.operations", "Input should be a valid list", {})]),
    (
        _body(),
        [
            of_query(
                "too_short",
                "body.operations",
                TEXT,
                [],
                field_type="List",
                min_length=1,
                actual_length=0,
            )
        ],
    ),
    (
        _body(*[_op("get", "k" * 10)] * 101),
        [of_query("too_long", "body.operations", TEXT, field_type="List", max_length=100, actual_length=101)],
    ),
    (_body(_op("get"), extra=1), [of_query("extra_forbidden", "body.extra", TEXT, 1)]),
    (_body(1), [_problem("model_attributes_type", [0], TEXT, 1)]),
    (_body(_op("get"), None), [_problem("model_attributes_type", [1], TEXT, None)]),
    (_body({"key": "k"}), [_problem("missing", [0, "op"], "Field required", {"key": "k"})]),
    *[
        (_body(_op("get"), {"op": op, "key": "k"}), [_problem("literal_error", [1, "op"], TEXT, op, expected=_OPS)])
        for op in _NO_OPS
    ],
    (_body({"op": "get"}), [_problem("missing", [0, "key"], "Field required", {"op": "get"})]),
    (_body(_op("get", "")), [_problem("string_too_short", [0, "key"], TEXT, "", min_length=1)]),
    (
        _body(_op("get", "k" * 513)),
        [{**too_long("", 512, "k" * 513), "loc": ["body", "operations", 0, "key"]}],
    ),
    (_body(_op("get", "a\0")), [_bad("must not contain NUL characters", [0, "key"], "a\0")]),
    ('{"operations": [{"op": "get", "key": "\\ud800"}]}', [_problem("string_unicode", [0, "key"], TEXT)]),
    (_body({"op": "get", "key": 1}), [_problem("string_type", [0, "key"], "Input should be a valid string", 1)]),
    *[
        (_body(_op(op, "k", **{name: 1})), [_problem("extra_forbidden", [0, name], TEXT, 1)])
        for op, name in (("get", "value"), ("delete", "value"), ("get", "expires_at"), ("get", "by"), ("delete", "x"))
    ],
    (_body(_op("set")), [_problem("missing", [0, "value"], "Field required", _op("set"))]),
    (_body(_op("set", value=None)), [_bad("value cannot be null", [0, "value"], None)]),
    ('{"operations": [{"op": "set", "key": "k", "value": [NaN]}]}', [_bad(NOT_FINITE, [0, "value"])]),
    ('{"operations": [{"op": "set", "key": "k", "value": 1e999}]}', [_bad(NOT_FINITE, [0, "value"])]),
    (
        '{"operations": [{"op": "merge", "key": "k", "value": {"a": "\\ud800"}}]}',
        [_bad("value contains lone surrogates, which are not valid Unicode", [0, "value"])],
    ),
    (_body(_op("merge", value=None)), [_bad("value cannot be null", [0, "value"], None)]),
    (_body(_op("merge")), [_problem("missing", [0, "value"], "Field required", _op("merge"))]),
    *[(_body(_op("increment", by=by)), [_bad("must be a finite number", [0, "by"], by)]) for by in _NO_NUMBERS],
    (
        '{"operations": [{"op": "increment", "key": "k", "by": Infinity}]}',
        [_bad("must be a finite number", [0, "by"])],
    ),
    *[
        (
            _body(_op(op, value=value)),
            [_bad("must be a finite number, or an ISO 8601 time with an offset", [0, "value"], value)],
        )
        for op in ("max", "min")
        for value in ("1", "2026-01-01", "2026-01-01T00:00:00", "2026-02-30T00:00:00Z", True, None, [1])
    ],
    (_body(_op("max")), [_problem("missing", [0, "value"], "Field required", _op("max"))]),
    (_body(_op("check")), [_bad("a check needs if_revision or exists", [0], _op("check"))]),
    *[
        (_body(_op("get", if_revision=value)), [_problem(kind, [0, "if_revision"], TEXT, value)])
        for value, kind in ((None, "int_type"), ([], "int_type"), ("x", "int_parsing"), (1.5, "int_from_float"))
    ],
    (
        _body(_op("get", if_revision=-1)),
        [{**too_small("", -1, 0), "loc": ["body", "operations", 0, "if_revision"]}],
    ),
    (
        _body(_op("get", if_revision=2**63)),
        [_problem("less_than_equal", [0, "if_revision"], TEXT, 2**63, le=2**63 - 1)],
    ),
    *[
        (_body(_op("get", exists=value)), [_problem(kind, [0, "exists"], TEXT, value)])
        for value, kind in ((None, "bool_type"), ("x", "bool_parsing"), ([], "bool_type"))
    ],
    (
        _body(_op("get", ""), _op("set"), {"op": "x"}),
        [
            _problem("string_too_short", [0, "key"], TEXT, "", min_length=1),
            _problem("missing", [1, "value"], "Field required", _op("set")),
            _problem("literal_error", [2, "op"], TEXT, "x", expected=_OPS),
        ],
    ),
]


def _without_expiry(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in one.items() if name != "expires_at"} for one in results]


def _done(asked: list[Any], results: list[Any], seed: dict[str, Any], leaves: dict[str, Any]) -> list[Row]:
    """Return a row for each route."""
    answer, of_assets = _results(*results), _results(*_without_expiry(results))
    common: dict[str, Any] = {"body": _body(*asked), "answered": _DONE}
    on_task: dict[str, Any] = {"seed": seed, "leaves": leaves}
    on_asset: dict[str, Any] = {"asset_seed": seed, "asset_leaves": leaves}
    return [
        Row("POST <task>", 200, answer, **common, **on_task),
        user("POST <state>", 200, answer, **common, **on_task),
        *[Row(f"POST {target}", 200, of_assets, **common, **on_asset) for target in _WORKERS_ASSETS],
        user("POST <asset>", 200, of_assets, **common, **on_asset),
    ]


def _everywhere(status: int, answer: Any, *, seed: dict[str, Any] | None = None, **others: Any) -> list[Row]:
    """Return a row for each route; nothing is changed."""
    seeded = {} if seed is None else seed
    return [
        Row("POST <task>", status, answer, seed=seeded, **others),
        user("POST <state>", status, answer, seed=seeded, **others),
        *[Row(f"POST {target}", status, answer, asset_seed=seeded, **others) for target in _WORKERS_ASSETS],
        user("POST <asset>", status, answer, asset_seed=seeded, **others),
    ]


def _permitted(*permissions: str) -> Token:
    return Token({**USER.changes, "scope": " ".join(permissions)})


_SET = _body(_op("set", value=1))
_COUNT = _body(_op("increment"))

ROWS = [
    *_done(*_DOES[0]),
    *shared_out(_done(*one) for one in _DOES),
    *_everywhere(_FAILS[0][1], _FAILS[0][2], seed={"k": 1}, body=_body(*_FAILS[0][0]), answered={"etag": TEXT}),
    *shared_out(
        _everywhere(status, answer, seed=seed, body=_body(*asked), answered={"etag": TEXT})
        for asked, status, answer, seed in _FAILS
    ),
    *shared_out(
        [
            Row("POST <task>", 422, refused(*problems), body=body, seed={"k": 1}),
            user("POST <asset>", 422, refused(*problems), body=body, asset_seed={"k": 1}),
        ]
        for body, problems in _REFUSED
    ),
    *[Row(f"POST {target}", 422, refused(missing("body.operations", {})), body={}) for target in _WORKERS_ASSETS],
    user("POST <state>", 422, refused(missing("body.operations", {})), body={}, seed={"k": 1}),
    # when an entry ends
    Row(
        "POST <task>",
        200,
        _results(
            _did("set"),
            _did("increment", value=2, expires_at=_END),
            _did("increment", value=3, expires_at=None),
            _did("increment", "new", value=1, expires_at=None),
            _did("max", "t", value=1, expires_at=_END),
            _did("get", "old", "unchanged", value=1, expires_at=None),
        ),
        body=_body(
            _op("set", value=1, expires_at=_END),
            _op("increment"),
            _op("increment", expires_at=None),
            _op("increment", "new"),
            _op("max", "t", value=1, expires_at=_END),
            _op("get", "old"),
        ),
        seed={"old": 1},
        leaves={"k": 3, "new": 1, "old": 1, "t": 1},
    ),
    user(
        "POST <state>",
        200,
        _results(
            _did("set"),
            _did("get", status="unchanged", value=1, expires_at=IN_30_DAYS),
            _did("merge", "new", value={}, expires_at=IN_30_DAYS),
            _did("increment", "never", value=1, expires_at=None),
            _did("increment", "old", value=2, expires_at=None),
            _did("increment", "old", value=3, expires_at=IN_30_DAYS),
            _did("min", "old", value=0, expires_at=_END),
        ),
        body=_body(
            _op("set", value=1),
            _op("get"),
            _op("merge", "new", value={}),
            _op("increment", "never", expires_at=None),
            _op("increment", "old"),
            _op("increment", "old", expires_at="default"),
            _op("min", "old", value=0, expires_at=_END),
        ),
        seed={"old": 1},
        leaves={"k": 1, "new": {}, "never": 1, "old": 0},
    ),
    Row(
        "POST <task>",
        200,
        _results(_did("increment", value=1, expires_at=None), _did("set", "gone")),
        body=_body(_op("increment"), _op("set", "gone", value=1, expires_at="2000-01-01T00:00:00Z")),
        seed={"k": Expiring(41, -1)},
        leaves={"k": 1},
    ),
    *[
        Row(
            "POST <task>",
            422,
            refused(_problem(kind, [0, "expires_at"], TEXT, given, **ctx)),
            body=_body({**_op(op, expires_at=given), **({} if op == "increment" else {"value": 1})}),
        )
        for op in ("set", "increment", "max", "merge")
        for given, kind, ctx in (
            ("default", "datetime_from_date_parsing", {"error": TEXT}),
            ("2030-01-01T00:00:00", "timezone_aware", {}),
            ("0000-01-01T00:00:00Z", "datetime_parsing", {"error": TEXT}),
        )
    ],
    user(
        "POST <state>",
        422,
        refused(
            _problem("datetime_from_date_parsing", [0, "expires_at", "datetime"], TEXT, "x", error=TEXT),
            _problem("literal_error", [0, "expires_at", "literal['default']"], TEXT, "x", expected="'default'"),
        ),
        body=_body(_op("increment", expires_at="x")),
    ),
    *[
        row
        for op in (_op("set", value=1), _op("increment"), _op("min", value=1))
        for row in [
            Row(
                f"POST {_WORKERS_ASSETS[0]}",
                422,
                refused(_problem("extra_forbidden", [0, "expires_at"], TEXT, None)),
                body=_body({**op, "expires_at": None}),
            ),
            user(
                "POST <asset>",
                422,
                refused(_problem("extra_forbidden", [0, "expires_at"], TEXT, None)),
                body=_body({**op, "expires_at": None}),
            ),
        ]
    ],
    # a condition on the whole
    *_everywhere(
        412,
        TEXT,
        seed={"k": 1},
        body=_SET,
        sent={"if-match": '"1"'},
        answered={"etag": TEXT},
    ),
    *_everywhere(412, TEXT, body=_SET, sent={"if-none-match": "*"}, answered={"etag": TEXT}),
    *[
        Row("POST <task>", 200, _results(_did("set")), body=_SET, sent=sent, leaves={"k": 1}, answered=_DONE)
        for sent in ({"if-match": "*"}, {"if-none-match": '"1"'}, {"if-match": "*", "if-none-match": '"5"'})
    ],
    Row(
        "POST <task>",
        400,
        detail('If-Match must be * or a list of entity tags such as "17"'),
        body=_SET,
        sent={"if-match": "0"},
        needs_raw=True,
    ),
    # who may do what
    *[Row(f"POST {target}", 401, NO_TOKEN, body=_SET, token=None) for target in ("<task>", *_WORKERS_ASSETS)],
    *[user(f"POST {target}", 401, NOT_AUTHENTICATED, body=_SET, token=None) for target in ("<state>", "<asset>")],
    Row("POST <task>", 403, NOT_OWN, body="{", token=OTHER, seed={"k": 1}),
    *[
        Row(f"POST {target}", 403, NOT_REGISTERED, body=_body(operation), token=OTHER, asset_seed={"k": 1})
        for target in _WORKERS_ASSETS
        for operation in (_op("get"), _op("delete"), _op("set", value=1), _op("check", exists=True))
    ],
    Row(
        "POST /execution/store/asset/by-name?name=<inlet%>",
        200,
        _results(_did("set"), _did("get", status="unchanged", value=1)),
        body=_body(_op("set", value=1), _op("get")),
    ),
    *[
        row
        for target in ("<state>", "<asset>")
        for row in [
            *[
                user(f"POST {target}", 403, FORBIDDEN, body=body, token=_permitted(*permissions))
                for body, permissions in (
                    ("{", ("state:read", "state:delete")),
                    (_SET, ("state:read", "state:delete")),
                    (_body(_op("set", value=1), _op("delete")), ("state:read", "state:write")),
                    (_body(_op("set", value=1), _op("get")), ("state:write", "state:delete")),
                )
            ],
            user(
                f"POST {target}",
                412,
                _failed("precondition_failed", "", 0, "check", revision=None),
                body=_body(_op("check", exists=True)),
                token=_permitted("state:write"),
            ),
        ]
    ],
    user(
        "POST <state>",
        200,
        _results(_did("increment"), _did("merge", "m"), _did("max", "n", revision=TEXT), _did("set", "s")),
        body=_body(_op("increment"), _op("merge", "m", value={}), _op("max", "n", value=1), _op("set", "s", value=1)),
        token=_permitted("state:write"),
        seed={"k": 1},
        leaves={"k": 2, "m": {}, "n": 1, "s": 1},
    ),
    user(
        "POST <asset>",
        200,
        _results(_did("increment")),
        body=_COUNT,
        token=_permitted("state:write"),
        asset_seed={"k": 1},
        asset_leaves={"k": 2},
    ),
    # what is there at all
    *[Row(f"POST {target}", 400, UNREADABLE, body=b"\xff") for target in ("<task>", *_WORKERS_ASSETS)],
    user("POST <states>/nope/<segment>", 404, no_task_instance("nope"), body="{}"),
    user("POST <states>/nope/<segment>", 422, refused(bad_json("{")), body="{"),
    user("POST <state>?map_index=0", 404, no_task_instance(which="map_index=0"), body=_SET),
    user(
        "POST <state>?map_index=x",
        422,
        refused(
            of_query("int_parsing", "query.map_index", TEXT, "x"),
            _problem("missing", [0, "key"], "Field required", {"op": "get"}),
        ),
        body=_body({"op": "get"}),
    ),
    user("POST <assets>/<unknown-id>/<segment>", 404, detail("Asset with id <unknown-id> not found"), body="{}"),
    user(
        "POST <assets>/x/<segment>",
        422,
        refused(of_query("int_parsing", "path.asset_id", TEXT, "x"), missing("body.operations", {})),
        body={},
    ),
    Row(
        "POST /execution/store/asset/by-name",
        422,
        refused(missing("query.name"), missing("body.operations", {})),
        body={},
    ),
    Row("POST /execution/store/asset/by-uri", 422, refused(missing("query.uri")), body=_SET),
    *[
        Row(
            f"POST /execution/store/asset/by-name?name=<{kind}%>",
            404,
            not_found(f"Asset with name=<{kind}!r> not found"),
            body=_SET,
        )
        for kind in ("unknown", "gone")
    ],
    Row(
        "POST <task>",
        422,
        refused(no_object('{"operations": []}')),
        body='{"operations": []}',
        sent={"content-type": "<none>"},
    ),
    Row("POST <task>", 413, detail("Content larger than 4194304 bytes"), body=b" " * (2**22 + 1)),
    user(
        "POST <state>",
        422,
        refused(
            _bad(
                "value exceeds max_value_storage_bytes (65535); its stored form has 65536 bytes",
                [1, "value"],
            )
        ),
        body=_body(_op("get"), _op("set", value="x" * 65534)),
    ),
    Row(
        "POST <task>", 200, _results(_did("set")), body=_body(_op("set", value="x" * 65534)), leaves={"k": "x" * 65534}
    ),
    user(
        "POST <asset>",
        409,
        _failed("update_failed", "value exceeds 65535 bytes; its stored form has 65548 bytes", 1, "merge"),
        body=_body(_op("set", value={"a": "x" * 65000}), _op("merge", value={"b": "x" * 530})),
        answered={"etag": TEXT},
    ),
    # as RFC 9457 has it
    *_everywhere(
        412,
        {
            "type": "urn:statemount:problem:precondition-failed",
            "title": "It is not as the condition has it; nothing was changed",
            "status": 412,
            "detail": "operation 0 (check 'k'): the condition does not hold: there is no such entry",
            "index": 0,
            "op": "check",
            "key": "k",
            "revision": None,
        },
        body=_body(_op("check", exists=True)),
        sent={"accept": "application/problem+json"},
        answered={"content-type": "application/problem+json", "etag": TEXT},
    ),
    Row(
        "POST <task>",
        409,
        {
            "type": "urn:statemount:problem:update-failed",
            "title": "A value cannot be updated like this; nothing was changed",
            "status": 409,
            "detail": "operation 0 (increment 'k'): the stored value is no number",
            "index": 0,
            "op": "increment",
            "key": "k",
            "revision": TEXT,
        },
        body=_COUNT,
        seed={"k": "x"},
        sent={"accept": "application/problem+json"},
        answered={"content-type": "application/problem+json", "etag": TEXT},
    ),
]
