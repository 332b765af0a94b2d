"""Whether the ASGI server that runs this process is about to stop.

It waits for what is being sent before it ends the lifespan, and a watch does not end by itself. So the server's own
sign is looked for, and nothing of the server is changed:

- uvicorn handles the signals itself: the handler belongs to the server, which tells whether it is to exit;
- others (granian) leave the signals to the event loop: whoever looks out is told first, and the event loop after it.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeAlias

from typing_extensions import override

from statemount.watching.stop_sign import StopSign

_Handler: TypeAlias = Callable[[int, "FrameType | None"], Any]

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ServerStop(StopSign):
    """Looks for the server's sign."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._replaced: dict[signal.Signals, tuple[_Handler, _Handler]] = {}

    @override
    def attend(self) -> None:
        if threading.current_thread() is not threading.main_thread() or self._replaced:
            return
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if callable(handler) and _is_of_loop(handler, loop):
                ours = self._telling(handler)
                self._replaced[number] = ours, handler
                signal.signal(number, ours)
                signal.siginterrupt(number, False)  # as event loops have it

    @override
    def leave(self) -> None:
        for number, (ours, handler) in self._replaced.items():
            if signal.getsignal(number) is ours:
                signal.signal(number, handler)
                signal.siginterrupt(number, False)
        self._replaced.clear()

    def _telling(self, handler: _Handler) -> _Handler:
        def tell(number: int, frame: FrameType | None) -> Any:
            self.tell()
            return handler(number, frame)

        return tell

    @override
    def is_up(self) -> bool:
        return super().is_up() or any(_is_exiting(signal.getsignal(number)) for number in SIGNALS)


def _is_of_loop(handler: object, loop: asyncio.AbstractEventLoop) -> bool:
    """Tell whether a handler is what an event loop sets: asyncio's does nothing, uvloop's is a method of the loop."""
    return getattr(handler, "__module__", None) == "asyncio.unix_events" or getattr(handler, "__self__", None) is loop


def _is_exiting(handler: object) -> bool:
    """Tell whether a handler belongs to a server that is to exit, or has stopped to listen."""
    server = getattr(handler, "__self__", None)
    if getattr(server, "should_exit", None) is True:
        return True
    listeners = getattr(server, "servers", None)
    if not isinstance(listeners, list) or not listeners:
        return False
    return not any(getattr(listener, "is_serving", lambda: True)() for listener in listeners)
