"""When an entry ends: what a caller may say, and what is stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, TypeAlias, Union

from statemount.errors import ConfigurationError
from statemount.model import Timestamp

DEFAULT: Literal["default"] = "default"
"""As an expiry: now plus the configured retention."""

Expiry: TypeAlias = Union[Timestamp, None, Literal["default"]]
"""A time, None = never, or :data:`DEFAULT`."""


class Retention:
    """Resolves an expiry.

    Args:
        default: How long entries are kept that ask for the default; zero = for ever.

    Raises:
        ConfigurationError: The duration is negative.
    """

    def __init__(self, default: timedelta) -> None:
        if default < timedelta(0):
            raise ConfigurationError(f"the default retention must not be negative, but is {default}")
        self._microseconds = default // timedelta(microseconds=1)

    def resolve(self, expiry: Expiry, now: Timestamp) -> Timestamp | None:
        """Return the time from which on the entry is gone; None = never. A time in the past is allowed."""
        if expiry == DEFAULT:
            return now + self._microseconds if self._microseconds else None
        return expiry
