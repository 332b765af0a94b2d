"""Lists in parts: ``limit`` and ``offset``, of a task instance's entries and of an asset's."""

from __future__ import annotations

from typing import Any

from tests.contract.rows import (
    Row,
    asset_entry,
    asset_page,
    entry,
    no_integer,
    not_utf8,
    page,
    problem,
    refused,
    too_great,
    too_small,
    user,
)

_FEW = {f"k{number}": number for number in range(5)}
_MANY = {f"k{number:03}": number for number in range(120)}
_NINES = "9" * 4301

_WINDOWS: list[tuple[str, int, int]] = [
    ("", 0, 50),
    ("limit=1", 0, 1),
    ("limit=2&offset=1", 1, 2),
    ("offset=2&limit=2", 2, 2),
    ("offset=4", 4, 50),
    ("offset=5", 5, 50),
    ("offset=100", 100, 50),
    ("limit=0", 0, 0),
    ("limit=0&offset=3", 3, 0),
    ("limit=5", 0, 5),
    ("limit=6", 0, 6),
    ("limit=1000", 0, 100),
    ("limit=99999999999999999999999999", 0, 100),
    (f"limit={'9' * 4300}", 0, 100),
    ("limit=1.0", 0, 1),
    ("limit=%2B2", 0, 2),
    ("limit=+2", 0, 2),
    ("limit=%202", 0, 2),
    ("limit=2%20", 0, 2),
    ("limit=01", 0, 1),
    ("limit=1_0", 0, 10),
    ("limit=-0", 0, 0),
    ("limit=1&limit=2", 0, 2),
    ("limit=x&limit=2", 0, 2),
    ("offset=1.0", 1, 50),
    ("offset=%2B1", 1, 50),
    ("offset=1&offset=3", 3, 50),
    ("offset=9223372036854775807", 2**63 - 1, 50),
    ("limit=2&offset=9223372036854775807", 2**63 - 1, 2),
    ("Limit=1", 0, 50),
    ("limit=3&page=2&after=x", 0, 3),
]

_REFUSED: list[tuple[str, list[dict[str, Any]]]] = [
    *[
        (f"limit={text}", [no_integer("query.limit", given)])
        for text, given in (
            ("", ""),
            ("abc", "abc"),
            ("1.5", "1.5"),
            ("1.", "1."),
            ("1e1", "1e1"),
            ("true", "true"),
            ("null", "null"),
            ("--1", "--1"),
            ("%D9%A3", "٣"),
            ("0x10", "0x10"),
            ("1%002", "1\x002"),
            ("2&limit=", ""),
        )
    ],
    ("limit=-1", [too_small("query.limit", "-1", 0)]),
    ("limit=-99999999999999999999", [too_small("query.limit", "-99999999999999999999", 0)]),
    ("offset=-1", [too_small("query.offset", "-1", 0)]),
    ("offset=abc", [no_integer("query.offset", "abc")]),
    ("offset=", [no_integer("query.offset", "")]),
    ("offset=1.5", [no_integer("query.offset", "1.5")]),
    ("offset=9223372036854775808", [too_great("query.offset", "9223372036854775808")]),
    ("offset=99999999999999999999", [too_great("query.offset", "99999999999999999999")]),
    ("limit=-1&offset=-1", [too_small("query.limit", "-1", 0), too_small("query.offset", "-1", 0)]),
    ("offset=y&limit=x", [no_integer("query.limit", "x"), no_integer("query.offset", "y")]),
]


def _too_many_digits(loc: str) -> dict[str, Any]:
    return problem("int_parsing_size", loc, "Unable to parse input string as an integer, exceeded maximum size")


def _part(given: dict[str, int], begin: int, count: int) -> list[tuple[str, int]]:
    return sorted(given.items())[begin : begin + count]


ROWS: list[Row] = [
    *[
        user(f"GET <state>?{query}", 200, page(*[entry(*one) for one in _part(_FEW, begin, count)], total=5), seed=_FEW)
        for query, begin, count in _WINDOWS
    ],
    *[
        user(
            f"GET <asset>?{query}",
            200,
            asset_page(*[asset_entry(*one) for one in _part(_FEW, begin, count)], total=5),
            asset_seed=_FEW,
        )
        for query, begin, count in _WINDOWS
    ],
    *[user(f"GET <state>?{query}", 422, refused(*found), seed={"k": 1}) for query, found in _REFUSED],
    *[user(f"GET <asset>?{query}", 422, refused(*found), asset_seed={"k": 1}) for query, found in _REFUSED],
    *[
        user(f"GET {path}?{name}={_NINES}", 422, refused(_too_many_digits(f"query.{name}")))
        for path in ("<state>", "<asset>")
        for name in ("limit", "offset")
    ],
    user("GET <state>?limit=%FF", 422, refused(not_utf8("query.limit"))),
    user(
        "GET <state>?map_index=-2&limit=-1&offset=x",
        422,
        refused(
            too_small("query.map_index", "-2", -1),
            too_small("query.limit", "-1", 0),
            no_integer("query.offset", "x"),
        ),
    ),
    *[
        user(
            f"GET <state>?{query}",
            200,
            page(*[entry(*one) for one in _part(_MANY, begin, count)], total=120),
            seed=_MANY,
        )
        for query, begin, count in (("", 0, 50), ("limit=100", 0, 100), ("limit=101", 0, 100), ("offset=90", 90, 50))
    ],
    user("GET <asset>?map_index=-5&all_map_indices=x", 200, asset_page(asset_entry("k", 1)), asset_seed={"k": 1}),
    user(
        "GET <assets>/abc/<segment>?limit=-1",
        422,
        refused(no_integer("path.asset_id", "abc"), too_small("query.limit", "-1", 0)),
    ),
    user("GET <assets>/<unknown-id>/<segment>?limit=-1", 422, refused(too_small("query.limit", "-1", 0))),
    user(
        "GET /api/v2/dags/%FF/dagRuns/r/taskInstances/t/<segment>?limit=-1",
        422,
        refused(not_utf8("path.dag_id"), too_small("query.limit", "-1", 0)),
    ),
]
