"""Texts in paths and queries, encoded so that no library, server or proxy reads anything else into them."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from statemount.errors import InvalidInputError, Problem


class Target(NamedTuple):
    """What a call is about: a path below the base URL, with its query.

    Args:
        query: With its question mark; empty = there is none.
    """

    path: str
    query: str = ""

    def __str__(self) -> str:
        return self.path + self.query

    def also(self, **parameters: str | int | bool) -> str:
        """Return it as text, with more parameters.

        Raises:
            InvalidInputError: A text cannot be encoded.
        """
        more = query(**parameters)
        return f"{self.path}{self.query}&{more[1:]}" if self.query else self.path + more


def segment(name: str, text: str) -> str:
    """Return a text as one segment of a path.

    The dots of ``.`` and ``..`` are encoded, also between slashes of the text: RFC 3986 has them collapsed otherwise.

    Args:
        name: Of the parameter, for the error.

    Raises:
        InvalidInputError: The text is empty, which would address something else, or cannot be encoded.
    """
    if not text:
        problem = Problem(
            "string_too_short",
            ("path", name),
            "String should have at least 1 character",
            text,
            {"min_length": 1},
        )
        raise InvalidInputError([problem])
    encoded = _quote(name, text, "path")
    if text[0] == "." or "/." in text:
        return encoded.replace(".", "%2E")
    return encoded


def query(**parameters: str | int | bool) -> str:
    """Return parameters as a query, with its question mark.

    Raises:
        InvalidInputError: A text cannot be encoded.
    """
    return "?" + "&".join(f"{name}={_quote(name, _text(value), 'query')}" for name, value in parameters.items())


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quote(name: str, text: str, place: str) -> str:
    try:
        return quote(text, safe="")
    except UnicodeEncodeError as error:
        message = "Input should be a valid string, unable to parse raw data as a unicode string"
        raise InvalidInputError([Problem("string_unicode", (place, name), message)]) from error
