"""The two clients of a worker, of which a task may need either: each is made when it is first used."""

from __future__ import annotations

import os
from collections.abc import Callable
from uuid import uuid4

from anyio.lowlevel import RunVar

from statemount.client import AsyncStateClient, StateClient


class Clients:
    """One client for all threads of a process, and one for each event loop. Neither is shared with a forked process.

    Args:
        make: Returns a new client for threads.
        make_async: Returns a new client for the running event loop.
    """

    def __init__(self, make: Callable[[], StateClient], make_async: Callable[[], AsyncStateClient]) -> None:
        self._make = make
        self._make_async = make_async
        self._by_process: dict[int, StateClient] = {}
        # Older versions of anyio tell such variables apart by their names alone.
        self._of_loop: RunVar[AsyncStateClient | None] = RunVar(f"statemount.worker.clients {uuid4()}")

    def for_threads(self) -> StateClient:
        """Return the client of this process."""
        found = self._by_process.get(os.getpid())
        # Of two threads that both make one, one client is used; the other has opened nothing.
        return self._by_process.setdefault(os.getpid(), self._make()) if found is None else found

    def for_loop(self) -> AsyncStateClient:
        """Return the client of the running event loop."""
        found = self._of_loop.get(None)
        if found is None:
            found = self._make_async()
            self._of_loop.set(found)
        return found

    def close(self) -> None:
        """Close the client for threads. Its next use makes a new one."""
        client = self._by_process.pop(os.getpid(), None)
        if client is not None:
            client.close()

    async def aclose(self) -> None:
        """Close both the client for threads and that of the running event loop. Their next use makes new ones."""
        self.close()
        client = self._of_loop.get(None)
        if client is not None:
            self._of_loop.set(None)
            await client.close()
