"""Tags and cursors that nobody has given, however long and strange: they match nothing, or are refused."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import quote

import pytest

from statemount.model import MAX_KEY_LENGTH
from statemount.web.cursors import _check_sum, cursor_after
from tests.contract.rows import OWN, USER
from tests.contract.transports import Answer, ask
from tests.contract.world import Place

pytestmark = pytest.mark.anyio

_STATE = "/api/v2/dags/dag/dagRuns/<run>/taskInstances/task"
_BY = "/execution/store/asset/by-"
_KEYS = [
    "/execution/store/ti/<ti>/k",
    "/execution/state/ti/<ti>/k",
    f"{_BY}name/value?name=<name%>&key=k",
    f"{_BY}uri/value?uri=<name-uri%>&key=k",
    "/execution/state/asset/<name%>/k",
    f"{_STATE}/state-store/k",
    f"{_STATE}/states/k",
    "/api/v2/assets/<name-id>/state-store/k",
    "/api/v2/assets/<name-id>/states/k",
]
_SCOPES = [
    "/execution/store/ti/<ti>",
    "/execution/state/ti/<ti>",
    "/execution/state/asset/<name%>",
    f"{_STATE}/state-store",
    "/api/v2/assets/<name-id>/states",
]
_LISTS = [
    "/execution/store/ti/<ti>?list=true",
    f"{_BY}name?name=<name%>&list=true",
    f"{_BY}uri?uri=<name-uri%>&list=true",
    "/execution/state/asset/<name%>?list=true",
    f"{_STATE}/state-store?",
    f"{_STATE}/states?",
    "/api/v2/assets/<name-id>/state-store?",
    "/api/v2/assets/<name-id>/states?",
]
_VALUE = {"value": {"a": 2}}
_BATCH = {"operations": [{"op": "set", "key": "k", "value": 2}]}


def _text_of(count: int) -> str:
    return ", ".join(f'"{number}"' for number in range(1, count + 1))


_MATCHING_NOTHING = {
    "10 kB of letters": f'"{"a" * 10_000}"',
    "10 kB of digits": f'"{"9" * 10_000}"',
    "a thousand": _text_of(1000),
    "a thousand weak ones": ", ".join(f'W/"{number}"' for number in range(1000)),
    "64 bits": '"9223372036854775808"',
    "a sign": '"-1"',
    "a fraction": '"1.0"',
    "a leading zero": '"01"',
    "not ASCII": '"\xff\xe9"',
    "empty": '""',
    "a star in quotes": '"*"',
    "nothing but commas": ", ,,",
}
_MALFORMED = {
    "unquoted": "17",
    "not ASCII and unquoted": "\xff",
    "10 kB unquoted": "9" * 10_000,
    "no end": '"17',
    "no begin": '17"',
    "single quotes": "'17'",
    "weak in small letters": 'w/"17"',
    "weak and unquoted": "W/17",
    "two stars": "*, *",
    "a star among tags": '"17", *',
    "no comma": '"17" "18"',
    "a blank inside": '"1 7"',
    "a control character": '"1\x7f"',
    "a thousand without end": _text_of(1000)[:-1],
}


async def _ask(place: Place, method: str, target: str, body: Any = None, **headers: str) -> Answer:
    token = place.token(OWN if target.startswith("/execution") else USER)
    sent = {"authorization": f"Bearer {token}", "content-type": "application/json", **headers}
    content = None if body is None else json.dumps(body).encode()
    return await ask(place.state, method, place.fill(target), sent, content)


def _writes(target: str) -> list[tuple[str, str, Any]]:
    writes: list[tuple[str, str, Any]] = [("PUT", target, _VALUE), ("DELETE", target, None)]
    return [*writes, ("PATCH", target, _VALUE)] if target.startswith("/api") else writes


_ALL_WRITES = [
    *(write for target in _KEYS for write in _writes(target)),
    *(("DELETE", target, None) for target in _SCOPES),
    *(("POST", target, _BATCH) for target in _SCOPES),
]


@pytest.fixture
async def filled(place: Place) -> Place:
    """Return a place with entries in both of its scopes."""
    for scope in (place.scope, place.asset):
        await place.seed(scope, {"k": {"a": 1}, "k/1": 2, "l": 3})
    return place


async def _entries(place: Place) -> Any:
    return [await place.entries(scope) for scope in (place.scope, place.asset)]


@pytest.mark.parametrize("tag", _MATCHING_NOTHING.values(), ids=_MATCHING_NOTHING)
async def test_tags_that_match_nothing(filled: Place, tag: str) -> None:
    """No write is done on a tag that no revision has, on any route, and no reader is told that nothing is new."""
    known = await _entries(filled)
    for method, target, body in _ALL_WRITES:
        assert (await _ask(filled, method, target, body, **{"if-match": tag})).status == 412, (method, target)
    for target in _KEYS:
        assert (await _ask(filled, "GET", target, **{"if-match": tag})).status == 412
        assert (await _ask(filled, "GET", target, **{"if-none-match": tag})).status == 200
    assert await _entries(filled) == known


@pytest.mark.parametrize("tag", _MALFORMED.values(), ids=_MALFORMED)
async def test_tags_that_are_none(filled: Place, tag: str) -> None:
    """What is no tag is refused on every route, whichever header it stands in, and nothing is changed."""
    known = await _entries(filled)
    for name in ("if-match", "if-none-match"):
        for method, target, body in _ALL_WRITES:
            assert (await _ask(filled, method, target, body, **{name: tag})).status == 400, (method, target)
        for target in _KEYS:
            assert (await _ask(filled, "GET", target, **{name: tag})).status == 400
    assert await _entries(filled) == known


@pytest.mark.parametrize("target", _KEYS)
async def test_the_tag_among_a_thousand(filled: Place, target: str) -> None:
    """The right tag is found among a thousand others; a weak one is enough for a reader, and never for a writer."""
    tag = (await _ask(filled, "GET", target)).headers["etag"]
    many = f"{_text_of(1000)}, {tag}"
    weak = ", ".join(f"W/{one}" for one in many.split(", "))
    assert (await _ask(filled, "GET", target, **{"if-none-match": weak})).status == 304
    assert (await _ask(filled, "DELETE", target, **{"if-none-match": weak})).status == 412
    assert (await _ask(filled, "PUT", target, _VALUE, **{"if-match": weak})).status == 412
    assert (await _ask(filled, "PUT", target, _VALUE, **{"if-match": many})).status == 204


def _forged(key: bytes, prefix: bytes = b"") -> str:
    """Return a cursor with a right check sum, of what is no key."""
    return urlsafe_b64encode(_check_sum(prefix, key) + key).rstrip(b"=").decode()


_GOOD = cursor_after("k", "")
_NO_CURSORS = {
    **{f"the first {count} characters": _GOOD[:count] for count in range(1, len(_GOOD))},
    "of another prefix": cursor_after("k/1", "k/"),
    "padded": f"{_GOOD}=",
    "in the other alphabet": "+/+/" * 4,
    "with a blank": f" {_GOOD}",
    "with a newline": f"{_GOOD}\n",
    "twice": _GOOD * 2,
    "garbage": "AAAA" * 10,
    "10 kB of garbage": "QUJD" * 2500,
    "10 kB of no base64": "!" * 10_000,
    "not ASCII": "\u00e9" * 20,
    "a lone surrogate": "%ED%A0%80",
    "a key with NUL": _forged(b"a\0b"),
    "a key that is no UTF-8": _forged(b"\xff\xfe"),
    "no key": _forged(b""),
    "a key that is too long": _forged(b"k" * (MAX_KEY_LENGTH + 1)),
    "a key of 10 kB": _forged(b"k" * 10_000),
    "a check sum alone": "AAAAAAAA",
}


@pytest.mark.parametrize("cursor", _NO_CURSORS.values(), ids=_NO_CURSORS)
async def test_cursors_that_are_none(filled: Place, cursor: str) -> None:
    """What no list has given is refused by every list, and the answer names the parameter."""
    text = quote(cursor, safe="%")
    for target in _LISTS:
        answer = await _ask(filled, "GET", f"{target}&cursor={text}".replace("?&", "?"))
        assert answer.status == 422, target
        assert [problem["loc"] for problem in json.loads(answer.body)["detail"]] == [["query", "cursor"]]


@pytest.mark.parametrize("target", _LISTS)
async def test_a_cursor_is_good_for_its_prefix_alone(filled: Place, target: str) -> None:
    """A cursor goes on in a list by the same prefix, and in no other, shorter, longer or none."""
    for cursor, prefix in ((cursor_after("k", ""), ""), (cursor_after("k", "k"), "k"), (_forged(b"", b"k/"), "k/")):
        for other in ("", "k", "k/", "K", "l"):
            asked = f"{target}&cursor={cursor}&prefix={quote(other)}".replace("?&", "?")
            assert (await _ask(filled, "GET", asked)).status == (200 if other == prefix else 422)


@pytest.mark.parametrize("target", _LISTS)
async def test_a_cursor_of_another_scope(filled: Place, target: str) -> None:
    """A cursor is a place between keys: in another's list it shows what stands behind it there, and nothing else."""
    for key in ("a", "k", "k/0", "zzz", "\U0001f600" * MAX_KEY_LENGTH):
        answer = await _ask(filled, "GET", f"{target}&cursor={cursor_after(key, '')}".replace("?&", "?"))
        (entries, total) = json.loads(answer.body).values()
        assert [one["key"] for one in entries] == [one for one in ("k", "k/1", "l") if one > key]
        assert total == 3
