"""How long a stored text may be, and who is held to which limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from statemount.errors import InvalidInputError, Problem, TooLargeError
from statemount.model import JsonValue
from statemount.service.values import UnstorableError, stored_text

Loc: TypeAlias = tuple[str | int, ...]
"""Where in a request something stood."""

_BODY: Loc = ("body",)
_LOC: Loc = ("body", "value")


@dataclass(frozen=True, slots=True)
class ValueLimits:
    """The limits on one value.

    Args:
        max_value_bytes: On the public API; 0 = none. A worker is not stopped by it.
        max_body_bytes: On everybody.
    """

    max_value_bytes: int
    max_body_bytes: int

    def text_of(self, value: JsonValue, *, is_public: bool) -> str:
        """Return the text to store for a value.

        Raises:
            InvalidInputError: The value is not stored, or is longer than the public API takes.
            TooLargeError: The text is longer than the body limit.
        """
        text = _text(value, _LOC)
        self.check_length(len(text), value, is_public=is_public)
        return text

    def patch_text(self, patch: JsonValue) -> str:
        """Return the text of a merge patch. What comes of the patch is held to the limits, not the patch itself.

        Raises:
            InvalidInputError: It holds what is not stored, or is null, which is no value.
        """
        return _text(patch, _BODY)

    def check_length(self, length: int, given: JsonValue, loc: Loc = _LOC, *, is_public: bool) -> None:
        """Refuse a text that is too long.

        Args:
            given: What was given for it.
            loc: Where that stood.

        Raises:
            InvalidInputError: It is longer than the public API takes.
            TooLargeError: It is longer than the body limit.
        """
        if is_public and self.max_value_bytes and length > self.max_value_bytes:
            raise _refused(
                f"value exceeds max_value_storage_bytes ({self.max_value_bytes}); its stored form has {length} bytes",
                given,
                loc,
            )
        if length > self.max_body_bytes:
            raise TooLargeError(self.max_body_bytes)

    def max_bytes(self, *, is_public: bool) -> int:
        """Return how long a text may be."""
        if is_public and self.max_value_bytes:
            return min(self.max_value_bytes, self.max_body_bytes)
        return self.max_body_bytes


def _text(value: JsonValue, loc: Loc) -> str:
    try:
        return stored_text(value)
    except UnstorableError as error:
        raise _refused(str(error), value, loc) from error


def _refused(message: str, value: JsonValue, loc: Loc) -> InvalidInputError:
    return InvalidInputError([Problem("value_error", loc, f"Value error, {message}", value, {"error": {}})])
