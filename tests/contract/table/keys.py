"""Keys: how they are spelled in a path or a query, and which ones are refused."""

from __future__ import annotations

from tests.contract.rows import Row, bad_value, not_found, not_utf8, refused, too_long, too_short

SPELLINGS = [
    ("job_id", "job_id"),
    ("a%2Fb", "a/b"),
    ("a/b", "a/b"),
    ("a%2fb", "a/b"),
    ("a//b", "a//b"),
    ("/a", "/a"),
    ("%2Fa", "/a"),
    ("a/", "a/"),
    ("a%2F", "a/"),
    ("//", "//"),
    ("%2F", "/"),
    ("%20", " "),
    ("a%20b", "a b"),
    ("a%20", "a "),
    ("a+b", "a+b"),
    ("%2B", "+"),
    ("a%0Ab", "a\nb"),
    ("%0A", "\n"),
    ("a%0A", "a\n"),
    ("%0D", "\r"),
    ("%09", "\t"),
    ("%7F", "\x7f"),
    ("%C3%A4", "ä"),
    ("a%CC%88", "a\u0308"),
    ("%E2%80%A8", "\u2028"),
    ("%F0%9F%98%80", "😀"),
    ("%EF%BB%BF", "\ufeff"),
    ("A", "A"),
    ("a;b", "a;b"),
    ("a%3Fb", "a?b"),
    ("a%23b", "a#b"),
    ("a%25b", "a%b"),
    ("%2525", "%25"),
    ("a:b@c", "a:b@c"),
    ("~", "~"),
    ("%7E", "~"),
    ("value", "value"),
    ("clear", "clear"),
    ("by-name/value", "by-name/value"),
    ("%27%22%5C", "'\"\\"),
    ("k" * 512, "k" * 512),
    ("%F0%9F%98%80" * 512, "😀" * 512),
]

RAW_SPELLINGS = [
    ("..", ".."),
    (".", "."),
    ("%2e", "."),
    ("%2E%2E", ".."),
    ("a/../b", "a/../b"),
    ("a/./b", "a/./b"),
    ("../../x", "../../x"),
    ("%zz", "%zz"),
    ("a%", "a%"),
    ("a%2", "a%2"),
    ("%%32", "%2"),
    ("{key}", "{key}"),
    ("a|b^c`", "a|b^c`"),
    ("a\\b", "a\\b"),
    ('"', '"'),
]

REFUSED = [
    ("", too_short("path.key")),
    ("%00", bad_value("must not contain NUL characters", "\0", "path.key")),
    ("a%00b", bad_value("must not contain NUL characters", "a\0b", "path.key")),
    ("%FF", not_utf8("path.key")),
    ("a%C3", not_utf8("path.key")),
    ("%C0%80", not_utf8("path.key")),
    ("%ED%A0%80", not_utf8("path.key")),
    ("%F4%90%80%80", not_utf8("path.key")),
    ("x/%FF/y", not_utf8("path.key")),
    ("k" * 513, too_long("path.key", 512, "k" * 513)),
    ("%C3%A4" * 513, too_long("path.key", 512)),
    ("k" * 5000, too_long("path.key", 512)),
]

UNKNOWN = [
    ("k", "'k'"),
    ("it's", '"it\'s"'),
    ("it's%22", "'it\\'s\"'"),
    ("%C3%A4%F0%9F%98%80", "'ä😀'"),
    ("a%2Fb", "'a/b'"),
    ("a%0Ab", "'a\\nb'"),
    ("%E2%80%A8", "'\\u2028'"),
    ("a%5Cb", "'a\\\\b'"),
]


def _round_trips(path: str, key: str, *, needs_raw: bool) -> list[Row]:
    return [
        Row(
            f"PUT <task>/{path}",
            204,
            body={"value": [1]},
            leaves={key: [1], "also": 0},
            seed={"also": 0},
            needs_raw=needs_raw,
        ),
        Row(f"GET <task>/{path}", 200, {"value": {"a": 1}}, seed={key: {"a": 1}, "also": 0}, needs_raw=needs_raw),
        Row(f"DELETE <task>/{path}", 204, seed={key: 1, "also": 0}, leaves={"also": 0}, needs_raw=needs_raw),
    ]


ROWS = [
    *[row for path, key in SPELLINGS for row in _round_trips(path, key, needs_raw=False)],
    *[row for path, key in RAW_SPELLINGS for row in _round_trips(path, key, needs_raw=True)],
    *[
        Row(f"{method} <task>/{path}", 422, refused(problem), body={"value": 1}, seed={"k": 1})
        for path, problem in REFUSED
        for method in ("PUT", "GET", "DELETE")
    ],
    *[Row(f"GET <task>/{path}", 404, not_found(f"<label> {text} not found")) for path, text in UNKNOWN],
    Row("DELETE <task>/k", 204, seed={"K": 1, "k ": 2}, name="a key that is missing can be deleted"),
    Row("GET <task>/a", 404, not_found("<label> 'a' not found"), seed={"A": 1, "a ": 2, " a": 3, "ä": 4}),
    Row("GET <task>/%C3%A4", 404, not_found("<label> 'ä' not found"), seed={"a\u0308": 1}),
    Row("GET <task>/k?key=other&x=%FF", 200, {"value": 1}, seed={"k": 1, "other": 2}),
    Row("PUT <task>/k?foo=1&value=2&map_index=x", 204, body={"value": 1}, leaves={"k": 1}),
]
