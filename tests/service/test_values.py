"""A value is stored as the text that json.dumps writes, or is refused; nothing in between."""

from __future__ import annotations

import json
import math
import sys
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemount.service.values import (
    MAX_DIGITS,
    MAX_NESTING,
    UnreadableError,
    UnstorableError,
    read_json,
    stored_text,
)
from tests.database.support import run_python

NOT_FINITE = "value contains non-finite numbers; NaN and Inf are not JSON representable"
SURROGATES = "value contains lone surrogates, which are not valid Unicode"
TOO_DEEP = "value is nested deeper than 255 levels"
TOO_LONG = "value contains an integer of more than 4300 digits"
NO_JSON = "value is not JSON representable"

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**700), 10**700),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.text(st.characters(min_codepoint=0x1F300, max_codepoint=0x1FAFF)),
    st.sampled_from(["\0", "\\ud800", '\\"', "\u2028", "[{" * 300, "9" * 5000]),
)
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)), max_leaves=20
)


def nested(levels: int, *, as_objects: bool = False) -> Any:
    """Return a value of so many levels."""
    value: Any = 1
    for _ in range(levels):
        value = {"k": value} if as_objects else [value]
    return value


def refusal(value: Any) -> str:
    """Return why a value is refused."""
    with pytest.raises(UnstorableError) as caught:
        stored_text(value)
    return str(caught.value)


@given(values.filter(lambda value: value is not None))
def test_what_is_accepted_comes_back_equal(value: Any) -> None:
    """The stored text is what json.dumps writes by default: ASCII, and equal when it is read."""
    text = stored_text(value)
    assert text == json.dumps(value)
    assert text.isascii()
    assert json.loads(text) == value


@given(values)
def test_a_body_is_read_as_json_is(value: Any) -> None:
    """A body of any JSON, escaped or in UTF-8, is read as it was meant."""
    for is_ascii in (True, False):
        body = json.dumps({"value": value}, ensure_ascii=is_ascii).encode()
        assert read_json(body) == {"value": value}


@given(st.text(max_size=20), st.sampled_from(["\ud800", "\udfff", "\udc00\ud800"]), st.booleans())
def test_surrogates(text: str, surrogate: str, is_key: bool) -> None:
    """Half a character is refused wherever it stands; a whole one made of two halves is not."""
    broken = text + surrogate + "x"
    assert refusal({broken: 1} if is_key else ["\U0001f600", {"k": [broken]}]) == SURROGATES
    assert json.loads(stored_text([text + "\U0001f600"])) == [text + "\U0001f600"]


def test_halves_that_meet_in_the_body_are_one_character() -> None:
    """An escaped pair is the character that it means, an escaped half is refused."""
    assert stored_text(read_json(b'"\\ud83d\\ude00"')) == '"\\ud83d\\ude00"'
    assert refusal(read_json(b'"\\ude00\\ud83d"')) == SURROGATES


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"])
@pytest.mark.parametrize("around", ["{}", "[{}]", '{{"a": [1, {{"b": {}}}]}}'])
def test_numbers_that_are_none(number: str, around: str) -> None:
    """What is not finite is refused at any depth, however it was written."""
    assert refusal(read_json(around.format(number).encode())) == NOT_FINITE


@given(values, st.sampled_from([math.nan, math.inf, -math.inf]))
def test_numbers_that_are_none_anywhere(value: Any, number: float) -> None:
    """Next to whatever else there is, a number that is not finite is found."""
    assert refusal([value, {"k": [number]}]) == NOT_FINITE
    assert refusal({number: value}) == NOT_FINITE


def test_null() -> None:
    """Nothing at all is refused, null inside of something is not."""
    assert refusal(None) == "value cannot be null"
    assert stored_text([None]) == "[null]"
    assert stored_text({"k": None}) == '{"k": null}'


@pytest.mark.parametrize("value", ["", "null", 0, -0.0, False, [], {}, [[]], 1.0, 1e16, 10**20])
def test_what_is_nearly_nothing_is_something(value: Any) -> None:
    """Empty and zero values are values."""
    assert stored_text(value) == json.dumps(value)


@pytest.mark.parametrize("as_objects", [True, False])
def test_nesting(as_objects: bool) -> None:
    """255 levels are stored and read, 256 are refused, and thousands do no harm."""
    value = nested(MAX_NESTING, as_objects=as_objects)
    assert json.loads(stored_text(value)) == value
    assert read_json(stored_text(value).encode()) == value
    for levels in (MAX_NESTING + 1, 500, 100_000):
        assert refusal(nested(levels, as_objects=as_objects)) == TOO_DEEP
    body = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(UnstorableError, match=TOO_DEEP):
        read_json(body)


def test_wide_is_not_deep() -> None:
    """Many arrays next to each other, and brackets in texts, are no levels."""
    assert stored_text([[]] * 1000) == json.dumps([[]] * 1000)
    assert stored_text(["[" * 1000]) == json.dumps(["[" * 1000])
    assert stored_text([nested(254), nested(254)])
    assert refusal([1, nested(3), [nested(254)]]) == TOO_DEEP


def test_what_holds_itself() -> None:
    """A list or an object in itself is refused, and does not fill the memory first."""
    endless: list[Any] = []
    endless += [endless, endless]
    circle: dict[str, Any] = {}
    circle["k"] = {"l": circle}
    assert refusal(endless) == TOO_DEEP
    assert refusal([circle]) == TOO_DEEP


@pytest.mark.parametrize("sign", [1, -1])
def test_long_integers(sign: int) -> None:
    """4,300 digits are stored, 4,301 are not, whatever stands around them."""
    longest = sign * (10**MAX_DIGITS - 1)
    for value in (longest, [longest], {"k": [1, {"l": longest}]}):
        assert json.loads(stored_text(value)) == value
    for value in (longest + sign, [1, {"k": longest + sign}], sign * 10**5000):
        assert refusal(value) == TOO_LONG
    digits = "9" * MAX_DIGITS
    text = f'{{"value": {"-" if sign < 0 else ""}{digits}}}'
    assert read_json(text.encode()) == {"value": longest}
    with pytest.raises(UnreadableError, match="^an integer has more than 4300 digits$"):
        read_json(text.replace(digits, digits + "9").encode())


def test_digits_that_are_no_integer() -> None:
    """Long texts of digits and long fractions are no long integers."""
    text = "7" * 10_000
    assert read_json(f'"{text}"'.encode()) == text
    assert stored_text([text, {text: 1}]) == json.dumps([text, {text: 1}])
    assert read_json(f"0.{text}".encode()) == pytest.approx(0.7777777777777778)
    assert read_json(b"1" + b"0" * 700) == 10**700


@pytest.mark.parametrize("limit", [640, 5000, 0])
def test_the_interpreters_own_limit_changes_nothing(limit: int) -> None:
    """However many digits the host lets its interpreter convert, the same values are stored, read and refused."""
    code = f"""
import json, sys
from statemount.service.values import UnreadableError, UnstorableError, read_json, stored_text

def expected(value):
    sys.set_int_max_str_digits(0)
    text = json.dumps(value)
    sys.set_int_max_str_digits({limit})
    return text

sys.set_int_max_str_digits({limit})
big, longest = 10**700 + 7, 10**4300 - 1
for value in (
    big, -longest, [big], {{"k": [1, {{"l": -big}}, "x", 1.5, None, True]}}, {{big: big, True: 1, None: 2, 1.5: big}},
    ["\\U0001f600", big], {{"\\U0001f600": longest}}, {{"a": "\\"", "b": "9" * 5000, "c": big}}, (big, (1,)),
):
    assert stored_text(value) == expected(value), value
    if not isinstance(value, (dict, tuple)):
        assert read_json(expected(value).encode()) == value
for value, words in (
    (["\\ud800", big], "surrogates"), ({{"\\ud800": big}}, "surrogates"), ([longest + 1], "digits"),
    ({{"k": [big, -longest - 1]}}, "digits"), ([big, float("nan")], "finite"), ({{float("inf"): big}}, "finite"),
):
    try:
        raise AssertionError(stored_text(value))
    except UnstorableError as error:
        assert words in str(error), error
deep = big
for _ in range(256):
    deep = [deep]
try:
    raise AssertionError(stored_text(deep))
except UnstorableError as error:
    assert "nested" in str(error)
try:
    raise AssertionError(read_json(b"[" + b"9" * 4301 + b"]"))
except UnreadableError as error:
    assert "4300" in str(error)
print("done")
"""
    assert run_python(code) == "done"


@pytest.mark.parametrize(
    "value",
    [
        b"bytes",
        {1, 2},
        object(),
        1j,
        Decimal(1),
        Fraction(1, 2),
        {(1, 2): 3},
        [{"k": range(3)}],
        {"k": b"x"},
        {b"k": 1},
    ],
)
def test_what_is_no_json(value: Any) -> None:
    """Objects that JSON does not know are refused, at any depth and as keys."""
    assert refusal(value) == NO_JSON


def test_what_json_takes_for_something_else() -> None:
    """Tuples are arrays, and keys that are no texts are texts, as json.dumps has it."""
    values: list[dict[Any, Any]] = [{1: (1, 2), 1.5: [], None: "x"}, {True: {}, False: ()}]
    for value in values:
        assert stored_text(value) == json.dumps(value)


@pytest.mark.parametrize("body", [b"", b" ", b"{", b"[1,]", b"{'a': 1}", b"nul", b"\xef\xbb\xbf{}", b"1 2", b'"\n"'])
def test_a_body_that_is_no_json(body: bytes) -> None:
    """Python's own error comes out, with its place in the text."""
    with pytest.raises(json.JSONDecodeError):
        read_json(body)


@pytest.mark.parametrize("body", [b"\xff", b'"\xc3"', b'"\xed\xa0\x80"', '"x"'.encode("utf-16"), b'{"value": "\x80"}'])
def test_a_body_that_is_not_utf8(body: bytes) -> None:
    """What is not UTF-8 is unreadable, and not guessed at."""
    with pytest.raises(UnreadableError, match="^the body is not UTF-8$"):
        read_json(body)


def test_duplicate_keys() -> None:
    """The last of equal keys counts."""
    assert read_json(b'{"a": 1, "a": {"b": 2, "b": 3}}') == {"a": {"b": 3}}


def test_the_limits_are_the_contracts() -> None:
    """4,300 digits and 255 levels."""
    assert (MAX_DIGITS, MAX_NESTING) == (4300, 255)
    assert sys.int_info.str_digits_check_threshold == 640
