"""Histories: who may ask, for what, and what is refused. What stands in them depends on what was done before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.contract.rows import (
    FORBIDDEN,
    NO_BODY,
    NO_METHOD,
    NOT_AUTHENTICATED,
    TEXT,
    UNREADABLE,
    USER,
    Row,
    Token,
    bad_json,
    bad_value,
    detail,
    extra,
    missing,
    no_boolean,
    no_integer,
    no_object,
    no_task_instance,
    not_utf8,
    problem,
    refused,
    too_great,
    too_long,
    too_short,
    too_small,
    user,
)

_TASK = "<states>/task/state-history"
_ASSET = "/api/v2/assets/<name-id>/state-history"
_PAGE = {"changes": TEXT, "revision": TEXT, "complete": TEXT}
_NOTHING = {"changes": [], "revision": 0, "complete": True}
_NO_TASK_KEY = detail("Task state store key 'k' not found")
_NO_ASSET_KEY = detail("Asset state store key 'k' not found")
_NO_ASSET = detail("Asset with id 4611686018427387904 not found")
_GONE = detail({"reason": "history_gone", "message": "the history does not tell what key 'k' was then"})
_NOT_BOTH = bad_value("a revision or a time is wanted, not both", TEXT, "query.at")
_BACK = {"revision": 1}


def _with(*permissions: str) -> Token:
    return replace(USER, changes={**USER.changes, "scope": " ".join(permissions)})


def _no_time(given: str, message: Any = TEXT, kind: str = "datetime_from_date_parsing", **ctx: Any) -> dict[str, Any]:
    return problem(kind, "query.at", message, given, **(ctx or {"error": TEXT}))


_READS = [
    *(
        user(f"GET {place}{key}?{query}", 200, _PAGE)
        for place in (_TASK, _ASSET)
        for key in ("", "/k", "/a/b")
        for query in ("", "limit=0", "limit=1000", "limit=+1&before=5", "before=0", "before=9223372036854775807", "x=y")
    ),
    *(user(f"HEAD {place}", 200) for place in (_TASK, _ASSET)),
    user("GET <states>/nowhere/state-history", 200, _NOTHING),
    user("GET <states>/nowhere/state-history/k", 200, _NOTHING),
    user("GET <states>/task/state-history?map_index=17", 200, _NOTHING),
    user("GET <states>/nowhere/state-history/k?revision=7", 404, _NO_TASK_KEY),
    user("GET <states>/nowhere/state-history/k?at=2026-01-01T00:00:00Z", 404, _NO_TASK_KEY),
    user(f"GET {_TASK}/k?revision=0", 404, _NO_TASK_KEY, seed={"k": 1}),
    user(f"GET {_ASSET}/k?revision=0", 404, _NO_ASSET_KEY, asset_seed={"k": 1}),
    user(f"GET {_ASSET}/k?at=1969-12-31T23:59:59%2B01:00", 404, _NO_ASSET_KEY, asset_seed={"k": 1}),
    user(
        f"GET {_TASK}/k?at=2026-11-20T12:00:00Z",
        200,
        {"key": "k", "value": [1], "revision": TEXT, "updated_at": TEXT, "expires_at": None, "writer": TEXT},
        seed={"k": [1]},
        answered={"etag": None},
    ),
    user(
        f"GET {_ASSET}/k?at=1795176000",
        200,
        {"key": "k", "value": "v", "revision": TEXT, "updated_at": TEXT, "writer": TEXT},
        asset_seed={"k": "v"},
    ),
    user("GET /api/v2/assets/<unknown-id>/state-history", 404, detail(TEXT)),
    user("GET /api/v2/assets/<unknown-id>/state-history/k", 404, detail(TEXT)),
    user("GET /api/v2/assets/<gone-id>/state-history", 200, _NOTHING),
    user("GET /api/v2/assets/<gone-id>/state-history/k", 200, _NOTHING),
]

_WRONG_QUERIES: list[tuple[str, list[dict[str, Any]]]] = [
    ("limit=-1", [too_small("query.limit", "-1", 0)]),
    ("limit=x&before=y", [no_integer("query.limit", "x"), no_integer("query.before", "y")]),
    ("before=-1", [too_small("query.before", "-1", 0)]),
    ("before=9223372036854775808", [too_great("query.before", "9223372036854775808")]),
]

_WRONG_MOMENTS: list[tuple[str, list[dict[str, Any]]]] = [
    ("revision=-1", [too_small("query.revision", "-1", 0)]),
    ("revision=x", [no_integer("query.revision", "x")]),
    ("revision=", [no_integer("query.revision", "")]),
    ("revision=9223372036854775808", [too_great("query.revision", "9223372036854775808")]),
    ("revision=1&at=2026-01-01T00:00:00Z", [_NOT_BOTH]),
    ("at=2026-01-01T00:00:00", [problem("timezone_aware", "query.at", TEXT, "2026-01-01T00:00:00")]),
    ("at=yesterday", [_no_time("yesterday")]),
    ("at=", [_no_time("")]),
    ("at=2026-11-20T12:00:01Z", [bad_value("the time is yet to come", "2026-11-20T12:00:01+00:00", "query.at")]),
    ("at=9999-12-31T23:59:59Z", [bad_value("the time is yet to come", "9999-12-31T23:59:59+00:00", "query.at")]),
    (
        "at=9999-12-31T23:59:59-01:00",
        [
            bad_value(
                "the time is out of range once in UTC: years 1 to 9999",
                "9999-12-31T23:59:59-01:00",
                "query.at",
            )
        ],
    ),
]

_REFUSED = [
    *(
        user(f"GET {place}?{query}", 422, refused(*problems))
        for place in (_TASK, _ASSET)
        for query, problems in _WRONG_QUERIES
    ),
    *(
        user(f"GET {place}/k?{query}", 422, refused(*problems))
        for place in (_TASK, _ASSET)
        for query, problems in _WRONG_QUERIES + _WRONG_MOMENTS
    ),
    user(f"GET {_TASK}/k?at=0000-01-01T00:00:00Z", 422, detail(TEXT)),
    user(f"GET {_TASK}/k?at=nan", 422, detail(TEXT)),
    user(f"GET {_TASK}/k?at=1e400", 422, detail(TEXT)),
    user(f"GET {_TASK}/k?at=2026-01-01T00:00:00+00:00", 422, detail(TEXT)),  # a plus is a blank
    user(
        f"GET {_TASK}/k?map_index=-2&limit=-1",
        422,
        refused(too_small("query.map_index", "-2", -1), too_small("query.limit", "-1", 0)),
    ),
    user(f"GET {_TASK}/", 422, refused(too_short("path.key"))),
    user(f"GET {_ASSET}/", 422, refused(too_short("path.key"))),
    user(f"GET {_ASSET}/{'k' * 513}", 422, refused(too_long("path.key", 512, "k" * 513))),
    user(f"GET {_TASK}/%ff", 422, refused(not_utf8("path.key")), needs_raw=True),
    *(
        user(f"{method} {place}", 405, NO_METHOD)
        for place in (_TASK, _ASSET)
        for method in ("PUT", "POST", "DELETE", "PATCH")
    ),
    *(
        user(f"{method} {place}/k", 405, NO_METHOD)
        for place in (_TASK, _ASSET)
        for method in ("PUT", "DELETE", "PATCH")
    ),
    user(f"DELETE {_TASK}/k", 405, NO_METHOD, answered={"allow": "GET, HEAD, POST"}),
    *(user(f"GET {place}{key}", 401, NOT_AUTHENTICATED, token=None) for place in (_TASK, _ASSET) for key in ("", "/k")),
    *(
        user(f"GET {place}{key}", 403, FORBIDDEN, token=_with("state:write", "state:delete"))
        for place in (_TASK, _ASSET, "<states>/nowhere/state-history")
        for key in ("", "/k", "/k?revision=0")
    ),
]

_REVERTS = [
    *(
        user(
            f"POST {place}/k", 403, FORBIDDEN, body=_BACK, token=_with(*permissions), seed={"k": 1}, asset_seed={"k": 1}
        )
        for place in (_TASK, _ASSET)
        for permissions in (["state:read", "state:delete"], ["state:write", "state:delete"], [])
    ),
    *(user(f"POST {place}/k", 401, NOT_AUTHENTICATED, body=_BACK, token=None) for place in (_TASK, _ASSET)),
    # What was not there at a revision is deleted, and who may not delete may not do so either.
    user(f"POST {_TASK}/k", 204, body=_BACK, seed={"k": 1, "l": 2}, leaves={"l": 2}, answered={"etag": None}),
    user(
        f"POST {_ASSET}/k", 204, body=_BACK, asset_seed={"k": 1, "l": 2}, asset_leaves={"l": 2}, answered={"etag": None}
    ),
    user(f"POST {_TASK}/k", 204, body={"revision": "1"}, seed={"l": 2}),
    *(
        user(
            f"POST {place}/k",
            403,
            FORBIDDEN,
            body=_BACK,
            token=_with("state:read", "state:write"),
            seed={"k": 1},
            asset_seed={"k": 1},
        )
        for place in (_TASK, _ASSET)
    ),
    user(f"POST {_TASK}/k?map_index=5", 404, no_task_instance(which="map_index=5"), body=_BACK),
    user("POST <states>/nowhere/state-history/k", 404, no_task_instance("nowhere"), body=_BACK),
    user("POST <states>/nowhere/state-history/k", 404, no_task_instance("nowhere"), body={"revision": -1}),
    user("POST /api/v2/assets/<unknown-id>/state-history/k", 404, detail(TEXT), body=_BACK),
    *(
        user(f"POST {place}/k", 422, refused(*problems), body=body)
        for place in (_TASK, _ASSET)
        for body, problems in [
            ({}, [missing("body.revision", {})]),
            ({"revision": 1, "value": 2}, [extra("value", 2)]),
            ({"revision": None}, [problem("int_type", "body.revision", "Input should be a valid integer", None)]),
            ({"revision": -1}, [too_small("body.revision", -1, 0)]),
            ({"revision": 2**63}, [too_great("body.revision", 2**63)]),
            ({"revision": "x"}, [no_integer("body.revision", "x")]),
            ([1], [no_object([1])]),
            (NO_BODY, [missing("body")]),
        ]
    ),
    user(
        f"POST {_TASK}/k?map_index=x",
        422,
        refused(no_integer("query.map_index", "x"), too_small("body.revision", -1, 0)),
        body={"revision": -1},
    ),
    user(f"POST {_TASK}/k", 422, refused(bad_json("{")), body="{"),
    user(f"POST {_ASSET}/k", 400, UNREADABLE, body=b"\xff"),
    user(f"POST {_TASK}/k", 412, TEXT, body=_BACK, sent={"if-match": '"1"'}, seed={"k": 1}, answered={"etag": TEXT}),
    user(f"POST {_TASK}/k", 412, TEXT, body=_BACK, sent={"if-match": "*"}, answered={"etag": None}),
    user(f"POST {_TASK}/k", 400, detail(TEXT), body=_BACK, sent={"if-match": "1"}, seed={"k": 1}),
]

_PURGES = [
    *(
        user(f"DELETE <state>/k?purge={text}", 204, seed={"k": 1, "l": 2}, leaves={"l": 2})
        for text in ("true", "1", "no")
    ),
    *(
        user(f"DELETE <asset>/k?purge={text}", 204, asset_seed={"k": 1, "l": 2}, asset_leaves={"l": 2})
        for text in ("true", "1", "no")
    ),
    user("DELETE <state>/none?purge=true", 204, seed={"k": 1}),
    user("DELETE <asset>/none?purge=true", 204, asset_seed={"k": 1}),
    user("DELETE <state>?purge=true", 204, seed={"k": 1, "l": 2}, leaves={}),
    user("DELETE <asset>?purge=true", 204, asset_seed={"k": 1, "l": 2}, asset_leaves={}),
    user(
        "DELETE <states-of-mapped>?all_map_indices=true&purge=true",
        204,
        mapped_seed={0: {"a": 1}, 1: {"b": 2}},
        mapped_leaves={0: {}, 1: {}},
    ),
    *(
        user(f"DELETE {place}{key}?purge=x", 422, refused(no_boolean("query.purge", "x")))
        for place in ("<state>", "<asset>")
        for key in ("", "/k")
    ),
    *(
        user(f"DELETE {place}?purge=true", 403, FORBIDDEN, token=_with("state:read", "state:write"))
        for place in ("<state>", "<asset>")
    ),
    user("DELETE <asset>/k?purge=true", 412, detail(TEXT), asset_seed={"k": 1}, sent={"if-match": '"1"'}),
]

ROWS: list[Row] = [
    *(replace(row, version=0) for row in (*_READS, *_REFUSED, *_REVERTS)),  # the paths are the same in both versions
    *_PURGES,
]
