"""Keys in public paths: spelled as in those of workers."""

from __future__ import annotations

from tests.contract.rows import Row, asset_entry, by_turns, detail, entry, refused, user
from tests.contract.table.keys import RAW_SPELLINGS, REFUSED, SPELLINGS, UNKNOWN

_ALL = [(path, key, False) for path, key in SPELLINGS] + [(path, key, True) for path, key in RAW_SPELLINGS]

_ROWS: list[Row] = [
    *[
        user(f"PUT <state>/{path}", 204, body={"value": 1}, seed={"also": 0}, leaves={key: 1, "also": 0}, needs_raw=raw)
        for path, key, raw in _ALL
    ],
    *[
        user(f"GET <state>/{path}", 200, entry(key, 1), seed={key: 1, "also": 0}, needs_raw=raw)
        for path, key, raw in _ALL
    ],
    *[
        user(f"GET <asset>/{path}", 200, asset_entry(key, 1), asset_seed={key: 1, "also": 0}, needs_raw=raw)
        for path, key, raw in _ALL
    ],
    *[
        user(
            f"DELETE <asset>/{path}",
            204,
            asset_seed={key: 1, "also": 0},
            asset_leaves={"also": 0},
            needs_raw=raw,
        )
        for path, key, raw in _ALL[::3]
    ],
    *[
        user(f"{method} <state>/{path}", 422, refused(found), body={"value": 1}, seed={"k": 1})
        for path, found in REFUSED
        for method in ("GET", "PUT", "PATCH", "DELETE")
    ],
    *[user(f"GET <state>/{path}", 404, detail(f"<label> {text} not found")) for path, text in UNKNOWN],
    *[user(f"GET <asset>/{path}", 404, detail(f"<asset-label> {text} not found")) for path, text in UNKNOWN],
]

ROWS: list[Row] = list(by_turns(_ROWS))
