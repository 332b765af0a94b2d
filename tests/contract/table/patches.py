"""Merge patches (RFC 7396) of one key, and what else a PATCH may be."""

from __future__ import annotations

from typing import Any

from tests.contract.rows import (
    FORBIDDEN,
    NO_TOKEN,
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
    bad_value,
    detail,
    missing,
    no_task_instance,
    not_found,
    problem,
    refused,
    shared_out,
    too_short,
    user,
)

_PATCH = {"content-type": "application/merge-patch+json"}
_ETAG = {"etag": TEXT}
_WORKERS_ASSETS = {
    "/execution/store/asset/by-name/value?name=<name%>&key=k": "Asset state store key",
    "/execution/store/asset/by-uri/value?uri=<name-uri%>&key=k": "Asset state store key",
    "/execution/state/asset/<name%>/k": "Asset state key",
}
_FOR_WORKERS = {"accept-patch": "application/merge-patch+json"}
_FOR_CALLERS = {"accept-patch": "application/json, application/merge-patch+json"}
_UNSUPPORTED = detail("Unsupported Media Type")


def _everywhere(
    status: int,
    worker: Any,
    public: Any,
    seed: dict[str, Any],
    leaves: Any = None,
    *,
    ok: int | None = None,
    **others: Any,
) -> list[Row]:
    """Return a row for each route.

    Args:
        ok: The status on the public API, if it is another one.
    """
    common: dict[str, Any] = {"sent": _PATCH, **others}
    on_task: dict[str, Any] = {"seed": seed, "leaves": leaves}
    on_asset: dict[str, Any] = {"asset_seed": seed, "asset_leaves": leaves}
    return [
        Row("PATCH <task>/k", status, worker, **common, **on_task),
        *[Row(f"PATCH {target}", status, worker, **common, **on_asset) for target in _WORKERS_ASSETS],
        user("PATCH <state>/k", ok or status, public, **common, **on_task),
        user("PATCH <asset>/k", ok or status, public, **common, **on_asset),
    ]


_NOTHING = Row("", 0).answer

_PATCHES: list[tuple[Any, Any, Any]] = [
    ({"a": 1}, {"a": None, "b": {"c": None}}, {"b": {}}),
    ({"a": {"b": [1], "c": 2}}, {"a": {"b": [2], "c": None}}, {"a": {"b": [2]}}),
    ({"a": 1}, {}, {"a": 1}),
    ([1, 2], {"a": 1}, {"a": 1}),
    ("x", {"a": {"b": None}}, {"a": {}}),
    ({"a": 1}, [None], [None]),
    ({"a": 1}, '"text"', "text"),
    ({"a": 1}, 0, 0),
    ({"value": 1}, {"value": 2}, {"value": 2}),
]

_REFUSED: list[tuple[Any, Any]] = [
    (b"", missing("body")),
    ("null", bad_value("value cannot be null", None, "body")),
    ('{"a": NaN}', bad_value(NOT_FINITE, loc="body")),
    ('{"a": "\\udc00"}', bad_value("value contains lone surrogates, which are not valid Unicode", loc="body")),
    ("[" * 300 + "]" * 300, bad_value("value is nested deeper than 255 levels", TEXT, "body")),
    ("[" * 100_000 + "]" * 100_000, bad_value("value is nested deeper than 255 levels", loc="body")),
    ("{", bad_json("{")),
]


ROWS = [
    *shared_out(
        _everywhere(
            204, _NOTHING, None, {"k": before, "l": 1}, {"k": after, "l": 1}, ok=200, body=patch, answered=_ETAG
        )
        for before, patch, after in _PATCHES
    ),
    *shared_out(
        _everywhere(422, refused(found), refused(found), {"k": {"a": 1}}, body=body) for body, found in _REFUSED
    ),
    *_everywhere(400, UNREADABLE, UNREADABLE, {"k": 1}, body=b"\xff"),
    *_everywhere(
        413,
        detail("Content larger than 4194304 bytes"),
        detail("Content larger than 4194304 bytes"),
        {"k": 1},
        body=b" " * (2**22 + 1),
    ),
    # the key must be there
    *[
        row
        for seed in ({"l": 1}, {"k": Expiring(1, -1)})
        for row in [
            Row("PATCH <task>/k", 404, not_found("<label> 'k' not found"), body={}, sent=_PATCH, seed=seed),
            user("PATCH <state>/k", 404, detail("<label> 'k' not found"), body={}, sent=_PATCH, seed=seed),
            user("PATCH <asset>/k", 404, detail("<asset-label> 'k' not found"), body={}, sent=_PATCH, asset_seed=seed),
            *[
                Row(f"PATCH {target}", 404, not_found(f"{label} 'k' not found"), body={}, sent=_PATCH, asset_seed=seed)
                for target, label in _WORKERS_ASSETS.items()
            ],
        ]
    ],
    *[
        Row("PATCH <task>/k", 404, not_found("<label> 'k' not found"), body={}, sent={**_PATCH, name: tag})
        for name in ("if-match", "if-none-match")
        for tag in ("*", '"1"')
    ],
    Row(
        "PATCH <task>/k",
        204,
        body={"b": 2},
        sent=_PATCH,
        seed={"k": Expiring({"a": 1}, 60)},
        leaves={"k": Expiring({"a": 1, "b": 2}, 60)},
    ),
    # conditions
    *shared_out(
        _everywhere(412, TEXT, TEXT, {"k": {"a": 1}}, body={"a": 2}, sent={**_PATCH, **sent}, answered=_ETAG)
        for sent in ({"if-match": '"1"'}, {"if-none-match": "*"}, {"if-match": "*", "if-none-match": "*"})
    ),
    *_everywhere(
        204, _NOTHING, None, {"k": {}}, {"k": {"a": 2}}, ok=200, body={"a": 2}, sent={**_PATCH, "if-match": "*"}
    ),
    # other kinds of patch
    *[
        Row(f"PATCH {target}", 415, _UNSUPPORTED, body=body, sent={"content-type": kind}, answered=_FOR_WORKERS)
        for target in ("<task>/k", "<task>/", *_WORKERS_ASSETS)
        for kind, body in (
            ("application/json", {"value": 1}),
            ("application/json-patch+json", []),
            ("text/plain", "x"),
            ("<none>", "{}"),
            ("application/merge-patch+jsonx", "{}"),
            ("application/x-merge-patch+json", "{}"),
        )
    ],
    *[
        user(f"PATCH {target}/k", 415, _UNSUPPORTED, body=body, sent={"content-type": kind}, answered=_FOR_CALLERS)
        for target in ("<state>", "<asset>")
        for kind, body in (
            ("application/json-patch+json", []),
            ("Application/JSON-Patch+JSON; charset=utf-8", []),
            ("application/vnd.x-patch.v1+json", {"value": 1}),
            ("application/strategic-merge-patch+json", "{"),
        )
    ],
    *[
        user(
            "PATCH <state>/k", 200, None, body={"value": 2}, sent={"content-type": kind}, seed={"k": 1}, leaves={"k": 2}
        )
        for kind in ("application/json", "application/vnd.api+json", "application/json; charset=utf-8")
    ],
    *[
        Row(
            "PATCH <task>/k",
            204,
            body={"a": 1},
            sent={"content-type": kind},
            seed={"k": {}},
            leaves={"k": {"a": 1}},
        )
        for kind in (
            "Application/Merge-Patch+JSON",
            "application/merge-patch+json;charset=utf-8",
            " application/merge-patch+json ; x=1",
        )
    ],
    Row(
        "PATCH <task>/k",
        415,
        {
            "type": "urn:statemount:problem:unsupported-patch",
            "title": "The route takes no patch of this kind",
            "status": 415,
            "detail": "Unsupported Media Type",
        },
        body={"value": 1},
        sent={"accept": "application/problem+json"},
        answered={"content-type": "application/problem+json", **_FOR_WORKERS},
    ),
    # in which order
    Row("PATCH <task>/k", 401, NO_TOKEN, body="{", token=None),
    Row("PATCH <task>/k", 403, NOT_OWN, body="{", token=OTHER),
    Row(
        "PATCH <task>/",
        422,
        refused(too_short("path.key"), bad_value("value cannot be null", None, "body")),
        body="null",
        sent=_PATCH,
    ),
    Row("PATCH <tasks>/<missing>/k", 403, NOT_OWN, body={}, sent=_PATCH),
    *[
        Row(f"PATCH {target}", 403, NOT_REGISTERED, body={}, sent=_PATCH, token=OTHER, asset_seed={"k": {}})
        for target in _WORKERS_ASSETS
    ],
    *[
        user(
            f"PATCH {target}/k",
            403,
            FORBIDDEN,
            body="{",
            sent=sent,
            token=Token({**USER.changes, "scope": "state:read state:delete"}),
        )
        for target in ("<state>", "<asset>")
        for sent in (_PATCH, {"content-type": "application/json-patch+json"})
    ],
    user("PATCH <states>/nope/<segment>/k", 404, no_task_instance("nope"), body="null", sent=_PATCH),
    user("PATCH <states>/nope/<segment>/k", 422, refused(bad_json("{")), body="{", sent=_PATCH),
    user(
        "PATCH <assets>/<unknown-id>/<segment>/k",
        404,
        detail("Asset with id <unknown-id> not found"),
        body={},
        sent=_PATCH,
    ),
    user(
        "PATCH <assets>/x/<segment>/k",
        422,
        refused(problem("int_parsing", "path.asset_id", TEXT, "x"), bad_value("value cannot be null", None, "body")),
        body="null",
        sent=_PATCH,
    ),
    user(
        "PATCH <state>/k?map_index=x",
        422,
        refused(problem("int_parsing", "query.map_index", TEXT, "x"), bad_value(NOT_FINITE, loc="body")),
        body="[NaN]",
        sent=_PATCH,
    ),
    user(
        "PATCH <state>/k",
        422,
        refused(
            bad_value("value exceeds max_value_storage_bytes (65535); its stored form has 65536 bytes", loc="body")
        ),
        body={"b": "x" * 65000},
        sent=_PATCH,
        seed={"k": {"a": "x" * 518}},
    ),
    user(
        "PATCH <state>/k",
        200,
        None,
        body={"a": None, "c": None, "x" * 65535: None, "b": "x" * 65000},
        sent=_PATCH,
        seed={"k": {"a": "x" * 1000}},
        leaves={"k": {"b": "x" * 65000}},
    ),
]
