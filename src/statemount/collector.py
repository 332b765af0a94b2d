"""The garbage collector while a process starts that is there for this app alone."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_THRESHOLD = 20_000
"""How many objects are made before the collector looks at them: a request makes dozens, and no cycle."""


@contextmanager
def start_up() -> Iterator[None]:
    """Keep the collector from what the block makes: modules above all, which stay as long as the process.

    It would go through them again and again, for a sixth of the time of a start.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if gc.get_freeze_count() == 0:
                gc.freeze()  # and unfrozen, everything is in the oldest generation, without a look at it
                gc.unfreeze()
            if gc.get_threshold()[0] < _THRESHOLD:
                gc.set_threshold(_THRESHOLD, *gc.get_threshold()[1:])
            gc.enable()
