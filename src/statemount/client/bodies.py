"""What goes out as JSON."""

from __future__ import annotations

import json
from typing import Any

from statemount.errors import InvalidInputError, Problem


def encode(document: Any, name: str = "value") -> bytes:
    """Return a body.

    Args:
        name: Of what may be no JSON, for the error.

    Raises:
        InvalidInputError: Something in it is no JSON: NaN, an infinity, an object of another type, a circle.
    """
    try:
        return json.dumps(document, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError([Problem("value_error", ("body", name), f"Value error, {error}")]) from error
