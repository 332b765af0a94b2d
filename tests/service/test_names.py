"""Keys and ids are 1 to so many characters of Unicode, without NUL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemount.errors import InvalidInputError, Problem
from statemount.service.names import check_key, id_problem, is_plain_key, key_problem, text_problem

LOC = ("path", "key")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=512))
def test_a_key_may_be_anything_else(key: str) -> None:
    """Slashes, newlines, spaces and any other character may be in a key."""
    check_key(key)
    assert key_problem(key) is None


@given(st.text(max_size=600))
def test_a_key_that_is_accepted_can_be_stored(key: str) -> None:
    """What passes is 1 to 512 characters that have a form in UTF-8; everything else is refused as input."""
    problem = key_problem(key)
    if problem is not None:
        assert problem.loc == LOC
        with pytest.raises(InvalidInputError):
            check_key(key)
        return
    check_key(key)
    assert 1 <= len(key) <= 512
    assert "\0" not in key
    assert len(key.encode()) <= 2048


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("", Problem("string_too_short", LOC, "String should have at least 1 character", "", {"min_length": 1})),
        (
            "k" * 513,
            Problem(
                "string_too_long", LOC, "String should have at most 512 characters", "k" * 513, {"max_length": 512}
            ),
        ),
        ("a\0", Problem("value_error", LOC, "Value error, must not contain NUL characters", "a\0", {"error": {}})),
        (
            "\ud800",
            Problem(
                "string_unicode", LOC, "Input should be a valid string, unable to parse raw data as a unicode string"
            ),
        ),
    ],
)
def test_what_is_wrong_with_a_key(key: str, problem: Problem) -> None:
    """The problem has pydantic's type and words."""
    assert key_problem(key) == problem
    with pytest.raises(InvalidInputError) as caught:
        check_key(key)
    assert caught.value.problems == (problem,)
    assert str(caught.value) == problem.msg


def test_the_limits() -> None:
    """Keys have 512 characters at most, ids 250, however many bytes that is."""
    assert key_problem("\U0001f600" * 512) is None
    assert id_problem("\U0001f600" * 250, ("path", "dag_id")) is None
    too_long = id_problem("x" * 251, ("path", "dag_id"))
    assert too_long is not None
    assert (too_long.type, too_long.loc) == ("string_too_long", ("path", "dag_id"))
    short = text_problem("ab", ("query", "name"), max_length=9, min_length=3)
    assert short is not None
    assert short.msg == "String should have at least 3 characters"


@given(st.one_of(st.text(max_size=20), st.text("a\0\u00e9", min_size=510, max_size=515)))
def test_plain_keys(key: str) -> None:
    """A key that needs no closer look is one that nothing is wrong with, and any other key of ASCII is refused."""
    if key.isascii():
        assert is_plain_key(key) == (key_problem(key) is None)
    else:
        assert not is_plain_key(key)
