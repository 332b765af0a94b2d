"""What the connections ask of a driver, and the meanings of its errors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from statemount.database.query import ScriptFactory

if TYPE_CHECKING:
    from statemount.database.url import DatabaseUrl

T = TypeVar("T")


class Fault(Enum):
    """What an error of a driver means for the transaction and its connection."""

    ROLLED_BACK = "rolled back by the database, which would take it again"
    LOCKED = "not done: somebody else held a lock for as long as one waits"
    BUSY = "not done, the connection is good"
    LOST = "the connection is of no more use"
    REFUSED = "the statement or its data are at fault"


class CommitError(Exception):
    """COMMIT was sent and did not succeed; ``__cause__`` is the driver's error."""


class BeginError(Exception):
    """The transaction did not even begin; ``__cause__`` is the driver's error."""


class Driver(ABC):
    """Runs scripts on raw connections.

    Args:
        statement_seconds: Longest time of a statement, in seconds.
        lock_seconds: Longest wait for a lock, in seconds.

    Attributes:
        rows_written: By the connection that writes, if there is one alone.
    """

    name: str
    writers: int | None = None
    """How many connections may write at once, if the database has a limit: they are kept apart from the readers."""

    def __init__(self, *, statement_seconds: float, lock_seconds: float) -> None:
        self.statement_seconds = statement_seconds
        self.lock_seconds = lock_seconds
        self.rows_written: int = 0

    @abstractmethod
    def options(self, url: DatabaseUrl, *, size: int) -> dict[str, Any]:
        """Return the keyword arguments for the driver's pool.

        Raises:
            ConfigurationError: The URL has an option that cannot be passed on.
        """

    def connect_args(self, url: DatabaseUrl) -> dict[str, Any]:
        """Return the keyword arguments for one connection of the driver's, for migrations."""
        return {}

    def is_misconfiguration(self, error: BaseException) -> bool:
        """Tell whether a connection failed for its options, which no other try can change."""
        return False

    @abstractmethod
    async def prepare(self, raw: Any, *, is_reader: bool) -> None:
        """Set up the session of a new connection."""

    @abstractmethod
    async def read(self, raw: Any, factory: ScriptFactory[T]) -> T:
        """Run a script of reads, each statement a snapshot of its own."""

    @abstractmethod
    async def write(self, raw: Any, factory: ScriptFactory[T]) -> T:
        """Run a script as one transaction, committed when this returns.

        Raises:
            BeginError: It did not begin.
            CommitError: It did everything, and COMMIT failed.
        """

    @abstractmethod
    def abort(self, raw: Any) -> None:
        """Break off whatever the connection does, at once: the call under way fails."""

    def abandon(self, raw: Any) -> None:
        """Give up, in any thread, what the connection holds outside of its event loop, which is closed."""
        return None

    @abstractmethod
    def is_closed(self, raw: Any) -> bool:
        """Tell whether the connection is known to be closed."""

    @abstractmethod
    def fault(self, error: BaseException) -> Fault:
        """Tell what an error means."""
