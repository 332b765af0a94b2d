"""Assets: how they are addressed in both contract versions, and who may touch them."""

from __future__ import annotations

from typing import Any

from tests.contract.rows import (
    MISSING,
    NO_BODY,
    NO_METHOD,
    NO_ROUTE,
    NOT_FINITE,
    NOT_REGISTERED,
    NULL,
    OTHER,
    WATCHER,
    Row,
    bad_json,
    bad_value,
    extra,
    missing,
    not_found,
    not_utf8,
    refused,
    too_long,
    too_short,
)

_NAME = "/execution/store/asset/by-name"
_URI = "/execution/store/asset/by-uri"
_PATH = "/execution/state/asset"


_KEY = {"allow": "DELETE, GET, HEAD, PATCH, PUT"}


def _key_targets(asset: str, key: str) -> list[str]:
    """Return the targets of one key of an asset, in both versions."""
    return [
        f"{_NAME}/value?name=<{asset}%>&key={key}",
        f"{_URI}/value?uri=<{asset}-uri%>&key={key}",
        f"{_PATH}/<{asset}%>/{key}",
    ]


def _clear_targets(asset: str) -> list[str]:
    return [f"{_NAME}/clear?name=<{asset}%>", f"{_URI}/clear?uri=<{asset}-uri%>", f"{_PATH}/<{asset}%>"]


def _unknown(asset: str, target: str) -> dict[str, Any]:
    if target.startswith(_URI):
        return not_found(f"Asset with uri=<{asset}-uri!r> not found")
    return not_found(f"Asset with name=<{asset}!r> not found")


def _key_label(target: str) -> str:
    return "Asset state key" if target.startswith(_PATH) else "Asset state store key"


def _on_keys(target: str) -> list[Row]:
    return [
        Row(
            f"PUT {target}",
            204,
            body={"value": {"w": 1}},
            asset_seed={"old": 1},
            asset_leaves={"k": {"w": 1}, "old": 1},
        ),
        Row(f"PUT {target}", 204, body={"value": 2}, asset_seed={"k": 1}, asset_leaves={"k": 2}),
        Row(f"GET {target}", 200, {"value": {"w": 1}}, asset_seed={"k": {"w": 1}}),
        Row(f"HEAD {target}", 200, asset_seed={"k": {"w": 1}}, answered={"content-length": "19"}),
        Row(f"DELETE {target}", 204, asset_seed={"k": 1, "old": 1}, asset_leaves={"old": 1}),
        Row(f"DELETE {target}", 204, asset_seed={"old": 1}, asset_leaves={"old": 1}),
        Row(f"GET {target}", 404, not_found(f"{_key_label(target)} 'k' not found"), asset_seed={"K": 1}),
        Row(f"PUT {target}", 422, refused(NULL), body={"value": None}, asset_seed={"k": 1}),
        Row(f"PUT {target}", 422, refused(missing("body")), asset_seed={"k": 1}),
        Row(f"PUT {target}", 422, refused(bad_json("{")), body="{", asset_seed={"k": 1}),
        Row(f"PUT {target}", 422, refused(bad_value(NOT_FINITE)), body='{"value": [NaN]}', asset_seed={"k": 1}),
        Row(f"PUT {target}", 422, refused(extra("expires_at", None)), body={"value": 1, "expires_at": None}),
        Row(
            f"PUT {target}",
            422,
            refused(extra("expires_at", "2030-01-01T00:00:00Z")),
            body={"value": 1, "expires_at": "2030-01-01T00:00:00Z"},
        ),
        Row(f"POST {target}", 405, NO_METHOD, body={"value": 1}, answered=_KEY),
        Row(f"LIST {target}", 405, NO_METHOD, body={"value": 1}, answered=_KEY),
        Row(f"OPTIONS {target}", 405, NO_METHOD, answered=_KEY),
        # Whoever is not registered with an asset does not reach it; a watcher reaches what its claims name.
        Row(f"GET {target}", 403, NOT_REGISTERED, token=OTHER, asset_seed={"k": 1}),
        Row(f"PUT {target}", 403, NOT_REGISTERED, body={"value": 2}, token=OTHER, asset_seed={"k": 1}),
        Row(f"DELETE {target}", 403, NOT_REGISTERED, token=OTHER, asset_seed={"k": 1}),
        Row(f"PUT {target}", 422, refused(NULL), body={"value": None}, token=OTHER, asset_seed={"k": 1}),
        Row(f"PUT {target}", 422, refused(bad_value(NOT_FINITE)), body='{"value": [NaN]}', token=OTHER),
        Row(f"PUT {target}", 404, not_found("Task instance <missing> not found"), body={"value": 1}, token=MISSING),
        Row(f"GET {target}", 200, {"value": 1}, token=WATCHER, asset_seed={"k": 1}),
        Row(f"PUT {target}", 204, body={"value": 2}, token=WATCHER, asset_seed={"k": 1}, asset_leaves={"k": 2}),
        Row(f"DELETE {target}", 204, token=WATCHER, asset_seed={"k": 1}, asset_leaves={}),
    ]


def _on_asset(target: str) -> list[Row]:
    allow = {"allow": "DELETE" if "/clear?" in target else "DELETE, POST"}
    return [
        Row(f"DELETE {target}", 204, asset_seed={"k": 1, "a/b": 2}, asset_leaves={}, seed={"k": 1}),
        Row(f"DELETE {target}", 204, asset_leaves={}),
        Row(f"DELETE {target}", 204, token=WATCHER, asset_seed={"k": 1}, asset_leaves={}),
        Row(f"DELETE {target}", 403, NOT_REGISTERED, token=OTHER, asset_seed={"k": 1}),
        Row(f"GET {target}", 405, NO_METHOD, asset_seed={"k": 1}, answered=allow),
        Row(f"PUT {target}", 405, NO_METHOD, body={"value": 1}, answered=allow),
    ]


def _out_of_reach() -> list[Row]:
    rows = [
        Row(f"{method} {target}", 404, _unknown(asset, target), body={"value": 1})
        for asset in ("gone", "unknown")
        for method, targets in (
            ("GET", _key_targets(asset, "k")),
            ("PUT", _key_targets(asset, "k")),
            ("DELETE", _key_targets(asset, "k")),
            ("DELETE", _clear_targets(asset)),
        )
        for target in targets
    ]
    rows += [Row(f"PUT {target}", 422, refused(NULL), body={"value": None}) for target in _key_targets("unknown", "k")]
    rows += [
        Row(f"{method} {target}", 403, NOT_REGISTERED, body={"value": 1}, token=token)
        for token in (Row("", 0).token, WATCHER)
        for method in ("GET", "PUT", "DELETE")
        for target in _key_targets("foreign", "k")
    ]
    rows += [
        Row(f"{method} {target}", status, answer, body={"value": 1})
        for target in _key_targets("inlet", "k")
        for method, status, answer in (
            ("GET", 404, not_found(f"{_key_label(target)} 'k' not found")),
            ("PUT", 204, NO_BODY),
            ("DELETE", 204, NO_BODY),
        )
    ]
    return rows


def _queries(place: str, by: str) -> list[Row]:
    """Return rows about the parameters of a query."""
    given = f"{by}=<name%>" if by == "name" else f"{by}=<name-uri%>"
    value, clear = f"{place}/value", f"{place}/clear"
    return [
        Row(f"GET {value}", 422, refused(missing(f"query.{by}"), missing("query.key"))),
        Row(f"GET {value}?key=k", 422, refused(missing(f"query.{by}"))),
        Row(f"GET {value}?{given}", 422, refused(missing("query.key"))),
        Row(f"GET {value}?{by}=&key=k", 422, refused(too_short(f"query.{by}"))),
        Row(f"GET {value}?{by}&key=k", 422, refused(too_short(f"query.{by}"))),
        Row(f"GET {value}?{given}&key=", 422, refused(too_short("query.key"))),
        Row(f"GET {value}?{by}=&key=", 422, refused(too_short(f"query.{by}"), too_short("query.key"))),
        Row(f"GET {value}?{given}&key=k&key=", 422, refused(too_short("query.key")), asset_seed={"k": 1}),
        Row(f"GET {value}?{by}=zzz&{given}&key=x&key=k", 200, {"value": 1}, asset_seed={"k": 1, "x": 2}),
        Row(f"GET {value}?key=k&&x=%FF&{given}&", 200, {"value": 1}, asset_seed={"k": 1}),
        Row(f"GET {value}?{given};key=k", 422, refused(missing("query.key"))),
        Row(f"GET {value}?{given}&KEY=k", 422, refused(missing("query.key"))),
        Row(f"GET {value}?{given}&%6Bey=k", 200, {"value": 1}, asset_seed={"k": 1}),
        Row(f"GET {value}?{by}=%FF&key=k", 422, refused(not_utf8(f"query.{by}"))),
        Row(f"GET {value}?{by}=%ED%A0%80&key=k", 422, refused(not_utf8(f"query.{by}"))),
        Row(f"GET {value}?{given}&key=%C3", 422, refused(not_utf8("query.key"))),
        Row(f"PUT {value}?{given}&key=a%00b", 422, refused(bad_value(_NUL, "a\0b", "query.key")), body={"value": 1}),
        Row(f"GET {value}?{by}=%00&key=k", 422, refused(bad_value(_NUL, "\0", f"query.{by}"))),
        Row(
            f"PUT {value}?{given}&key={'k' * 513}",
            422,
            refused(too_long("query.key", 512, "k" * 513)),
            body={"value": 1},
        ),
        Row(f"GET {value}?{by}={'n' * 1501}&key=k", 422, refused(too_long(f"query.{by}", 1500))),
        Row(f"PUT {value}?{given}&key={'k' * 512}", 204, body={"value": 1}, asset_leaves={"k" * 512: 1}),
        Row(f"PUT {value}?{given}&key=a%2Fb+c%2Bd%0A", 204, body={"value": 1}, asset_leaves={"a/b c+d\n": 1}),
        Row(f"PUT {value}?{given}&key=a/b%20c", 204, body={"value": 1}, asset_leaves={"a/b c": 1}),
        Row(f"PUT {value}?{given}&key=a=b?c", 204, body={"value": 1}, asset_leaves={"a=b?c": 1}),
        Row(
            f"PUT {value}",
            422,
            refused(missing(f"query.{by}"), missing("query.key"), missing("body")),
        ),
        Row(
            f"PUT {value}",
            422,
            refused(missing(f"query.{by}"), missing("query.key"), NULL),
            body={"value": None},
        ),
        Row(f"PUT {value}", 422, refused(bad_json("{")), body="{"),
        Row(f"DELETE {clear}", 422, refused(missing(f"query.{by}"))),
        Row(f"DELETE {clear}?{by}=", 422, refused(too_short(f"query.{by}"))),
        Row(f"DELETE {clear}?{given}&key=k", 204, asset_seed={"k": 1, "l": 2}, asset_leaves={}),
        Row(f"GET {value}/?{given}&key=k", 404, NO_ROUTE, asset_seed={"k": 1}),
        Row(f"DELETE {clear}/?{given}", 404, NO_ROUTE, asset_seed={"k": 1}),
        Row(f"DELETE {place}?{given}", 405, NO_METHOD, asset_seed={"k": 1}, answered={"allow": "POST"}),
        Row(f"GET {place}?{given}", 405, NO_METHOD, asset_seed={"k": 1}, answered={"allow": "POST"}),
        Row(f"GET {place}/?{given}", 404, NO_ROUTE),
        Row(f"GET {place}/nope?{given}&key=k", 404, NO_ROUTE, asset_seed={"k": 1}),
    ]


_NUL = "must not contain NUL characters"

_NAMES = ["n/ m+ä'q", "s3://bucket/a b", "a//b", "/a", "ä", "%2F", "a?b#c", "..", "clear", 'it\'s "x"', "a\nb"]

ROWS = [
    *[row for target in _key_targets("name", "k") for row in _on_keys(target)],
    *[row for target in _clear_targets("name") for row in _on_asset(target)],
    *_out_of_reach(),
    *_queries(_NAME, "name"),
    *_queries(_URI, "uri"),
    *[
        Row(f"GET {target}", 200, {"value": 1}, asset=name, asset_seed={"a/b": 1})
        for name in _NAMES
        for target in _key_targets("name", "a%2Fb")
    ],
    *[
        Row(f"PUT {target}", 204, body={"value": 1}, asset=name, asset_leaves={"a/b": 1})
        for name in _NAMES
        for target in _key_targets("name", "a/b")
    ],
    *[
        Row(f"DELETE {target}", 204, asset=name, asset_seed={"a/b": 1}, asset_leaves={})
        for name in _NAMES
        for target in _clear_targets("name")
    ],
    Row(f"GET {_PATH}/<name%>/", 422, refused(too_short("path.key"))),
    Row(f"DELETE {_PATH}/<name%>/", 422, refused(too_short("path.key")), asset_seed={"k": 1}),
    Row(f"DELETE {_PATH}/<name%>/%2F", 204, asset_seed={"/": 1, "k": 1}, asset_leaves={"k": 1}),
    Row(f"DELETE {_PATH}/<name%>//", 204, asset_seed={"/": 1, "k": 1}, asset_leaves={"k": 1}),
    Row(f"GET {_PATH}//k", 422, refused(too_short("path.name"))),
    Row(f"DELETE {_PATH}/", 422, refused(too_short("path.name"))),
    Row(f"PUT {_PATH}//", 422, refused(too_short("path.name"), too_short("path.key"), NULL), body={"value": None}),
    Row(f"GET {_PATH}/%FF/k", 422, refused(not_utf8("path.name"))),
    Row(f"GET {_PATH}/%00/k", 422, refused(bad_value(_NUL, "\0", "path.name"))),
    Row(f"DELETE {_PATH}/{'n' * 1501}", 422, refused(too_long("path.name", 1500))),
    Row(f"GET {_PATH}/<name%>/%FF%2F", 422, refused(not_utf8("path.key"))),
    Row(f"DELETE {_PATH}/<name%>%2Fk", 404, not_found("Asset with name=<name/k!r> not found"), asset_seed={"k": 1}),
    Row(f"DELETE {_PATH}/<name%>?all_map_indices=true", 204, asset_seed={"k": 1}, asset_leaves={}),
    Row(f"GET {_PATH}", 404, NO_ROUTE),
    Row("GET /execution/store/asset", 404, NO_ROUTE),
    Row("GET /execution/store/asset/by-id/value?name=<name>&key=k", 404, NO_ROUTE),
    Row("GET /execution/store/asset/<name%>/k", 404, NO_ROUTE),
    Row(
        "GET /execution/state/asset/by-name/value?name=<name%>&key=k",
        404,
        not_found("Asset with name='by-name' not found"),
    ),
]
