"""How long a stored text may be, and who is held to which limit."""

from __future__ import annotations

from dataclasses import dataclass

from statemount.errors import InvalidInputError, Problem, TooLargeError
from statemount.model import JsonValue
from statemount.service.values import UnstorableError, stored_text

_LOC = ("body", "value")


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
        try:
            text = stored_text(value)
        except UnstorableError as error:
            raise _refused(str(error), value) from error
        if is_public and self.max_value_bytes and len(text) > self.max_value_bytes:
            raise _refused(
                f"value exceeds max_value_storage_bytes ({self.max_value_bytes}); "
                f"its stored form has {len(text)} bytes",
                value,
            )
        if len(text) > self.max_body_bytes:
            raise TooLargeError(self.max_body_bytes)
        return text


def _refused(message: str, value: JsonValue) -> InvalidInputError:
    return InvalidInputError([Problem("value_error", _LOC, f"Value error, {message}", value, {"error": {}})])
