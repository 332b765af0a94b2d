"""How long a value may be depends on who writes it; when it ends, on what was asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemount.errors import ConfigurationError, InvalidInputError, Problem, TooLargeError
from statemount.service.expiry import DEFAULT, Retention
from statemount.service.limits import ValueLimits
from tests.clock import SECOND, START


def text_of_length(length: int) -> str:
    """Return a value whose stored text has this length."""
    return "x" * (length - 2)


@given(st.integers(2, 60))
def test_the_limit_of_the_public_api(length: int) -> None:
    """The public API refuses what is longer than its limit, a worker is stopped by the body limit alone."""
    limits = ValueLimits(max_value_bytes=20, max_body_bytes=40)
    value = text_of_length(length)
    if length <= 20:
        assert limits.text_of(value, is_public=True) == f'"{value}"'
    else:
        with pytest.raises(InvalidInputError):
            limits.text_of(value, is_public=True)
    if length <= 40:
        assert limits.text_of(value, is_public=False) == f'"{value}"'
    else:
        with pytest.raises(TooLargeError, match="^larger than 40 bytes$") as caught:
            limits.text_of(value, is_public=False)
        assert caught.value.limit == 40


def test_without_a_limit_of_its_own() -> None:
    """With zero the public API too is stopped by the body limit alone."""
    limits = ValueLimits(max_value_bytes=0, max_body_bytes=40)
    assert limits.text_of(text_of_length(40), is_public=True)
    with pytest.raises(TooLargeError):
        limits.text_of(text_of_length(41), is_public=True)


def test_the_stored_text_is_what_counts() -> None:
    """A character that is escaped counts as it is stored."""
    limits = ValueLimits(max_value_bytes=8, max_body_bytes=8)
    assert limits.text_of("\u00e9", is_public=True) == '"\\u00e9"'
    for is_public in (True, False):
        with pytest.raises((InvalidInputError, TooLargeError)):
            limits.text_of("\U0001f600", is_public=is_public)


def test_the_words_of_a_refusal() -> None:
    """Both refusals name the value, in pydantic's form."""
    limits = ValueLimits(max_value_bytes=5, max_body_bytes=10)
    with pytest.raises(InvalidInputError) as caught:
        limits.text_of("xxxx", is_public=True)
    message = "Value error, value exceeds max_value_storage_bytes (5); its stored form has 6 bytes"
    assert caught.value.problems == (Problem("value_error", ("body", "value"), message, "xxxx", {"error": {}}),)
    with pytest.raises(InvalidInputError) as caught:
        limits.text_of(None, is_public=False)
    null = Problem("value_error", ("body", "value"), "Value error, value cannot be null", None, {"error": {}})
    assert caught.value.problems == (null,)


@pytest.mark.parametrize(
    ("expiry", "resolved"),
    [
        (None, None),
        (START - SECOND, START - SECOND),
        (0, 0),
        (DEFAULT, START + 30 * SECOND),
    ],
)
def test_when_an_entry_ends(expiry: int | None, resolved: int | None) -> None:
    """A time stands as it is, also in the past; the default is now plus the retention; None is never."""
    assert Retention(timedelta(seconds=30)).resolve(expiry, START) == resolved


def test_a_retention_of_zero_is_for_ever() -> None:
    """Zero keeps what asks for the default for ever; less than zero is refused."""
    assert Retention(timedelta(0)).resolve(DEFAULT, START) is None
    assert Retention(timedelta(microseconds=1)).resolve(DEFAULT, START) == START + 1
    with pytest.raises(ConfigurationError, match="^the default retention must not be negative, but is -1 day"):
        Retention(timedelta(days=-1))
