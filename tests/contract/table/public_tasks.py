"""Task state over the public API: what each operation does, and which task instances exist."""

from __future__ import annotations

from typing import Any

from tests.contract.rows import (
    IN_30_DAYS,
    NULL,
    Expiring,
    Row,
    bad_value,
    detail,
    entry,
    extra,
    no_boolean,
    no_integer,
    no_task_instance,
    not_utf8,
    page,
    refused,
    too_great,
    too_long,
    too_short,
    too_small,
    user,
)

_NO_KEY = detail("<label> 'k' not found")
_MAPPED: dict[int, dict[str, Any]] = {0: {"k": "zero", "l": 0}, 1: {"k": "one"}}
_WRITES: list[tuple[str, str, Any]] = [
    ("PUT", "/k", {"value": 1}),
    ("PATCH", "/k", {"value": 1}),
    ("DELETE", "/k", ""),
    ("DELETE", "", ""),
]
_SPELLED: list[tuple[str, int]] = [
    ("-1", -1),
    ("0", 0),
    ("1", 1),
    ("-0", 0),
    ("%2B0", 0),
    ("+1", 1),
    ("01", 1),
    ("1.0", 1),
    ("%201", 1),
    ("1%20", 1),
    ("0&map_index=1", 1),
    ("x&map_index=1", 1),
]
_BAD_INDICES: list[tuple[str, dict[str, Any]]] = [
    *[
        (text, no_integer("query.map_index", given))
        for text, given in (
            ("", ""),
            ("x", "x"),
            ("1.5", "1.5"),
            ("1e0", "1e0"),
            ("true", "true"),
            ("null", "null"),
            ("--1", "--1"),
            ("0x1", "0x1"),
            ("%D9%A3", "٣"),
            ("1,2", "1,2"),
            ("0&map_index=", ""),
        )
    ],
    ("-2", too_small("query.map_index", "-2", -1)),
    ("-99999999999999999999", too_small("query.map_index", "-99999999999999999999", -1)),
    ("9223372036854775808", too_great("query.map_index", "9223372036854775808")),
    ("99999999999999999999", too_great("query.map_index", "99999999999999999999")),
]
_BOOLEANS = [("true", True), ("True", True), ("1", True), ("yes", True), ("ON", True), ("t", True), ("Y", True)]
_BOOLEANS += [("false", False), ("FALSE", False), ("0", False), ("no", False), ("off", False), ("f", False)]
_NO_BOOLEANS = ["", "abc", "2", "null", "1.0", "truee"]

_READS = [
    user("GET <state>", 200, page()),
    user("GET <state>", 200, page(entry("k", {"a": [1, 2.0, "ä"]})), seed={"k": {"a": [1, 2.0, "ä"]}}),
    user(
        "GET <state>",
        200,
        page(entry("A", 1), entry("B", 2), entry("a", 3), entry("a/b", 4), entry("é", 5), entry("😀", 6)),
        seed={"😀": 6, "a/b": 4, "é": 5, "B": 2, "a": 3, "A": 1},
        name="keys come in byte order",
    ),
    user("GET <state>?foo=bar&order_by=x", 200, page(entry("k", 1)), seed={"k": 1}),
    user("GET <state>/k", 200, entry("k", "v"), seed={"k": "v"}),
    user("GET <state>/k", 404, _NO_KEY),
    user("GET <state>/k", 404, _NO_KEY, seed={"K": 1, "k ": 1}),
    user("GET <state>/k?map_index=-1", 200, entry("k", 1), seed={"k": 1}),
    user("GET <state>/k", 200, entry("k", 1), body="{", seed={"k": 1}),
    # Reads do not ask whether the task instance exists.
    user("GET <states>/nope/<segment>", 200, page()),
    user("GET <states>/nope/<segment>/k", 404, _NO_KEY),
    user("GET /api/v2/dags/nope/dagRuns/nope/taskInstances/nope/<segment>", 200, page()),
    user("GET /api/v2/dags/nope/dagRuns/nope/taskInstances/nope/<segment>/k", 404, _NO_KEY),
    user("GET /api/v2/dags/~/dagRuns/~/taskInstances/~/<segment>", 200, page()),
    user("GET <state>?map_index=7", 200, page(), seed={"k": 1}),
    user("GET <state>?map_index=9223372036854775807", 200, page(), seed={"k": 1}),
    user("GET <states-of-mapped>", 200, page(), mapped_seed=_MAPPED),
    user("GET <states-of-mapped>?map_index=0", 200, page(entry("k", "zero"), entry("l", 0)), mapped_seed=_MAPPED),
    user("GET <states-of-mapped>/k?map_index=1", 200, entry("k", "one"), mapped_seed=_MAPPED),
    user("GET <states-of-mapped>/l?map_index=1", 404, detail("<label> 'l' not found"), mapped_seed=_MAPPED),
    user("HEAD <state>", 200, seed={"k": 1}, answered={"content-type": "application/json"}),
    user("HEAD <state>/k", 200, seed={"k": 1}, answered={"content-type": "application/json"}),
    user("HEAD <state>/zz", 404, answered={"content-type": "application/json"}),
    # An entry that has ended is gone for everybody.
    user(
        "GET <state>",
        200,
        page(entry("a", 1, "2026-11-20T12:00:10Z"), entry("c", 3)),
        seed={"a": Expiring(1, 10), "b": Expiring(2, 0), "c": 3, "d": Expiring(4, -5)},
    ),
    user("GET <state>?limit=0", 200, page(total=1), seed={"a": 1, "b": Expiring(2, -1)}),
    user("GET <state>?limit=1&offset=1", 200, page(entry("c", 3), total=2), seed={"a": 1, "b": Expiring(2, 0), "c": 3}),
    user("GET <state>/k", 404, _NO_KEY, seed={"k": Expiring(1, 0)}),
    user("GET <state>/k", 200, entry("k", 1, "2026-11-20T12:00:00.000001Z"), seed={"k": Expiring(1, 0.000001)}),
    user("GET <state>/k", 200, entry("k", 1, "2026-11-20T12:00:00.500000Z"), seed={"k": Expiring(1, 0.5)}),
    user("GET <state>/k", 200, entry("k", 1, "2026-11-21T00:00:00Z"), seed={"k": Expiring(1, 43_200)}),
    user("GET <state>/k", 200, entry("k", 1, "2126-10-27T12:00:00Z"), seed={"k": Expiring(1, 36_500 * 86_400)}),
]

_CHANGES = [
    user("PUT <state>/k", 204, body={"value": 1}, leaves={"k": 1}),
    user("PUT <state>/k", 204, body={"value": [2]}, seed={"k": 1, "l": 1}, leaves={"k": [2], "l": 1}),
    user("PUT <state>/k?map_index=-1", 204, body={"value": 1}, leaves={"k": 1}),
    user("PUT <state>/k?all_map_indices=x", 204, body={"value": 1}, leaves={"k": 1}),
    user("PUT <state>/k", 204, body={"value": 2}, seed={"k": Expiring(1, -5)}, leaves={"k": 2}),
    user("PATCH <state>/k", 200, None, body={"value": 2}, seed={"k": 1, "l": 1}, leaves={"k": 2, "l": 1}),
    user("PATCH <state>/k", 200, None, body={"value": 2}, seed={"k": Expiring(1, 5)}, leaves={"k": Expiring(2, 5)}),
    user("PATCH <state>/k", 404, _NO_KEY, body={"value": 2}, seed={"l": 1}),
    user("PATCH <state>/k", 404, _NO_KEY, body={"value": 2}, seed={"k": Expiring(1, 0)}),
    user("PATCH <state>/k", 422, refused(NULL), body={"value": None}, name="the body comes before a missing key"),
    user("PATCH <state>/k", 422, refused(extra("expires_at", None)), body={"value": 1, "expires_at": None}),
    user("PATCH <state>/k", 422, refused(extra("expires_at", "default")), body={"value": 1, "expires_at": "default"}),
    user("DELETE <state>/k", 204, seed={"k": 1, "l": 1}, leaves={"l": 1}),
    user("DELETE <state>/k", 204, seed={"l": 1}),
    user("DELETE <state>/k", 204, body="{", seed={"k": 1}, leaves={}),
    user("DELETE <state>", 204, seed={"k": 1, "a/b": 2}, leaves={}),
    user("DELETE <state>", 204),
    user("DELETE <state>?map_index=-1", 204, seed={"k": 1}, leaves={}),
    user(
        "PUT <states-of-mapped>/k?map_index=1",
        204,
        body={"value": 9},
        mapped_seed=_MAPPED,
        mapped_leaves={**_MAPPED, 1: {"k": 9}},
    ),
    user(
        "PATCH <states-of-mapped>/k?map_index=0",
        200,
        None,
        body={"value": 9},
        mapped_seed=_MAPPED,
        mapped_leaves={**_MAPPED, 0: {"k": 9, "l": 0}},
    ),
    user("DELETE <states-of-mapped>/k?map_index=0", 204, mapped_seed=_MAPPED, mapped_leaves={**_MAPPED, 0: {"l": 0}}),
    user(
        "DELETE <states-of-mapped>?map_index=0",
        204,
        seed={"k": 1},
        mapped_seed=_MAPPED,
        mapped_leaves={**_MAPPED, 0: {}},
    ),
    user("DELETE <states-of-mapped>?all_map_indices=true", 204, seed={"k": 1}, mapped_seed=_MAPPED, mapped_leaves={}),
    user("DELETE <states-of-mapped>?all_map_indices=true&map_index=99", 204, mapped_seed=_MAPPED, mapped_leaves={}),
    user("DELETE <states-of-mapped>?all_map_indices=true&map_index=0", 204, mapped_seed=_MAPPED, mapped_leaves={}),
    user("DELETE <state>?all_map_indices=true", 204, seed={"k": 1}, leaves={}, mapped_seed=_MAPPED),
    user("DELETE <state>?all_map_indices=false&all_map_indices=1", 204, seed={"k": 1}, leaves={}),
]

_EXISTENCE = [
    *[
        user(
            f"{method} <states>/{task}/<segment>{key}{query}",
            404,
            no_task_instance(task, which),
            body=body,
            mapped_seed=_MAPPED,
        )
        for method, key, body in _WRITES
        for task, query, which in (
            ("nope", "", "map_index=-1"),
            ("task", "?map_index=0", "map_index=0"),
            ("mapped", "", "map_index=-1"),
            ("mapped", "?map_index=2", "map_index=2"),
        )
    ],
    *[
        user(
            f"{method} /api/v2/dags/nope/dagRuns/<run>/taskInstances/task/<segment>{key}",
            404,
            no_task_instance(dag="nope"),
            body=body,
            seed={"k": 1},
        )
        for method, key, body in _WRITES
    ],
    *[
        user(
            f"{method} /api/v2/dags/dag/dagRuns/nope/taskInstances/task/<segment>{key}",
            404,
            no_task_instance(run="nope"),
            body=body,
            seed={"k": 1},
        )
        for method, key, body in _WRITES
    ],
    user(
        "DELETE <states>/nope/<segment>?all_map_indices=true",
        404,
        no_task_instance("nope", "all_map_indices=True"),
        seed={"k": 1},
    ),
    user(
        "DELETE <states>/it's/<segment>",
        404,
        detail("Task instance not found for dag_id='dag', run_id='<run>', task_id=\"it's\", map_index=-1"),
    ),
    user("PUT <states>/%C3%A4%20b/<segment>/k", 404, no_task_instance("ä b"), body={"value": 1}),
    user("PUT <states>/TASK/<segment>/k", 404, no_task_instance("TASK"), body={"value": 1}),
    user("PUT <states>/task%20/<segment>/k", 404, no_task_instance("task "), body={"value": 1}),
    user("PUT <states>/nope/<segment>/k", 404, no_task_instance("nope"), body={"value": None}),
    user("PATCH <states>/nope/<segment>/k", 404, no_task_instance("nope"), body={"value": 1, "x": 1}),
    user(
        "PUT <states>/nope/<segment>/k?map_index=x", 422, refused(no_integer("query.map_index", "x")), body={"value": 1}
    ),
]

_PARAMETERS = [
    *[
        user(
            f"GET <states-of-mapped>/k?map_index={text}",
            404 if index < 0 else 200,
            _NO_KEY if index < 0 else entry("k", _MAPPED[index]["k"]),
            mapped_seed=_MAPPED,
        )
        for text, index in _SPELLED
    ],
    *[user(f"GET <state>?map_index={text}", 422, refused(found), seed={"k": 1}) for text, found in _BAD_INDICES],
    *[
        user(f"{method} <state>{key}?map_index={text}", 422, refused(found), body=body, seed={"k": 1})
        for method, key, body in [("GET", "/k", ""), *_WRITES]
        for text, found in (_BAD_INDICES[1], _BAD_INDICES[-1], _BAD_INDICES[-4])
    ],
    *[
        user(
            f"DELETE <states-of-mapped>?all_map_indices={text}&map_index=1",
            204,
            mapped_seed=_MAPPED,
            mapped_leaves={} if is_all else {0: _MAPPED[0]},
        )
        for text, is_all in _BOOLEANS
    ],
    *[
        user(
            f"DELETE <state>?all_map_indices={text}",
            422,
            refused(no_boolean("query.all_map_indices", text)),
            seed={"k": 1},
        )
        for text in _NO_BOOLEANS
    ],
    user(
        "DELETE <state>?all_map_indices=abc&map_index=abc",
        422,
        refused(no_integer("query.map_index", "abc"), no_boolean("query.all_map_indices", "abc")),
        seed={"k": 1},
    ),
    user(
        "DELETE <state>?all_map_indices=true&map_index=-5",
        422,
        refused(too_small("query.map_index", "-5", -1)),
        seed={"k": 1},
    ),
    user(
        "DELETE <states>/nope/<segment>?all_map_indices=abc", 422, refused(no_boolean("query.all_map_indices", "abc"))
    ),
    *[
        user(f"GET {path}/<segment>", 422, refused(found))
        for path, found in (
            (
                "/api/v2/dags/%00/dagRuns/<run>/taskInstances/task",
                bad_value("must not contain NUL characters", "\0", "path.dag_id"),
            ),
            ("/api/v2/dags/%FF/dagRuns/<run>/taskInstances/task", not_utf8("path.dag_id")),
            (f"/api/v2/dags/{'d' * 251}/dagRuns/<run>/taskInstances/task", too_long("path.dag_id", 250, "d" * 251)),
            (f"/api/v2/dags/dag/dagRuns/{'r' * 251}/taskInstances/task", too_long("path.dag_run_id", 250, "r" * 251)),
            (f"/api/v2/dags/dag/dagRuns/<run>/taskInstances/{'t' * 251}", too_long("path.task_id", 250, "t" * 251)),
            ("/api/v2/dags/dag/dagRuns/%C3/taskInstances/task", not_utf8("path.dag_run_id")),
        )
    ],
    user(f"GET /api/v2/dags/{'d' * 250}/dagRuns/{'r' * 250}/taskInstances/{'%C3%A4' * 250}/<segment>", 200, page()),
    user(
        "GET /api/v2/dags/%00/dagRuns/%FF/taskInstances/t/<segment>/?map_index=x",
        422,
        refused(
            bad_value("must not contain NUL characters", "\0", "path.dag_id"),
            not_utf8("path.dag_run_id"),
            too_short("path.key"),
            no_integer("query.map_index", "x"),
        ),
    ),
]

_TOGETHER = [
    user("PUT <state>/k?map_index=x", 422, refused(no_integer("query.map_index", "x"), NULL), body={"value": None}),
    user(
        "PUT <state>/?map_index=x",
        422,
        refused(too_short("path.key"), no_integer("query.map_index", "x"), NULL, extra("z", 1)),
        body={"value": None, "z": 1},
    ),
    user(
        "PATCH <state>/?map_index=-2",
        422,
        refused(too_short("path.key"), too_small("query.map_index", "-2", -1), extra("expires_at", 1)),
        body={"value": 1, "expires_at": 1},
    ),
    user(
        "PUT <states>/nope/<segment>/k?map_index=x",
        422,
        refused(no_integer("query.map_index", "x"), NULL),
        body={"value": None},
    ),
]

ROWS: list[Row] = [
    *_READS,
    *_CHANGES,
    *_EXISTENCE,
    *_PARAMETERS,
    *_TOGETHER,
    user(
        "GET <state>/k",
        200,
        entry("k", 1, IN_30_DAYS),
        seed={"k": Expiring(1, 30 * 86_400)},
        name="the default expiry is 30 days from now",
    ),
]
