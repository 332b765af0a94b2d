"""The app for any ASGI server, configured by environment variables: ``statemount.asgi:app``."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from statemount.collector import start_up, survivors
from statemount.errors import ConfigurationError
from statemount.interfaces import AsgiScope
from statemount.web.requests import Receive, Send

if TYPE_CHECKING:
    from statemount.mount import StateMount


class EnvironmentApp:
    """A :class:`StateMount` that is imported, and reads the environment, when it is called for the first time."""

    def __init__(self) -> None:
        self._state: StateMount | None = None
        self._lock = threading.Lock()

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer a request, or the lifespan scope of the server.

        Raises:
            ConfigurationError: The environment cannot be used, and the server has not asked with the lifespan scope.
        """
        try:
            state = self._state or self._mount()
        except ConfigurationError as error:
            if scope["type"] != "lifespan":
                raise
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await state(scope, receive, send)

    def _mount(self) -> StateMount:
        with self._lock:
            if self._state is None:
                with start_up():
                    from statemount.mount import StateMount

                    self._state = StateMount.from_environment()
                survivors.begin(asyncio.get_running_loop())
            return self._state


app: EnvironmentApp = EnvironmentApp()
"""The app of this process."""
