"""What time it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from statemount.model import Timestamp

Clock: TypeAlias = Callable[[], Timestamp]
"""Returns the time: microseconds since the epoch, UTC."""
