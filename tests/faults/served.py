"""The app with a clock that can be set: ``/step?seconds=-3600`` sets it back by an hour. Tokens keep the right time."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from statemount.auth import JWTAuth
from statemount.clock import system_clock
from statemount.model import Timestamp
from statemount.mount import StateMount
from statemount.settings import Settings
from tests.processes.counting import tell, tell_what_is_alive
from tests.processes.workers import SECRET


class _SteppingClock:
    offset = 0

    def __call__(self) -> Timestamp:
        return system_clock() + self.offset


_clock = _SteppingClock()
_state = StateMount(settings=Settings.from_environment(), auth=JWTAuth(secret=SECRET), clock=_clock)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Set the clock, tell what is alive, or leave it to the app."""
    path = scope.get("path")
    if path == "/alive":
        await tell_what_is_alive(send)
    elif path == "/step":
        _clock.offset += int(float(parse_qs(scope["query_string"].decode())["seconds"][0]) * 1_000_000)
        await tell(send, None)
    else:
        await _state(scope, receive, send)
