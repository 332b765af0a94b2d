"""How a case is changed into another one: by its parts, so that most of what comes out is still understood.

Everything is decided by the generator of random numbers that is given, so that a seed says what is done.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from tests.fuzzing.cases import MAX_REQUESTS, Call, read_case, write_case

MutateBytes = Callable[[bytes, random.Random], bytes]

METHODS = (b"GET", b"HEAD", b"PUT", b"PATCH", b"POST", b"DELETE", b"OPTIONS", b"get", b"LIST", b"WATCH", b"")
_KEYS = (b"k", b"k%2F1", b"n", b"t", b"new", b"%F0%9F%98%80", b"%FF", b"%00", b".", b"..", b"a/b//c", b"%0A", b"")
_BY = b"/execution/store/asset/by-"
COLLECTIONS = (
    b"/execution/store/ti/<ti>",
    b"/execution/state/ti/<ti>",
    b"/execution/state/ti/<missing>",
    b"/execution/state/asset/<asset>",
    b"<state>/state-store",
    b"<state>/states",
    b"<state>/state-history",
    b"/api/v2/dags/dag/dagRuns/run/taskInstances/mapped/states",
    b"/api/v2/assets/1/state-store",
    b"/api/v2/assets/2/states",
    b"/api/v2/assets/4/state-history",
    b"/api/v2/assets/99999999999999999999/states",
)
TARGETS = (
    *COLLECTIONS,
    *(b"%s/%s" % (collection, key) for collection in COLLECTIONS for key in _KEYS),
    *(b"%s%s?name=<asset>&key=%s" % (_BY, b"name/value", key) for key in _KEYS),
    *(b"%s%s?uri=s3://<asset>&key=%s" % (_BY, b"uri/value", key) for key in _KEYS),
    _BY + b"name?name=<asset>",
    _BY + b"uri?uri=s3://inlet",
    _BY + b"name/clear?name=<asset>",
    _BY + b"uri/clear?uri=s3://<asset>",
    b"/api/v2/directory/task-instances",
    b"/api/v2/directory/task-instances/<ti>",
    b"/api/v2/directory/task-instances/<missing>",
    b"/api/v2/directory/task-instances/<ti>/succeeded",
    b"/api/v2/directory/runs/dag/run",
    b"/api/v2/directory/assets",
    b"/api/v2/directory/assets/1",
    b"/api/v2/directory/assets/4/restore",
    b"/api/v2/directory/revocations",
    b"/health",
    b"/ready",
)
_NUMBERS: tuple[bytes, ...] = (
    b"0", b"-1", b"1", b"2", b"100", b"1e3", b"+1", b" 1", b"1.0", b"0x1", b"1_0", b"%D9%A1", b"<long:19>",
    b"9223372036854775807", b"9223372036854775808", b"<long:4301>", b"<rev:k>", b"<arev:k>", b"nan", b"inf",
)  # fmt: skip
_BOOLEANS = (b"true", b"false", b"1", b"0", b"yes", b"off", b"True", b"t", b"")
_TIMES: tuple[bytes, ...] = (
    b"2026-11-20T12:00:00Z", b"2026-11-20", b"0001-01-01T00:00:00%2B23:59",
    b"9999-12-31T23:59:59.9999999-23:59", b"1795176000", b"-62135596800", b"1e18", b"default",
    b"0000-00-00T00:00:00Z", b"2026-11-20T12:00:60Z",
)  # fmt: skip
PARAMETERS = {
    b"map_index": _NUMBERS,
    b"limit": _NUMBERS,
    b"offset": _NUMBERS,
    b"before": _NUMBERS,
    b"revision": _NUMBERS,
    b"last_event_id": _NUMBERS,
    b"all_map_indices": _BOOLEANS,
    b"list": _BOOLEANS,
    b"keys_only": _BOOLEANS,
    b"purge": _BOOLEANS,
    b"include": (b"revision", b"x", b""),
    b"prefix": (b"k", b"", b"%FF", b"%00", b"k/", b"<long:513>"),
    b"cursor": (b"<cursor:k|k>", b"<cursor:|k>", b"<cursor:k|>", b"<cursor:x|k>", b"", b"AAAA", b"====", b"<long:999>"),
    b"at": _TIMES,
    b"key": _KEYS,
    b"name": (b"<asset>", b"inlet", b"foreign", b"gone", b"none", b"", b"%FF"),
    b"uri": (b"s3://<asset>", b"s3://gone", b"", b"%00"),
}
_TAGS = (
    b'"<rev:k>"',
    b'W/"<rev:k>"',
    b"*",
    b'"0"',
    b'"<arev:n>", "1"',
    b"<rev:k>",
    b'"<long:10000>"',
    b'"\xff"',
    b'"a',
    b",,",
)
HEADERS = {
    b"authorization": (
        b"Bearer <own>",
        b"Bearer <user>",
        b"Bearer <other>",
        b"Bearer <watcher>",
        b"Bearer <reader>",
        b"Bearer <limited>",
        b"Bearer <own>x",
        b"Basic YTpi",
        b"Bearer",
        b'Bearer <claims:{"exp": 1795176010}>',
        b'Bearer <claims:{"aud": "apache-airflow", "scope": "state:write", "dags": "d*", "assets": [1, null]}>',
        b'Bearer <claims:{"sub": null, "nbf": "x", "iat": 1e99}>',
        b'Bearer <claims:{"scope": "workload", "inlets": ["inlet"], "outlets": {}, "try_number": 1.5}>',
        b"Bearer <jwt:[1]>",
        b'Bearer <jws:{"alg": "ES256", "kid": "a"}|{}>',
        b'Bearer <jws:{"alg": "RS256", "jwk": {}, "crit": ["b64"]}|{"sub": "a"}>',
        b'Bearer <jws:{"alg": "none"}|{"aud": "apache-airflow", "sub": "ann", "scope": "", "exp": 1795176600}>',
        b'Bearer <jwt:{"aud": "apache-airflow", "sub": "\\ud800", "scope": "", "exp": 1795176600, "exp": 1e18}>',
        b"Bearer e30.e30.e30",
    ),
    b"content-type": (
        b"application/json",
        b"application/merge-patch+json",
        b"APPLICATION/JSON ; charset=utf-8",
        b"application/x+json",
        b"text/plain",
        b"application/json/json",
        b"\xff",
        b"",
    ),
    b"content-length": (b"0", b"5", b"4194305", b"<long:30>", b"-1", b"\xb2", b"1, 1", b""),
    b"accept": (
        b"application/problem+json",
        b"text/event-stream",
        b"*/*",
        b"text/event-stream;q=0.0",
        b"application/json, application/problem+json;q=0",
        b";;,",
    ),
    b"if-match": _TAGS,
    b"if-none-match": _TAGS,
    b"last-event-id": (*_NUMBERS, b"", b"\xff"),
    b"correlation-id": (b"abc", b"\xff", b"a\tb", b"<long:300>", b""),
    b"airflow-api-version": (b"2026-06-30", b"1", b"\xff"),
    b"traceparent": (b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", b"x"),
    b"x-forwarded-for": (b"\xff", b"1.1.1.1"),
    b"origin": (b"null", b"http://\xff"),
    b"@chunk": (b"1", b"3", b"1000"),
    b"@gone": (b"1",),
    b"@no-raw-path": (b"1",),
    b"@root-path": (b"/", b"/execution", b"/x/", b"\xff"),
}
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**53 + 1, 2**63, -(2**63), 10**400, 0.1, -0.0, 1e308, 5e-324),
    *(
        "",
        "k",
        "\0",
        "\N{GRINNING FACE}",
        "x" * 600,
        "2026-11-20T12:00:00Z",
        "default",
        "\ud800",
        "1",
        "true",
        "<long:65533>",
        "<long:65534>",
    ),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59", "2026-11-20T12:00:00", "0000-01-01T00:00:00Z"),
    *(-62135596801, 253402300800, 1e18, 1795176000.5, "-1e9", "\u0661"),
    *([], {}, [[[]]], {"a": None}, {"": 1}, [1, "a", None, {"b": []}]),
)
_NAMES: tuple[str, ...] = (
    "value", "expires_at", "operations", "op", "key", "by", "if_revision", "exists", "revision", "x", "id",
    "dag_id", "run_id", "task_id", "map_index", "try_number", "inlets", "outlets", "task_instances", "name",
    "uri", "group", "task_instance_id", "jti", "asset_id",
)  # fmt: skip
_OPERATIONS = ("get", "set", "delete", "check", "merge", "increment", "max", "min", "clear")
_LITERALS: tuple[bytes, ...] = (
    b"NaN", b"Infinity", b"1e400", b"-1e999", b'"\\ud800"', b'"\\u0000"', b"\xff", b"<deep:300>",
    b"<long:4301>", b"<deep:254>", b"<deep:9000>", b"<long:4300>", b'"\xed\xa0\x80"', b"\xef\xbb\xbf", b"-",
    b"1.", b"01", b'{"a":1,"a":2}', b"\\", b'"', b"null",
)  # fmt: skip
TOKENS: tuple[bytes, ...] = (*METHODS, *HEADERS, *PARAMETERS, *_LITERALS, *(name.encode() for name in _NAMES))


def mutate(data: bytes, generator: random.Random, mutate_bytes: MutateBytes) -> bytes:
    """Return another case.

    Args:
        mutate_bytes: Changes a part of which nothing is known.
    """
    if generator.random() < 0.08:
        return mutate_bytes(data, generator)
    calls = read_case(data)
    for _ in range(generator.choice((1, 1, 2, 3))):
        if generator.random() < 0.1:
            _change_calls(calls, generator)
        else:
            _change_call(generator.choice(calls), generator, mutate_bytes)
    return write_case(calls)


def cross(one: bytes, other: bytes, generator: random.Random) -> bytes:
    """Return a case with requests, or parts of requests, of two."""
    calls, others = read_case(one), read_case(other)
    call, donor = generator.choice(calls), generator.choice(others)
    kind = generator.randrange(5)
    if kind == 0:
        calls = [*calls[: generator.randint(0, len(calls))], *others[generator.randrange(len(others)) :]]
        calls = calls[:MAX_REQUESTS]
    elif kind == 1:
        call.body = donor.body
    elif kind == 2:
        call.target, call.method = donor.target, donor.method
    elif kind == 3:
        call.headers = [*call.headers, *donor.headers[: generator.randint(0, 3)]]
    else:
        call.target = call.target.partition(b"?")[0] + b"?" + donor.target.partition(b"?")[2]
    return write_case(calls)


def mutate_plainly(data: bytes, generator: random.Random) -> bytes:
    """Change some bytes: what a fuzzer's own mutator does better."""
    changed = bytearray(data)
    for _ in range(generator.choice((1, 1, 2, 4))):
        begin = generator.randint(0, len(changed))
        end = min(begin + generator.choice((0, 1, 1, 2, 8)), len(changed))
        kind = generator.randrange(4)
        if kind == 0:
            changed[begin:end] = bytes(generator.randrange(256) for _ in range(generator.randint(0, 3)))
        elif kind == 1:
            changed[begin:begin] = generator.choice(TOKENS)
        elif kind == 2:
            changed[begin:begin] = changed[begin:end] * generator.choice((1, 2, 50))
        else:
            del changed[begin:end]
    return bytes(changed)


def _change_calls(calls: list[Call], generator: random.Random) -> None:
    kind, place = generator.randrange(3), generator.randrange(len(calls))
    if kind == 0 and len(calls) < MAX_REQUESTS:
        copied = calls[place]
        calls.insert(place, Call(copied.method, copied.target, [*copied.headers], copied.body))
    elif kind == 1 and len(calls) > 1:
        del calls[place]
    else:
        generator.shuffle(calls)


def _change_call(call: Call, generator: random.Random, mutate_bytes: MutateBytes) -> None:
    kind = generator.randrange(20)
    if kind == 0:
        call.method = generator.choice(METHODS)
    elif kind <= 2:
        _retarget(call, generator)
    elif kind == 3:
        call.target = mutate_bytes(call.target, generator)
    elif kind <= 6:
        _change_query(call, generator, mutate_bytes)
    elif kind <= 11:
        _change_headers(call.headers, generator, mutate_bytes)
    elif kind == 12:
        call.body = mutate_bytes(call.body, generator)
    elif kind == 13:
        place = generator.randint(0, len(call.body))
        call.body = call.body[:place] + generator.choice(_LITERALS) + call.body[place:]
    else:
        _change_json(call, generator)


def _retarget(call: Call, generator: random.Random) -> None:
    """Ask for something else, with a token that is good for it."""
    call.target = generator.choice(TARGETS)
    token = b"Bearer <user>" if call.target.startswith((b"<state>", b"/api")) else b"Bearer <own>"
    call.headers = [header for header in call.headers if header[0] != b"authorization"]
    call.headers.insert(0, (b"authorization", token))


def _change_query(call: Call, generator: random.Random, mutate_bytes: MutateBytes) -> None:
    path, _, query = call.target.partition(b"?")
    parts = query.split(b"&") if query else []
    kind = generator.randrange(5)
    if kind == 0 and parts:
        parts.pop(generator.randrange(len(parts)))
    elif kind == 1 and parts:
        parts.append(generator.choice(parts))
    elif kind == 2 and parts:
        place = generator.randrange(len(parts))
        parts[place] = mutate_bytes(parts[place], generator)
    else:
        name = generator.choice(list(PARAMETERS))
        parts.insert(generator.randint(0, len(parts)), b"%s=%s" % (name, generator.choice(PARAMETERS[name])))
    call.target = path + (b"?" + b"&".join(parts) if parts else b"")


def _change_headers(headers: list[tuple[bytes, bytes]], generator: random.Random, mutate_bytes: MutateBytes) -> None:
    kind = generator.randrange(6)
    place = generator.randrange(len(headers)) if headers else 0
    if kind == 0 and headers:
        del headers[place]
    elif kind == 1 and headers:
        headers.insert(generator.randint(0, len(headers)), headers[place])
    elif kind == 2 and headers:
        name, value = headers[place]
        headers[place] = name, mutate_bytes(value, generator).replace(b"\n", b" ")
    elif kind == 3 and headers:
        name, _ = headers[place]
        headers[place] = name, generator.choice(HEADERS.get(name, (b"x",)))
    else:
        name = generator.choice(list(HEADERS))
        headers.insert(generator.randint(0, len(headers)), (name, generator.choice(HEADERS[name])))


def _change_json(call: Call, generator: random.Random) -> None:
    """Change a part of the body's JSON; where there is none, write some."""
    try:
        value = json.loads(call.body)
        nodes = list(_nodes(value))
    except (ValueError, RecursionError):
        call.body = _dumped({"value": generator.choice(VALUES)})
        return
    holder, place = generator.choice(nodes) if nodes else (None, None)
    kind = generator.randrange(6)
    if holder is None:
        value = generator.choice(({"value": value}, {"operations": [value]}, generator.choice(VALUES)))
    elif kind == 0:
        del holder[place]
    elif kind == 1:
        holder[place] = generator.choice(([holder[place]], {"value": holder[place]}, [holder[place]] * 3))
    elif kind == 2 and isinstance(holder, dict):
        holder[generator.choice(_NAMES)] = generator.choice(VALUES)
    elif kind == 3 and isinstance(holder, list):
        holder.append(generator.choice(holder))
    elif kind == 4:
        holder[place] = generator.choice(_OPERATIONS)
    else:
        holder[place] = generator.choice(VALUES)
    call.body = _dumped(value)


def _dumped(value: Any) -> bytes:
    try:
        return json.dumps(value).encode()
    except (RecursionError, ValueError):  # too deep, or an integer that is too long
        return b"[" * 300


def _nodes(value: Any) -> Sequence[tuple[Any, Any]]:
    """Return every holder of a part of a value, with the part's place in it."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        places = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        found += [(holder, place) for place in places]
        waiting += [holder[place] for place in places]
    return found
