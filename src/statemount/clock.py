"""The clock that is used unless another one is passed in."""

from __future__ import annotations

import time

from statemount.model import Timestamp


def system_clock() -> Timestamp:
    """Return the time: microseconds since the epoch, UTC."""
    return time.time_ns() // 1000
