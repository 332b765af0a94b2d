"""Lists for workers, and lists by prefix, of keys alone and from a cursor on, for everybody."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from statemount.web.cursors import cursor_after
from tests.contract.rows import (
    FORBIDDEN,
    NO_METHOD,
    NO_TOKEN,
    NOT_OWN,
    NOT_REGISTERED,
    OTHER,
    TEXT,
    USER,
    WATCHER,
    Expiring,
    Row,
    Token,
    asset_entry,
    asset_page,
    bad_value,
    detail,
    entry,
    missing,
    no_boolean,
    no_integer,
    not_found,
    not_utf8,
    page,
    refused,
    shared_out,
    too_long,
    too_small,
    user,
)

_KEYS = ["a", "a/1", "a/2", "a/\u00e9", "a0", "b", "\u00e9"]
_SEED = {key: number for number, key in enumerate(_KEYS)}
_SORTED = sorted(_KEYS, key=str.encode)
_WORKERS_ASSETS = {
    "/execution/store/asset/by-name?name=<name%>&": "asset_state_store",
    "/execution/store/asset/by-uri?uri=<name-uri%>&": "asset_state_store",
    "/execution/state/asset/<name%>?": "asset_states",
}


def _named(prefix: str) -> list[str]:
    return [key for key in _SORTED if key.startswith(prefix)]


def _link(query: str, last: str, prefix: str = "") -> dict[str, str | None]:
    """Return the header that leads behind a key.

    Args:
        query: Of the link, without the cursor, whose place is ``<cursor>`` or the end.
    """
    query = query if "<cursor>" in query else f"{query}&<cursor>"
    return {"link": f'<?{query}>; rel="next"'.replace("<cursor>", _after(last, prefix))}


def _after(key: str, prefix: str = "") -> str:
    return f"cursor={cursor_after(key, prefix)}"


_NO_LINK: dict[str, str | None] = {"link": None}


def _everywhere(
    query: str, keys: list[str], total: int, answered: dict[str, Any], *, has_values: bool = True
) -> list[Row]:
    """Return a row for each route with this query.

    Args:
        answered: The ``Link`` of the public routes; those of workers name what asks for the list, too.
    """
    entries, of_assets = [[make(key, _SEED[key]) for key in keys] for make in (entry, asset_entry)]
    shown = [
        [one if has_values else {name: item for name, item in one.items() if name != "value"} for one in some]
        for some in (entries, of_assets)
    ]
    rows = [
        user(f"GET <state>?{query}", 200, page(*shown[0], total=total), seed=_SEED, answered=answered),
        user(f"GET <asset>?{query}", 200, asset_page(*shown[1], total=total), asset_seed=_SEED, answered=answered),
        Row(
            f"GET <task>?list=true&{query}",
            200,
            page(*shown[0], total=total),
            seed=_SEED,
            answered=_with("list=true&", answered),
        ),
    ]
    for target, name in _WORKERS_ASSETS.items():
        begin = target.partition("?")[2]
        rows.append(
            Row(
                f"GET {target}list=true&{query}",
                200,
                {name: _without_writers(shown[1]) if name == "asset_states" else shown[1], "total_entries": total},
                asset_seed=_SEED,
                answered=_with(f"{begin}list=true&", answered),
            )
        )
    return rows


def _with(begin: str, answered: dict[str, Any]) -> dict[str, Any]:
    link = answered["link"]
    return {**answered, "link": link if link is None else link.replace("<?", f"<?{begin}")}


def _without_writers(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: item for name, item in one.items() if name != "last_updated_by"} for one in entries]


def _quoted(text: str) -> str:
    return quote(text, safe="")


_BAD_CURSOR = "no list with this prefix has given this cursor"
_ENTRY = entry("k", 1)

_DAMAGED = [
    "x",
    "====",
    "%00",
    "%C3%A9",
    cursor_after("a", "")[:-1],
    cursor_after("a", "") + "A",
    cursor_after("a/1", "a/"),
    "AAAAAAAA",
    "9" * 5000,
]


_PARTS: list[list[Row]] = [
    # by prefix
    *[
        _everywhere(f"prefix={_quoted(prefix)}", _named(prefix), len(_named(prefix)), _NO_LINK)
        for prefix in ("a", "a/", "a/1", "b", "\u00e9", "z", "A", "a%", "%")
    ],
    _everywhere("prefix=", _SORTED, 7, _NO_LINK),
    _everywhere("prefix=a%2F&limit=2", ["a/1", "a/2"], 3, _link("prefix=a%2F&limit=2", "a/2", "a/")),
    _everywhere("prefix=a%2F&limit=2&offset=2", ["a/\u00e9"], 3, _NO_LINK),
    _everywhere("prefix=a%2F&limit=1&offset=1", ["a/2"], 3, _link("prefix=a%2F&limit=1", "a/2", "a/")),
    _everywhere("prefix=a%2F&limit=0", [], 3, _NO_LINK),
    # keys alone
    _everywhere("keys_only=true", _SORTED, 7, _NO_LINK, has_values=False),
    _everywhere("keys_only=1&limit=1", ["a"], 7, _link("keys_only=1&limit=1", "a"), has_values=False),
    _everywhere("keys_only=no&limit=1", ["a"], 7, _link("keys_only=no&limit=1", "a")),
    # from a cursor on
    _everywhere("cursor=&limit=3", _SORTED[:3], 7, _link("<cursor>&limit=3", _SORTED[2])),
    _everywhere(f"limit=2&{_after('a')}&x=%FF", _SORTED[1:3], 7, _link("limit=2&<cursor>&x=%FF", _SORTED[2])),
    _everywhere(
        f"{_after('a/1', 'a/')}&prefix=a/&limit=1", ["a/2"], 3, _link("<cursor>&prefix=a%2F&limit=1", "a/2", "a/")
    ),
    _everywhere(f"{_after('b')}&limit=3", ["\u00e9"], 7, _NO_LINK),
    _everywhere(f"{_after('a0')}&limit=2", ["b", "\u00e9"], 7, _NO_LINK),
    _everywhere(f"{_after('nobody')}", ["\u00e9"], 7, _NO_LINK),
    _everywhere(f"{_after(chr(0x10FFFF))}", [], 7, _NO_LINK),
    _everywhere(f"{_after('a/1', 'a/')}&prefix=a/&limit=5", ["a/2", "a/\u00e9"], 3, _NO_LINK),
    _everywhere(f"{_after('a')}&limit=0", [], 7, _NO_LINK),
    _everywhere(f"{_after('a')}&offset=0&limit=9", _SORTED[1:], 7, _NO_LINK),
]


ROWS = [
    *shared_out(_PARTS),
    # only who asks for something new is told where the list goes on
    user("GET <state>?limit=1", 200, page(entry("a", 0), total=7), seed=_SEED, answered=_NO_LINK),
    user(
        "GET <asset>?limit=1&offset=2",
        200,
        asset_page(asset_entry("a/2", 2), total=7),
        asset_seed=_SEED,
        answered=_NO_LINK,
    ),
    user(
        "GET <state>?include=revision&limit=1",
        200,
        page({**entry("a", 0), "revision": TEXT}, total=7),
        seed=_SEED,
        answered={"etag": TEXT, **_link("include=revision&limit=1", "a")},
    ),
    Row(
        "GET <task>?list=1&limit=1",
        200,
        page(entry("a", 0), total=7),
        seed=_SEED,
        answered={"etag": None, **_link("list=1&limit=1", "a")},
    ),
    Row(
        "HEAD <task>?list=true&limit=1",
        200,
        seed=_SEED,
        answered={**_link("list=true&limit=1", "a"), "content-type": "application/json"},
    ),
    # revisions
    Row(
        "GET <task>?list=true&include=revision&keys_only=true",
        200,
        page({**{name: item for name, item in _ENTRY.items() if name != "value"}, "revision": TEXT}),
        seed={"k": 1},
        answered={"etag": TEXT, **_NO_LINK},
    ),
    *[
        Row(
            f"GET {target}list=true&include=revision",
            304,
            asset_seed={"k": 1},
            sent={"if-none-match": "*"},
            answered={"etag": TEXT, "content-type": None},
        )
        for target in _WORKERS_ASSETS
    ],
    *[
        Row(
            f"GET {target}list=true&include=revision&cursor=",
            412,
            TEXT,
            asset_seed={"k": 1},
            sent={"if-match": '"1"'},
            answered={"etag": TEXT},
        )
        for target in ("<task>?", *_WORKERS_ASSETS)
    ],
    Row("GET <task>?list=true", 200, page(_ENTRY), seed={"k": 1, "gone": Expiring(1, -1)}, sent={"if-match": '"1"'}),
    # what is wrong
    *shared_out(
        [
            user(f"GET <state>?{query}", 422, refused(found), seed={"k": 1}),
            user(f"GET <asset>?{query}", 422, refused(found), asset_seed={"k": 1}),
            Row(f"GET <task>?list=true&{query}", 422, refused(found), seed={"k": 1}),
            *[
                Row(f"GET {target}list=true&{query}", 422, refused(found), asset_seed={"k": 1})
                for target in _WORKERS_ASSETS
            ],
        ]
        for query, found in [
            *[(f"cursor={text}", bad_value(_BAD_CURSOR, TEXT, "query.cursor")) for text in _DAMAGED[:-2]],
            (f"{_after('a/1')}&prefix=a/", bad_value(_BAD_CURSOR, TEXT, "query.cursor")),
            (f"{_after('a/1', 'a/')}&prefix=a", bad_value(_BAD_CURSOR, TEXT, "query.cursor")),
            (f"cursor={'9' * 5000}", bad_value(_BAD_CURSOR, loc="query.cursor")),
            (
                f"{_after('a')}&offset=1",
                bad_value("a cursor goes on where the last part ended, with no offset", TEXT, "query.cursor"),
            ),
            ("prefix=%00", bad_value("must not contain NUL characters", "\0", "query.prefix")),
            ("prefix=%FF", not_utf8("query.prefix")),
            ("prefix=a%C3", not_utf8("query.prefix")),
            (f"prefix={'k' * 513}", too_long("query.prefix", 512, "k" * 513)),
            ("keys_only=maybe", no_boolean("query.keys_only", "maybe")),
            ("keys_only=", no_boolean("query.keys_only", "")),
            ("limit=x", no_integer("query.limit", "x")),
            ("limit=-1", too_small("query.limit", "-1", 0)),
        ]
    ),
    user("GET <state>?cursor=%FF", 422, refused(bad_value(_BAD_CURSOR, loc="query.cursor"))),
    user("GET <state>?prefix=%FF&cursor=x", 422, refused(not_utf8("query.prefix"))),
    Row(
        "GET /execution/store/asset/by-name?list=true&limit=x",
        422,
        refused(missing("query.name"), no_integer("query.limit", "x")),
    ),
    # who asks for no list gets none
    *[
        Row(f"GET {target}{query}", 405, NO_METHOD, answered={"allow": "POST" if "by-" in target else "DELETE, POST"})
        for target in ("<task>?", *_WORKERS_ASSETS)
        for query in ("", "list", "list=", "list=false", "list=maybe", "list=true&list=0", "LIST=true", "limit=1")
    ],
    Row("PUT <task>?list=true", 405, NO_METHOD, body={"value": 1}, answered={"allow": "DELETE, GET, HEAD, POST"}),
    Row("LIST <task>?list=true", 405, NO_METHOD, answered={"allow": "DELETE, GET, HEAD, POST"}),
    Row("PUT <task>?list=false", 405, NO_METHOD, body={"value": 1}, answered={"allow": "DELETE, POST"}),
    Row(f"PUT {next(iter(_WORKERS_ASSETS))}list=1", 405, NO_METHOD, body="", answered={"allow": "GET, HEAD, POST"}),
    Row("DELETE <task>?list=true", 204, seed={"k": 1}, leaves={}),
    Row("GET <task>/k?list=true", 200, {"value": 1}, seed={"k": 1}),
    user("GET <state>?list=false", 200, page(_ENTRY), seed={"k": 1}),
    # who may
    *[Row(f"GET {target}list=true", 401, NO_TOKEN, token=None) for target in ("<task>?", *_WORKERS_ASSETS)],
    Row("GET <task>?list=true&limit=x", 403, NOT_OWN, token=OTHER, seed={"k": 1}),
    Row("GET <tasks>/<missing>?list=true", 403, NOT_OWN),
    Row(
        "GET <tasks>/<missing>?list=true",
        404,
        not_found("Task instance <missing> not found"),
        token=Token({"sub": "<missing>"}),
    ),
    *[
        Row(f"GET {target}list=true", 403, NOT_REGISTERED, token=OTHER, asset_seed={"k": 1})
        for target in _WORKERS_ASSETS
    ],
    Row(
        f"GET {next(iter(_WORKERS_ASSETS))}list=true",
        200,
        {"asset_state_store": [asset_entry("k", 1)], "total_entries": 1},
        token=WATCHER,
        asset_seed={"k": 1},
    ),
    *[
        Row(f"GET {target.replace('<name', f'<{kind}')}list=true", 404, TEXT, asset_seed={"k": 1})
        for target in _WORKERS_ASSETS
        for kind in ("unknown", "gone")
    ],
    user("GET <state>?cursor=x", 403, FORBIDDEN, token=Token({**USER.changes, "scope": "state:write"})),
    user("GET <assets>/<unknown-id>/<segment>?prefix=a", 404, detail("Asset with id <unknown-id> not found")),
]
