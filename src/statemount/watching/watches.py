"""Where a watch begins: what the rest of the app knows of watching."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from statemount.model import Scope

if TYPE_CHECKING:
    from statemount.watching.watch import Watch


class Watches(ABC):
    """Where a watch begins."""

    @abstractmethod
    async def watch(self, scope: Scope, *, key: str | None = None, after: int | None = None, owner: str = "") -> Watch:
        """Begin a watch, which whoever asked for it closes.

        Args:
            key: Watch this key alone; it need not be there. A clear concerns every key.
            after: The revision up to which the caller knows everything; None = it wants to be told where it begins.
            owner: Whom it counts for.

        Raises:
            TooManyWatchesError: There are too many already.
            UnavailableError: The log cannot be read now, or the app is stopping.
        """
