"""How long a task's entry is kept: a duration here, a time for the server."""

from __future__ import annotations

from datetime import datetime, timedelta

from statemount.errors import ConfigurationError
from statemount.model import Timestamp, to_datetime

NEVER_EXPIRE: timedelta = timedelta.max
"""The retention of an entry that stays until it is deleted or cleared; equal to Airflow's."""

DEFAULT_RETENTION: timedelta = timedelta(days=30)
"""How long an entry is kept for which nothing else is said; as Airflow's default."""


def check_default_retention(retention: timedelta) -> timedelta:
    """Return a default retention that can be one.

    Raises:
        ConfigurationError: It is not positive.
    """
    if retention <= timedelta(0):
        raise ConfigurationError(f"the default retention must be positive, but is {retention}; NEVER_EXPIRE = for ever")
    return retention


def expiry(retention: timedelta | None, default: timedelta, now: Timestamp) -> datetime | None:
    """Return from when on an entry is gone; None = never. The Execution API takes a time only, and no default.

    Args:
        retention: None = the default.

    Raises:
        ValueError: It would be after the year 9999.
    """
    kept = default if retention is None else retention
    if kept == NEVER_EXPIRE:
        return None
    try:
        return to_datetime(now) + kept
    except OverflowError as error:
        raise ValueError(f"a retention of {kept} ends after the year 9999; NEVER_EXPIRE = for ever") from error
