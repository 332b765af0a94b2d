"""Asset state over the public API: by the asset's id, whether it is active or not."""

from __future__ import annotations

from typing import Any

from tests.contract.rows import (
    NULL,
    Row,
    asset_entry,
    asset_page,
    bad_json,
    detail,
    extra,
    no_integer,
    not_utf8,
    problem,
    refused,
    too_short,
    user,
)

_NO_KEY = detail("<asset-label> 'k' not found")
_ALL: list[tuple[str, str, Any]] = [
    ("GET", "", ""),
    ("GET", "/k", ""),
    ("PUT", "/k", {"value": 1}),
    ("PATCH", "/k", {"value": 1}),
    ("DELETE", "/k", ""),
    ("DELETE", "", ""),
]
_BEYOND = ["9223372036854775807", "9223372036854775808", "99999999999999999999999", "-9223372036854775809"]
_NO_IDS = ["abc", "1e0", "1.5", "%20", "true", "0x1", "1,2", "%D9%A1", "null", "s3"]
_UNKNOWN = detail("Asset with id <unknown-id> not found")

_READS = [
    user("GET <asset>", 200, asset_page()),
    user(
        "GET <asset>",
        200,
        asset_page(asset_entry("a", [1]), asset_entry("b", {"w": 1})),
        asset_seed={"b": {"w": 1}, "a": [1]},
    ),
    user("GET <asset>/k", 200, asset_entry("k", {"w": 1}), asset_seed={"k": {"w": 1}}),
    user("GET <asset>/k", 404, _NO_KEY),
    user("GET <asset>/it's", 404, detail('<asset-label> "it\'s" not found')),
    user("GET <asset>/a/b", 200, asset_entry("a/b", 1), asset_seed={"a/b": 1}),
    user("GET <asset>/a%2Fb", 200, asset_entry("a/b", 1), asset_seed={"a/b": 1}),
    user("HEAD <asset>", 200, asset_seed={"k": 1}, answered={"content-type": "application/json"}),
    user("HEAD <asset>/k", 200, asset_seed={"k": 1}),
    user("HEAD <asset>/zz", 404),
    user("GET <assets>/<gone-id>/<segment>", 200, asset_page(), name="an inactive asset"),
    user("GET <assets>/<gone-id>/<segment>/k", 404, _NO_KEY, name="an inactive asset"),
    user("GET <assets>/%2B<name-id>/<segment>", 200, asset_page(asset_entry("k", 1)), asset_seed={"k": 1}),
    user("GET <assets>/%20<name-id>/<segment>", 200, asset_page(asset_entry("k", 1)), asset_seed={"k": 1}),
    user("GET <assets>/0<name-id>/<segment>/k", 200, asset_entry("k", 1), asset_seed={"k": 1}),
    user("GET <assets>/<name-id>.0/<segment>/k", 200, asset_entry("k", 1), asset_seed={"k": 1}),
]

_CHANGES = [
    user("PUT <asset>/k", 204, body={"value": 1}, asset_leaves={"k": 1}),
    user("PUT <asset>/k", 204, body={"value": 2}, asset_seed={"k": 1, "l": 1}, asset_leaves={"k": 2, "l": 1}),
    user("PUT <asset>/a/b", 204, body={"value": 2}, asset_leaves={"a/b": 2}),
    user("PATCH <asset>/k", 200, None, body={"value": 2}, asset_seed={"k": 1, "l": 1}, asset_leaves={"k": 2, "l": 1}),
    user("PATCH <asset>/k", 404, _NO_KEY, body={"value": 2}, asset_seed={"l": 1}),
    user("PATCH <asset>/k", 422, refused(NULL), body={"value": None}),
    user("DELETE <asset>/k", 204, asset_seed={"k": 1, "l": 1}, asset_leaves={"l": 1}),
    user("DELETE <asset>/k", 204, asset_seed={"l": 1}),
    user("DELETE <asset>", 204, asset_seed={"k": 1, "l": 1}, asset_leaves={}, seed={"k": 1}),
    user("DELETE <asset>", 204),
    user("DELETE <asset>?all_map_indices=x&map_index=y", 204, asset_seed={"k": 1}, asset_leaves={}),
    user("PUT <assets>/<gone-id>/<segment>/k", 204, body={"value": 1}, name="an inactive asset"),
    user("DELETE <assets>/<gone-id>/<segment>", 204, name="an inactive asset"),
    *[
        user(
            f"{method} <asset>/k",
            422,
            refused(extra("expires_at", at)),
            body={"value": 1, "expires_at": at},
            asset_seed={"k": 0},
        )
        for method in ("PUT", "PATCH")
        for at in (None, "default", "2030-01-01T00:00:00Z")
    ],
]

_EXISTENCE = [
    *[user(f"{method} <assets>/<unknown-id>/<segment>{key}", 404, _UNKNOWN, body=body) for method, key, body in _ALL],
    *[
        user(f"GET <assets>/{text}/<segment>", 404, detail(f"Asset with id {shown} not found"))
        for text, shown in (
            ("0", "0"),
            ("-1", "-1"),
            ("%2B0", "0"),
            ("1_0_0_0_0_0_0_0", "10000000"),
            *[(text, text) for text in _BEYOND],
            ("9" * 4300, "9" * 4300),
        )
    ],
    *[
        user(
            f"{method} <assets>/{_BEYOND[2]}/<segment>{key}",
            404,
            detail(f"Asset with id {_BEYOND[2]} not found"),
            body=body,
        )
        for method, key, body in _ALL
    ],
    user("PUT <assets>/<unknown-id>/<segment>/k", 404, _UNKNOWN, body={"value": None}),
    user("PATCH <assets>/<unknown-id>/<segment>/k", 404, _UNKNOWN, body="[]"),
    user("PUT <assets>/<unknown-id>/<segment>/k", 422, refused(bad_json("{")), body="{"),
    user("PUT <assets>/<unknown-id>/<segment>/", 422, refused(too_short("path.key")), body={"value": 1}),
]

_PARAMETERS = [
    *[
        user(f"GET <assets>/{text}/<segment>", 422, refused(no_integer("path.asset_id", given)))
        for text, given in zip(
            _NO_IDS, ["abc", "1e0", "1.5", " ", "true", "0x1", "1,2", "١", "null", "s3"], strict=True
        )
    ],
    *[
        user(f"{method} <assets>/abc/<segment>{key}", 422, refused(no_integer("path.asset_id", "abc")), body=body)
        for method, key, body in _ALL
    ],
    user(
        f"GET <assets>/{'9' * 4301}/<segment>",
        422,
        refused(
            problem(
                "int_parsing_size",
                "path.asset_id",
                "Unable to parse input string as an integer, exceeded maximum size",
            )
        ),
    ),
    user(
        "PUT <assets>/abc/<segment>/",
        422,
        refused(no_integer("path.asset_id", "abc"), too_short("path.key"), NULL),
        body={"value": None},
    ),
    user("PUT <assets>/abc/<segment>/k", 422, refused(bad_json("{")), body="{"),
    user("PUT <asset>/", 422, refused(too_short("path.key"), extra("x", 1)), body={"value": 1, "x": 1}),
    user("GET <asset>/%FF", 422, refused(not_utf8("path.key"))),
    user("GET <asset>/", 422, refused(too_short("path.key")), asset_seed={"k": 1}),
    user("DELETE <asset>/", 422, refused(too_short("path.key")), asset_seed={"k": 1}),
]

ROWS: list[Row] = [*_READS, *_CHANGES, *_EXISTENCE, *_PARAMETERS]
