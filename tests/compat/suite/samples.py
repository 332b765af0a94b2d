"""Keys and values that must come back as they went out."""

from __future__ import annotations

from typing import Any


def _nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


VALUES: dict[str, Any] = {
    "true": True,
    "false": False,
    "zero": 0,
    "negative": -7,
    "beyond 53 bits": 2**53 + 1,
    "beyond 64 bits": -(2**64) - 1,
    "4,300 digits": 10**4299,
    "float": 0.1,
    "integral float": 1.0,
    "negative zero": -0.0,
    "largest float": 1.7976931348623157e308,
    "smallest float": 5e-324,
    "empty string": "",
    "string": "job-17",
    "string of a number": "1",
    "unicode": "Grüße, 世界 😀 e\u0301 \u2028",
    "control characters": "\x00\x01\n\r\t\x7f",
    "quotes": "\"'\\/",
    "empty list": [],
    "list": [1, "two", 3.0, None, [True], {}],
    "empty object": {},
    "object": {"a": {"b": [1, {"c": None}]}, "": "empty key", "ä/😀": 1, "\x00": 2},
    "order of keys": {"b": 1, "a": 2, "c": 3},
    "199 levels": _nested(199),  # as deep as the client can read
}

KEYS: dict[str, str] = {
    "plain": "job_id",
    "one character": "k",
    "slash": "a/b/c",
    "leading slash": "/a",
    "trailing slash": "a/",
    "slashes": "a//b",
    "slash alone": "/",
    "dots": "a.b.c",
    "leading dot": ".hidden",
    "three dots": "...",
    "dot segments": "a/../b/./c",
    "leading dot segment": "../a",
    "trailing dot segment": "a/..",
    "space": "a b",
    "spaces around": " a ",
    "unicode": "schlüssel/世界😀",
    "combining": "e\u0301",
    "percent": "100%",
    "looks encoded": "a%2Fb%20c%25",
    "plus": "a+b",
    "delimiters": "a?b#c&d=e;f:g@h,i!j$k'l(m)n*o[p]q{r}s|t\\u^v`w\"x<y>z~",
    "newline": "a\nb",
    "newlines around": "\na\r\n",
    "tab and delete": "\t\x7f",
    "like a route": "clear",
    "like a path": "store/ti/value",
    "512 characters": "k" * 512,
    "512 wide characters": "😀" * 512,
    "512 encoded slashes": "/" * 512,
}
