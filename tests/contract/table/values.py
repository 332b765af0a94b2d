"""Values: what comes back as it was sent, and what is refused."""

from __future__ import annotations

import json
from typing import Any

from tests.contract.rows import LEFT_OUT, NOT_FINITE, NULL, UNREADABLE, Row, bad_json, bad_value, detail, refused

KEPT: list[tuple[str, Any]] = [
    ("true", True),
    ("false", False),
    ("0", 0),
    ("-0", 0),
    ("-0.0", -0.0),
    ("1.0", 1.0),
    ("1e2", 100.0),
    ("1E-7", 1e-07),
    ("1e22", 1e22),
    ("0.1000000000000000055511151231257827", 0.1),
    ("123456789012345678901234567890.5", 1.2345678901234568e29),
    ("9007199254740993", 9007199254740993),
    ("12345678901234567890123", 12345678901234567890123),
    ("5e-324", 5e-324),
    ("1e-400", 0.0),
    ('""', ""),
    ('"ä"', "ä"),
    (r'"\u00e4"', "ä"),
    (r'"\u0000"', "\0"),
    (r'"a\u0000b"', "a\0b"),
    (r'"\ud83d\ude00"', "😀"),
    ('"😀"', "😀"),
    (r'"\u007f\u2028</script>"', "\x7f\u2028</script>"),
    ('"\x7f"', "\x7f"),
    (r'"\"\\\/\b\f\n\r\t"', '"\\/\b\f\n\r\t'),
    ('"\ufeff"', "\ufeff"),
    ('"\uffff"', "\uffff"),
    ("[]", []),
    ("{}", {}),
    ("[null]", [None]),
    ('{"a": null}', {"a": None}),
    ('{"": 1}', {"": 1}),
    (r'{"\u0000": 1}', {"\0": 1}),
    ('{"b": 1, "a": 2, "b": 3}', {"b": 3, "a": 2}),
    ('{"value": null, "expires_at": "x"}', {"value": None, "expires_at": "x"}),
    ('[1, [2, {"a": [3, "x", 1.5, true, null]}]]', [1, [2, {"a": [3, "x", 1.5, True, None]}]]),
    ('"NaN"', "NaN"),
    ('{"NaN": "Infinity"}', {"NaN": "Infinity"}),
    (r'"\\ud800"', r"\ud800"),
]

LARGE: list[tuple[str, str]] = [
    ("255 levels of arrays", "[" * 255 + "]" * 255),
    ("255 levels of objects", '{"a":' * 254 + "{}" + "}" * 254),
    ("1,000 arrays side by side", "[" + ",".join(["[[]]"] * 1000) + "]"),
    ("4,300 digits", "9" * 4300),
    ("4,300 digits, negative", "-" + "9" * 4300),
    ("4,300 digits below", '{"a": [' + "9" * 4300 + "]}"),
    ("70,000 characters", '"' + "x" * 70_000 + '"'),
    ("1 MiB", '"' + "x" * 2**20 + '"'),
]

NOT_FINITE_TEXTS = ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "[NaN]", '{"a": [1, Infinity]}', "[1e400]"]

SURROGATES = [r'"\ud800"', r'"a\udfffb"', r'{"\ud800": 1}', r'[["\ude00\ud83d"]]']

TOO_DEEP: list[tuple[str, str, Any]] = [
    ("256 levels of arrays", "[" * 256 + "]" * 256, json.loads("[" * 256 + "]" * 256)),
    ("256 levels of objects", '{"a":' * 255 + "{}" + "}" * 255, LEFT_OUT),
    ("a number in 256 levels", "[" * 256 + "1" + "]" * 256, json.loads("[" * 256 + "1" + "]" * 256)),
    ("900 levels", "[" * 900 + "]" * 900, LEFT_OUT),
    ("99,999 levels", "[" * 99_999 + "]" * 99_999, LEFT_OUT),
]

_NO_JSON = [
    "nul",
    "tru",
    "01",
    ".5",
    "+1",
    "1.",
    "0x10",
    "'a'",
    '"a\nb"',
    '"\t"',
    '"\x00"',
    r'"\x"',
    r'"\u12"',
    '"abc',
    "[1,]",
    "[1 2]",
    "{1: 2}",
    "//c",
]


def _set(text: str) -> str:
    return f'{{"value": {text}}}'


ROWS = [
    *[Row("PUT <task>/k", 204, body=_set(text), leaves={"k": value}) for text, value in KEPT],
    *[Row("GET <task>/k", 200, {"value": value}, seed={"k": value}) for _, value in KEPT],
    *[Row("PUT <task>/k", 204, body=_set(text), leaves={"k": json.loads(text)}, name=name) for name, text in LARGE],
    *[
        Row("PUT <task>/k", 422, refused(bad_value(NOT_FINITE)), body=_set(text), seed={"k": "old"})
        for text in NOT_FINITE_TEXTS
    ],
    *[
        Row(
            "PUT <task>/k",
            422,
            refused(bad_value("value contains lone surrogates, which are not valid Unicode")),
            body=_set(text),
            seed={"k": "old"},
        )
        for text in SURROGATES
    ],
    *[
        Row(
            "PUT <task>/k",
            422,
            refused(bad_value("value is nested deeper than 255 levels", given)),
            body=_set(text),
            seed={"k": "old"},
            name=name,
        )
        for name, text, given in TOO_DEEP
    ],
    *[Row("PUT <task>/k", 422, refused(bad_json(_set(text))), body=_set(text), seed={"k": 1}) for text in _NO_JSON],
    Row("PUT <task>/k", 422, refused(NULL), body=_set("null"), seed={"k": "old"}),
    Row("PUT <task>/k", 400, UNREADABLE, body=_set("9" * 4301), seed={"k": 1}, name="4,301 digits"),
    Row("PUT <task>/k", 400, UNREADABLE, body=_set("[-" + "9" * 9999 + "]"), seed={"k": 1}, name="9,999 digits"),
    Row(
        "PUT <task>/k", 422, refused(bad_value(NOT_FINITE)), body=_set("9" * 5000 + ".0"), name="5,000 digits, a float"
    ),
    Row("PUT <task>/k", 400, UNREADABLE, body=b'{"value": "\xff"}', seed={"k": 1}),
    Row("PUT <task>/k", 400, UNREADABLE, body=b'{"value": "\xc0\x80"}', seed={"k": 1}),
    Row("PUT <task>/k", 400, UNREADABLE, body=b'{"value": "\xed\xa0\x80"}', seed={"k": 1}),
    Row("PUT <task>/k", 400, UNREADABLE, body=b'{"value": "\xe9"}', seed={"k": 1}),
    Row("PUT <task>/k", 400, UNREADABLE, body='{"value": 1}'.encode("utf-16"), seed={"k": 1}),
    Row("PUT <task>/k", 400, UNREADABLE, body='{"value": 1}'.encode("utf-32"), seed={"k": 1}),
    Row("PUT <task>/k", 204, body='\ufeff{"value": 1}', leaves={"k": 1}, name="a byte order mark of UTF-8"),
    Row(
        "PUT <task>/k",
        413,
        detail("Content larger than 4194304 bytes"),
        body='{"value": "' + "x" * 4 * 2**20 + '"}',
        seed={"k": 1},
        name="a body above the limit",
    ),
    Row(
        "PUT <task>/k",
        413,
        detail("Content larger than 4194304 bytes"),
        body='{"value": "' + "ä" * 2**20 + '"}',
        seed={"k": 1},
        name="a body within the limit that is stored above it",
    ),
    Row(
        "PUT <task>/k",
        204,
        body='{"value": "' + "x" * (4 * 2**20 - 13) + '"}',
        leaves={"k": "x" * (4 * 2**20 - 13)},
        name="a body as long as the limit",
    ),
]
