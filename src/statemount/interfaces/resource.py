"""What is opened and closed."""

from __future__ import annotations

from abc import ABC


class Resource(ABC):
    """Something with a life: opened once on an event loop, closed on the same one."""

    async def open(self) -> None:
        """Get ready.

        Raises:
            ConfigurationError: It can never work like this.
            UnavailableError: It cannot now; another try may succeed.
        """
        return None

    async def close(self) -> None:
        """Give everything back. Called once after a successful :meth:`open`; what was accepted is finished first."""
        return None
