"""The directory over HTTP: task instances, runs and assets. Every row has a place of its own."""

from __future__ import annotations

from typing import Any

from tests.contract.rows import (
    FORBIDDEN,
    LEFT_OUT,
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
    no_integer,
    no_object,
    not_utf8,
    problem,
    refused,
    too_great,
    too_long,
    too_short,
    too_small,
    user,
)

_TASK = {"dag_id": "dag", "run_id": "<run>", "task_id": "new"}
_FULL = {**_TASK, "map_index": 3, "try_number": 2, "inlets": ["<inlet>"], "outlets": ["<name-uri>", "<inlet>"]}
_NEW = "<dir>/task-instances/<missing>"
_OWN = {
    "id": "<ti>",
    "dag_id": "dag",
    "run_id": "<run>",
    "task_id": "task",
    "map_index": -1,
    "try_number": 1,
}
_UNKNOWN = detail("Task instance <missing> not found")
_NO_ASSET = detail("Asset with id <unknown-id> not found")


def _with(*permissions: str) -> Token:
    return Token({**USER.changes, "scope": " ".join(permissions)})


def _limited(**claims: Any) -> Token:
    return Token({**USER.changes, **claims})


def _no_uuid(loc: str, given: str) -> dict[str, Any]:
    return {**problem("uuid_parsing", loc, TEXT, given), "ctx": {"error": TEXT}}


def _no_text(loc: str, given: Any) -> dict[str, Any]:
    return problem("string_type", loc, "Input should be a valid string", given)


def _no_reference(loc: str, given: Any) -> dict[str, Any]:
    message = "Input should be the id, the name or the URI of an asset, or an object with one of them"
    return {**problem("asset_reference", loc, message, given), "loc": _loc(loc)}


def _at(loc: str, one: dict[str, Any]) -> dict[str, Any]:
    return {**one, "loc": _loc(loc)}


def _loc(text: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in text.split(".")]


_FIELDS: list[tuple[Any, list[dict[str, Any]]]] = [
    ("", [missing("body")]),
    (NO_BODY, [missing("body")]),
    ("null", [missing("body")]),
    ("[]", [no_object([])]),
    ('"x"', [no_object("x")]),
    ("{}", [missing(f"body.{name}", {}) for name in ("dag_id", "run_id", "task_id")]),
    ({**_TASK, "dag_id": ""}, [too_short("body.dag_id")]),
    ({**_TASK, "dag_id": None}, [_no_text("body.dag_id", None)]),
    ({**_TASK, "run_id": 7}, [_no_text("body.run_id", 7)]),
    ({**_TASK, "task_id": "t" * 251}, [too_long("body.task_id", 250, "t" * 251)]),
    ({**_TASK, "task_id": "a\0"}, [bad_value("must not contain NUL characters", "a\0", "body.task_id")]),
    ({**_TASK, "map_index": -2}, [too_small("body.map_index", -2, -1)]),
    ({**_TASK, "map_index": 2**63}, [too_great("body.map_index", 2**63)]),
    ({**_TASK, "map_index": "x"}, [no_integer("body.map_index", "x")]),
    (
        {**_TASK, "map_index": None},
        [problem("int_type", "body.map_index", "Input should be a valid integer", None)],
    ),
    ({**_TASK, "try_number": -1}, [too_small("body.try_number", -1, 0)]),
    ({**_TASK, "try_number": 2**63}, [too_great("body.try_number", 2**63)]),
    ({**_TASK, "try_number": 1.5}, [problem("int_from_float", "body.try_number", TEXT, 1.5)]),
    ({**_TASK, "x": 1}, [extra("x", 1)]),
    ({**_TASK, "id": "x"}, [_no_uuid("body.id", "x")]),
    (
        {**_TASK, "id": "<other>"},
        [bad_value("it is not the id of the path", "<other>", "body.id")],
    ),
    (
        {**_TASK, "inlets": "<inlet>"},
        [problem("list_type", "body.inlets", "Input should be a valid list", "<inlet>")],
    ),
    ({**_TASK, "inlets": [True]}, [_no_reference("body.inlets.0", True)]),
    (
        {**_TASK, "outlets": ["<name>", None, 1.5]},
        [_no_reference("body.outlets.1", None), _no_reference("body.outlets.2", 1.5)],
    ),
    ({**_TASK, "inlets": [""]}, [_at("body.inlets.0.text", too_short("x"))]),
    ({**_TASK, "inlets": ["n" * 1501]}, [_at("body.inlets.0.text", too_long("x", 1500))]),
    ({**_TASK, "inlets": [0]}, [_at("body.inlets.0.id", too_small("x", 0, 1))]),
    ({**_TASK, "inlets": [2**63]}, [_at("body.inlets.0.id", too_great("x", 2**63))]),
    ({**_TASK, "inlets": [{}]}, [_at("body.inlets.0.object", bad_value("asset_id, name or uri is needed", {}))]),
    ({**_TASK, "inlets": [{"id": 1}]}, [_at("body.inlets.0.object.id", extra("id", 1))]),
    ({**_TASK, "inlets": [{"name": ""}]}, [_at("body.inlets.0.object.name", too_short("x"))]),
    (
        {**_TASK, "inlets": [{"asset_id": "1"}]},
        [_at("body.inlets.0.object.asset_id", problem("int_type", "x", "Input should be a valid integer", "1"))],
    ),
    (
        {**_TASK, "inlets": ["<inlet>"] * 1001},
        [
            problem(
                "too_long",
                "body.inlets",
                "List should have at most 1000 items after validation, not 1001",
                field_type="List",
                max_length=1000,
                actual_length=1001,
            )
        ],
    ),
]

_MISSING_ASSETS: list[tuple[Any, str]] = [
    ("<unknown>", "Asset with name=<unknown!r> not found"),
    ("<gone>", "Asset with name=<gone!r> not found"),
    ({"uri": "<unknown-uri>"}, "Asset with uri=<unknown-uri!r> not found"),
    (2**62, "Asset with id <unknown-id> not found"),
    ({"asset_id": 2**62, "name": "<inlet>"}, "Asset with id <unknown-id> not found"),
    ("NAME", "Asset with name='NAME' not found"),
]

_TASK_INSTANCES = [
    user(f"PUT {_NEW}", 204, body=_TASK),
    user(f"PUT {_NEW}", 204, body=_FULL),
    user(f"PUT {_NEW}", 204, body={**_FULL, "id": "<missing>"}),
    user(f"PUT {_NEW}", 204, body={**_TASK, "map_index": "1", "try_number": 0, "inlets": [], "outlets": []}),
    user(
        f"PUT {_NEW}",
        204,
        body={
            **_TASK,
            "inlets": [{"name": "<inlet>"}, {"uri": "<foreign-uri>"}, {"name": "nope", "uri": "<name-uri>"}],
        },
    ),
    user(f"PUT {_NEW}", 204, body={**_TASK, "task_id": "task"}, seed={"k": 1}, name="a retry keeps the state"),
    user("PUT <dir>/task-instances/<TI>", 204, body={**_TASK, "task_id": "task"}, seed={"k": 1}),
    user("PUT <dir>/task-instances/<ti-hex>", 204, body=_TASK, seed={"k": 1}),
    *[user(f"PUT {_NEW}", 422, refused(*found), body=body) for body, found in _FIELDS],
    *[user(f"PUT {_NEW}", 404, detail(text), body={**_TASK, "outlets": [asset]}) for asset, text in _MISSING_ASSETS],
    user(f"PUT {_NEW}", 422, refused(bad_json("{")), body="{"),
    user(f"PUT {_NEW}", 400, UNREADABLE, body=b"\xff"),
    user(f"PUT {_NEW}", 422, refused(no_object("x")), body="x", sent={"content-type": "text/plain"}),
    user("PUT <dir>/task-instances/x", 422, refused(_no_uuid("path.task_instance_id", "x")), body=_TASK),
    user(
        "PUT <dir>/task-instances/x",
        422,
        refused(_no_uuid("path.task_instance_id", "x"), extra("x", 1)),
        body={**_TASK, "x": 1},
    ),
    user("GET <dir>/task-instances/<ti>", 200, {**_OWN, "inlets": [TEXT], "outlets": [TEXT, TEXT]}),
    user("GET <dir>/task-instances/<TI>", 200, {**_OWN, "inlets": [TEXT], "outlets": [TEXT, TEXT]}),
    user(
        "GET <dir>/task-instances/<other>",
        200,
        {**_OWN, "id": "<other>", "task_id": "other", "inlets": [], "outlets": []},
    ),
    user("HEAD <dir>/task-instances/<ti>", 200),
    user(f"GET {_NEW}", 404, _UNKNOWN),
    user("GET <dir>/task-instances/x", 422, refused(_no_uuid("path.task_instance_id", "x"))),
    user("GET <dir>/task-instances/%FF", 422, TEXT),
    user("DELETE <dir>/task-instances/<ti>", 204, seed={"k": 1}, name="the state stays"),
    user(f"DELETE {_NEW}", 204),
    user("DELETE <dir>/task-instances/x", 422, refused(_no_uuid("path.task_instance_id", "x"))),
    user("POST <dir>/task-instances/<ti>/succeeded", 204, seed={"k": 1}, name="it is not set that a success clears"),
    user("POST <dir>/task-instances/<ti>/succeeded", 204, body="{", seed={"k": 1}),
    user(f"POST {_NEW}/succeeded", 404, _UNKNOWN),
    user("POST <dir>/task-instances/x/succeeded", 422, refused(_no_uuid("path.task_instance_id", "x"))),
]

_LISTED = {**_TASK, "id": "<missing>"}
_BULK = "POST <dir>/task-instances"

_LISTS = [
    user(_BULK, 204, body={"task_instances": []}),
    user(_BULK, 204, body={"task_instances": [_LISTED]}),
    user(_BULK, 204, body={"task_instances": [{**_LISTED, "map_index": index} for index in range(3)]}),
    user(_BULK, 204, body={"task_instances": [_LISTED] * 1000}, name="1,000 of them"),
    user(
        _BULK,
        422,
        refused(
            problem(
                "too_long",
                "body.task_instances",
                "List should have at most 1000 items after validation, not 1001",
                LEFT_OUT,
                field_type="List",
                max_length=1000,
                actual_length=1001,
            )
        ),
        body={"task_instances": [_LISTED] * 1001},
        name="1,001 of them",
    ),
    user(_BULK, 422, refused(missing("body.task_instances", {})), body={}),
    user(_BULK, 422, refused(no_object([_LISTED])), body=[_LISTED]),
    user(_BULK, 422, refused(_at("body.task_instances.0.id", missing("x", _TASK))), body={"task_instances": [_TASK]}),
    user(
        _BULK,
        422,
        refused(
            _at("body.task_instances.1.dag_id", too_short("x")),
            _at("body.task_instances.2.x", extra("x", 1)),
            extra("y", 2),
        ),
        body={"task_instances": [_LISTED, {**_LISTED, "dag_id": ""}, {**_LISTED, "x": 1}], "y": 2},
    ),
    user(
        _BULK,
        404,
        detail("Asset with name=<unknown!r> not found"),
        body={"task_instances": [_LISTED, {**_LISTED, "map_index": 2, "inlets": ["<unknown>"]}]},
    ),
    user(_BULK, 422, refused(missing("body")), body=""),
    user(_BULK, 422, refused(bad_json("[")), body="["),
]

_RUNS = [
    user(
        "DELETE <dir>/runs/dag/<run>",
        204,
        seed={"k": 1, "l": 2},
        leaves={},
        asset_seed={"k": 1},
        mapped_seed={0: {"k": 1}},
        mapped_leaves={},
    ),
    user("DELETE <dir>/runs/dag/nope", 204, seed={"k": 1}),
    user("DELETE <dir>/runs/nope/<run>", 204, seed={"k": 1}),
    user("DELETE <dir>/runs/a%2Fb/c/d", 204, seed={"k": 1}),
    user("DELETE <dir>/runs/dag/", 422, refused(too_short("path.run_id"))),
    user("DELETE <dir>/runs/%FF/r", 422, refused(not_utf8("path.dag_id"))),
    user("DELETE <dir>/runs/dag/%00", 422, refused(bad_value("must not contain NUL characters", "\0", "path.run_id"))),
    user(f"DELETE <dir>/runs/{'d' * 251}/r", 422, refused(too_long("path.dag_id", 250, "d" * 251))),
    user("GET <dir>/runs/dag/<run>", 405, NO_METHOD, answered={"allow": "DELETE"}),
]


def _asset(kind: str = "name", *, active: bool = True, group: str = "asset", uri: str | None = None) -> dict[str, Any]:
    return {"asset_id": TEXT, "name": f"<{kind}>", "uri": uri or f"<{kind}-uri>", "group": group, "active": active}


_NAMED = {"name": "<name>", "uri": "<name-uri>"}

_ASSETS = [
    user("PUT <dir>/assets", 200, _asset(), body=_NAMED, asset_seed={"k": 1}),
    user("PUT <dir>/assets", 200, _asset(group="other"), body={**_NAMED, "group": "other"}),
    user("PUT <dir>/assets", 200, _asset("unknown", uri="<unknown>"), body={"name": "<unknown>"}),
    user("PUT <dir>/assets", 200, _asset("unknown"), body={"name": "<unknown>", "uri": "<unknown-uri>"}),
    user("PUT <dir>/assets", 200, _asset("unknown", uri="<unknown>"), body={"name": "<unknown>", "uri": None}),
    user(
        "PUT <dir>/assets",
        200,
        _asset("gone"),
        body={"name": "<gone>", "uri": "<gone-uri>"},
        name="a new asset with the name of an inactive one",
    ),
    user("PUT <dir>/assets", 409, detail("an active asset has the name <name!r>"), body={"name": "<name>", "uri": "x"}),
    user(
        "PUT <dir>/assets",
        409,
        detail("an active asset has the URI <name-uri!r>"),
        body={"name": "<unknown>", "uri": "<name-uri>"},
    ),
    user("PUT <dir>/assets", 422, refused(missing("body.name", {})), body={}),
    user("PUT <dir>/assets", 422, refused(too_short("body.name")), body={"name": ""}),
    user("PUT <dir>/assets", 422, refused(too_long("body.name", 1500)), body={"name": "n" * 1501}),
    user("PUT <dir>/assets", 422, refused(too_long("body.uri", 1500)), body={"name": "n", "uri": "u" * 1501}),
    user("PUT <dir>/assets", 422, refused(_no_text("body.group", None)), body={"name": "n", "group": None}),
    user(
        "PUT <dir>/assets",
        422,
        refused(bad_value("must not contain NUL characters", "\0", "body.uri")),
        body={"name": "n", "uri": "\0"},
    ),
    user("PUT <dir>/assets", 422, TEXT, body=r'{"name": "\ud800"}'),
    user("PUT <dir>/assets", 422, refused(extra("asset_id", 1)), body={"name": "n", "asset_id": 1}),
    user("PUT <dir>/assets", 422, refused(bad_json("{")), body="{"),
    user("GET <dir>/assets", 200, {"assets": TEXT, "total_entries": TEXT}),
    user("GET <dir>/assets?limit=0", 200, {"assets": [], "total_entries": TEXT}),
    user("GET <dir>/assets?offset=9223372036854775807", 200, {"assets": [], "total_entries": TEXT}),
    user("GET <dir>/assets?limit=1", 200, {"assets": [TEXT], "total_entries": TEXT}),
    user("HEAD <dir>/assets", 200),
    user(
        "GET <dir>/assets?limit=x&offset=-1",
        422,
        refused(no_integer("query.limit", "x"), too_small("query.offset", "-1", 0)),
    ),
    user("DELETE <dir>/assets/<name-id>", 204, asset_seed={"k": 1}, name="the state stays"),
    user("DELETE <dir>/assets/<gone-id>", 204),
    user("DELETE <dir>/assets/<unknown-id>", 404, _NO_ASSET),
    user("DELETE <dir>/assets/0", 404, detail("Asset with id 0 not found")),
    user(f"DELETE <dir>/assets/{'9' * 30}", 404, detail(f"Asset with id {'9' * 30} not found")),
    user("DELETE <dir>/assets/x", 422, refused(no_integer("path.asset_id", "x"))),
    user("POST <dir>/assets/<gone-id>/restore", 200, _asset("gone")),
    user("POST <dir>/assets/<name-id>/restore", 200, _asset(), asset_seed={"k": 1}),
    user("POST <dir>/assets/<unknown-id>/restore", 404, _NO_ASSET),
    user("POST <dir>/assets/x/restore", 422, refused(no_integer("path.asset_id", "x"))),
    user("POST <dir>/assets", 405, NO_METHOD, answered={"allow": "GET, HEAD, PUT"}),
    user("GET <dir>/assets/<name-id>", 405, NO_METHOD, answered={"allow": "DELETE"}),
    user("GET <dir>/assets/<name-id>/restore", 405, NO_METHOD, answered={"allow": "POST"}),
    user("PUT <dir>/task-instances", 405, NO_METHOD, answered={"allow": "POST"}),
    user("POST <dir>/task-instances/<ti>", 405, NO_METHOD, answered={"allow": "DELETE, GET, HEAD, PUT"}),
]

_READ_REQUESTS = ["GET <dir>/task-instances/<ti>", f"GET {_NEW}", "GET <dir>/task-instances/x", "GET <dir>/assets"]
_WRITE_REQUESTS = [
    "PUT <dir>/task-instances/<ti>",
    "PUT <dir>/task-instances/x",
    _BULK,
    "DELETE <dir>/task-instances/<ti>",
    f"DELETE {_NEW}",
    "POST <dir>/task-instances/<ti>/succeeded",
    f"POST {_NEW}/succeeded",
    "DELETE <dir>/runs/dag/<run>",
    "DELETE <dir>/runs/dag/",
    "PUT <dir>/assets",
    "DELETE <dir>/assets/<name-id>",
    "DELETE <dir>/assets/<unknown-id>",
    "DELETE <dir>/assets/x",
    "POST <dir>/assets/<gone-id>/restore",
]
_STATE = ("state:read", "state:write", "state:delete")

_PERMISSIONS = [
    *[
        user(request, 401, NOT_AUTHENTICATED, body="{", token=None, seed={"k": 1})
        for request in [*_READ_REQUESTS, *_WRITE_REQUESTS]
    ],
    *[
        user(request, 403, FORBIDDEN, body="{", token=_with(*_STATE, "directory:write"), seed={"k": 1})
        for request in _READ_REQUESTS
    ],
    *[
        user(request, 403, FORBIDDEN, body="{", token=_with(*_STATE, "directory:read"), seed={"k": 1})
        for request in _WRITE_REQUESTS
    ],
    user("GET <dir>/assets?limit=0", 200, {"assets": [], "total_entries": TEXT}, token=_with("directory:read")),
    user("DELETE <dir>/runs/dag/<run>", 204, token=_with("directory:write"), seed={"k": 1}, leaves={}),
]

_ELSEWHERE = _limited(dags=["other*"])
_HERE = _limited(dags=["d*"])

_LIMITS = [
    *[
        user(request, 403, FORBIDDEN, body=body, token=_ELSEWHERE, seed={"k": 1})
        for request, body in (
            (f"PUT {_NEW}", _TASK),
            (f"PUT {_NEW}", {**_TASK, "inlets": ["<unknown>"]}),
            (_BULK, {"task_instances": [{**_LISTED, "dag_id": "other"}, _LISTED]}),
            ("PUT <dir>/task-instances/<ti>", {**_TASK, "dag_id": "other"}),
            (_BULK, {"task_instances": [{**_LISTED, "dag_id": "other", "id": "<ti>"}]}),
            ("GET <dir>/task-instances/<ti>", ""),
            (f"GET {_NEW}", ""),
            ("DELETE <dir>/task-instances/<ti>", ""),
            (f"DELETE {_NEW}", ""),
            ("POST <dir>/task-instances/<ti>/succeeded", ""),
            (f"POST {_NEW}/succeeded", ""),
            ("DELETE <dir>/runs/dag/<run>", ""),
            ("DELETE <dir>/runs/nope/<run>", ""),
        )
    ],
    user(f"PUT {_NEW}", 204, body=_TASK, token=_HERE),
    user("PUT <dir>/task-instances/<ti>", 204, body=_TASK, token=_HERE),
    user(_BULK, 204, body={"task_instances": [_LISTED]}, token=_HERE),
    user("GET <dir>/task-instances/<other>", 200, TEXT, token=_HERE),
    user("DELETE <dir>/task-instances/<ti>", 204, token=_HERE),
    user(f"GET {_NEW}", 404, _UNKNOWN, token=_limited(dags=["*"])),
    user("DELETE <dir>/runs/dag/<run>", 204, token=_HERE),
    *[
        user(request, 403, FORBIDDEN, body=body, token=_limited(assets=["orders*"]))
        for request, body in (
            ("PUT <dir>/assets", _NAMED),
            ("PUT <dir>/assets", {"name": "ORDERS"}),
            ("GET <dir>/assets", ""),
            ("DELETE <dir>/assets/<name-id>", ""),
            ("DELETE <dir>/assets/<unknown-id>", ""),
            ("POST <dir>/assets/<gone-id>/restore", ""),
            ("POST <dir>/assets/<unknown-id>/restore", ""),
            (f"PUT {_NEW}", {**_TASK, "inlets": ["<inlet>"]}),
            (f"PUT {_NEW}", {**_TASK, "outlets": ["<unknown>"]}),
            (f"PUT {_NEW}", {**_TASK, "outlets": ["orders-that-are-not-there"]}),
            (_BULK, {"task_instances": [_LISTED, {**_LISTED, "outlets": ["<name-uri>"]}]}),
        )
    ],
    user("PUT <dir>/assets", 200, _asset(), body=_NAMED, token=_limited(assets=["asset*"])),
    user("PUT <dir>/assets", 200, _asset(), body=_NAMED, token=_limited(assets=["s3://bucket/*"])),
    user(f"PUT {_NEW}", 204, body={**_TASK, "outlets": ["<name>"]}, token=_limited(assets=["asset*"])),
    user("DELETE <dir>/assets/<name-id>", 204, token=_limited(assets=["asset*"])),
]

ROWS: list[Row] = [*_TASK_INSTANCES, *_LISTS, *_RUNS, *_ASSETS, *_PERMISSIONS, *_LIMITS]
