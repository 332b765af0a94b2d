"""What the parts of the app tell about their work. By default nobody listens, and nothing is counted."""

from __future__ import annotations

from collections.abc import Sized
from typing import Literal

WorkKind = Literal["read", "write"]
"""What the database is asked to do."""


class Observer:
    """Is told what happens. Here every method is a no-op; one of another class counts.

    A part is given its observer when it is made. Methods are called on any event loop and thread, must neither block
    nor raise, and are never given a key, an id or a value.
    """

    def request(self, route_set: str, route: str | None, method: str, status: int | None, seconds: float) -> None:
        """A request is over.

        Args:
            route: The template of its route; None = it has none.
            status: Of its answer; None = there was nobody to answer any more.
        """

    def queue(self, kind: WorkKind, waiting: Sized) -> None:
        """There is a queue for the database.

        Args:
            waiting: Says how many wait in it, in any thread. It must not be kept alive.
        """

    def group(self, kind: WorkKind, operations: int) -> None:
        """A group of so many operations is taken from a queue."""

    def committed(self, seconds: float) -> None:
        """A transaction that writes is committed; it took so long from before BEGIN to after COMMIT."""

    def retried(self, kind: WorkKind) -> None:
        """A transaction, or a script of reads, is run again."""

    def waited(self, kind: WorkKind, seconds: float) -> None:
        """No connection was free; one was waited for, in vain or not."""

    def swept(self, what: str, count: int) -> None:
        """So many were removed because they were over.

        Args:
            what: ``entries``, ``task_instances``, ``assets`` or ``changes``.
        """

    def sweep_ended(self, what: str, *, is_failure: bool) -> None:
        """A round has removed all of one kind that was over, or could not."""

    def sweeping(self) -> None:
        """A sweeper begins its work: nothing counts as behind yet."""

    def watching(self, watches: Sized) -> None:
        """There is a place where watches begin.

        Args:
            watches: Says how many there are, in any thread. It must not be kept alive.
        """

    def watch_cut_off(self) -> None:
        """A watch is ended because its reader is too slow."""

    def polled(self, seconds: float) -> None:
        """The revisions of all watched scopes were asked for, in vain or not; it took so long."""

    def looked_up(self, *, is_hit: bool) -> None:
        """The directory was asked; the answer was remembered, or had to be looked up."""


SILENT: Observer = Observer()
"""Tells nobody."""
