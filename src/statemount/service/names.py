"""Which keys, ids, names and URIs are acceptable."""

from __future__ import annotations

from statemount.errors import InvalidInputError, Problem
from statemount.json_values import is_unicode
from statemount.model import MAX_ID_LENGTH, MAX_KEY_LENGTH


def text_problem(text: str, loc: tuple[str | int, ...], *, max_length: int, min_length: int = 1) -> Problem | None:
    """Return what is wrong with a text that identifies something, or None.

    Args:
        loc: Where it stood in the request.
        max_length: In characters.
        min_length: In characters.
    """
    if len(text) < min_length:
        plural = "" if min_length == 1 else "s"
        return Problem(
            "string_too_short",
            loc,
            f"String should have at least {min_length} character{plural}",
            text,
            {"min_length": min_length},
        )
    if len(text) > max_length:
        return Problem(
            "string_too_long",
            loc,
            f"String should have at most {max_length} characters",
            text,
            {"max_length": max_length},
        )
    if "\0" in text:
        return Problem("value_error", loc, "Value error, must not contain NUL characters", text, {"error": {}})
    if not text.isascii() and not is_unicode(text):
        return Problem(
            "string_unicode", loc, "Input should be a valid string, unable to parse raw data as a unicode string"
        )
    return None


def key_problem(key: str, loc: tuple[str | int, ...] = ("path", "key")) -> Problem | None:
    """Return what is wrong with a key, or None: 1 to 512 characters, UTF-8, no NUL."""
    return text_problem(key, loc, max_length=MAX_KEY_LENGTH)


def is_plain_key(key: str) -> bool:
    """Tell whether a key is one of those that nothing can be wrong with: ASCII, and not too long."""
    return 0 < len(key) <= MAX_KEY_LENGTH and key.isascii() and "\0" not in key


def check_prefix(text: str, name: str) -> None:
    """Refuse what no key begins with.

    Args:
        name: Of the parameter.

    Raises:
        InvalidInputError: It is longer than a key, has a NUL or is no Unicode.
    """
    problem = text_problem(text, ("query", name), max_length=MAX_KEY_LENGTH, min_length=0)
    if problem is not None:
        raise InvalidInputError([problem])


def id_problem(text: str, loc: tuple[str | int, ...]) -> Problem | None:
    """Return what is wrong with a dag, run or task id, or None: 1 to 250 characters, UTF-8, no NUL."""
    return text_problem(text, loc, max_length=MAX_ID_LENGTH)


def check_key(key: str, loc: tuple[str | int, ...] = ("path", "key")) -> None:
    """Refuse a key that cannot be stored.

    Raises:
        InvalidInputError: See :func:`key_problem`.
    """
    if is_plain_key(key):
        return
    problem = key_problem(key, loc)
    if problem is not None:
        raise InvalidInputError([problem])
