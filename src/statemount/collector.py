"""The garbage collector of a process that is there for this app alone."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_THRESHOLD = 2_000
"""How many more objects there are before the collector looks at the new ones: a request makes dozens, and no cycle."""

_ALL_SECONDS = 600.0
"""From one look at everything to the next."""


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
            gc.freeze()
            if gc.get_threshold()[0] < _THRESHOLD:
                gc.set_threshold(_THRESHOLD, *gc.get_threshold()[1:])
            gc.enable()


class Survivors:
    """Sets aside whatever the collector has looked at once and found in use, from the time of :meth:`begin` on.

    What a server keeps, verified tokens and the like, is some hundred thousand objects, which go by themselves when
    nobody refers to them any more. To look at all of them holds every request up for a tenth of a second or more: that
    is done every ten minutes, for the few that refer to each other.
    """

    def __init__(self) -> None:
        self._looks = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Do so as long as an event loop runs. A no-op the second time, and where the collector is off."""
        if not gc.isenabled() or self._goes_on():
            return
        if self._looked not in gc.callbacks:
            gc.callbacks.append(self._looked)
        self._loop = loop
        loop.call_later(_ALL_SECONDS, self._look_at_all, loop)

    def end(self) -> None:
        """Leave everything to the collector again. A no-op if that is so."""
        if self._looked in gc.callbacks:
            gc.callbacks.remove(self._looked)
            gc.unfreeze()

    def _goes_on(self) -> bool:
        return self._looked in gc.callbacks and self._loop is not None and not self._loop.is_closed()

    def _looked(self, phase: str, info: Mapping[str, int]) -> None:
        if phase != "stop":
            return
        if self._goes_on():
            self._looks += 1
            gc.freeze()
        else:
            self.end()

    def _look_at_all(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop or not self._goes_on():
            return
        if self._looks:  # else nothing is new
            gc.unfreeze()
            gc.collect()
            self._looks = 0
        loop.call_later(_ALL_SECONDS, self._look_at_all, loop)


survivors: Survivors = Survivors()
"""Those of this process."""
