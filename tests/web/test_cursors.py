"""Cursors: places in a list that come back as they were, and nothing else does."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemount.model import MAX_KEY_LENGTH
from statemount.web.cursors import cursor_after, key_of

KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=MAX_KEY_LENGTH)
PREFIXES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)


@given(PREFIXES, KEYS)
def test_a_cursor_stands_behind_its_key(prefix: str, rest: str) -> None:
    """A cursor is read back as the key that it stands behind, and needs no escape in a URL."""
    key = (prefix + rest)[:MAX_KEY_LENGTH]
    cursor = cursor_after(key, prefix)
    assert key_of(cursor, prefix) == key
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)


@given(PREFIXES, KEYS, st.integers(0), st.characters())
def test_a_damaged_cursor_is_none(prefix: str, rest: str, place: int, character: str) -> None:
    """A cursor that lacks something, has something more or something else, or is of another prefix is refused."""
    key = (prefix + rest)[:MAX_KEY_LENGTH]
    cursor = cursor_after(key, prefix)
    place %= len(cursor)
    for changed in (
        cursor[:place],
        cursor[:place] + cursor[place + 1 :],
        cursor[:place] + character + cursor[place:],
        cursor[:place] + character + cursor[place + 1 :],
        f"{cursor}=",
        f" {cursor}",
    ):
        if changed == cursor:
            continue
        with pytest.raises(ValueError, match="has given this cursor"):
            key_of(changed, prefix)
    for other in {"", "x", f"{prefix}x", prefix[:-1]} - {prefix}:
        with pytest.raises(ValueError, match="has given this cursor"):
            key_of(cursor, other)


@given(st.text() | st.text(st.sampled_from("AZaz09-_=")), PREFIXES)
def test_any_text(text: str, prefix: str) -> None:
    """Any other text is refused, and no other error is raised."""
    with pytest.raises(ValueError, match="has given this cursor"):
        key_of(text, prefix)
