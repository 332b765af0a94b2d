"""The latest changes of one scope, kept once for everybody who watches it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from statemount.model import LogTail, Scope
from statemount.watching.events import SharedEvents, WatchEvent

if TYPE_CHECKING:
    from statemount.watching.watch import Watch

MAX_EVENTS = 1024
"""How many events of a scope are kept, at most."""

MAX_BYTES = 1024 * 1024
"""How many bytes they may take in memory, about; the latest one is always kept."""


class Feed:
    """What is read of the log of a scope, for as long as somebody watches it.

    The latest events have consecutive numbers, and a watch remembers the one that it is to be told next: nothing is
    queued for it. Who is so late that its events are gone reads them in the log.

    Args:
        max_events: How many events are kept.
        max_bytes: How many bytes they may take.

    Attributes:
        position: The revision up to which the log was read; None = it was not.
        generation: Grows with each gap in what was read.
        next_number: Of the event that comes next.
        watches: Everybody who watches.
    """

    __slots__ = (
        "_by_key",
        "_bytes",
        "_events",
        "_first_number",
        "_max_bytes",
        "_max_events",
        "_place",
        "_revision_before",
        "_told",
        "_told_revision",
        "generation",
        "next_number",
        "position",
        "scope",
        "watches",
    )

    def __init__(self, scope: Scope, *, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self.scope: Scope = scope
        self.position: int | None = None
        self.generation: int = 0
        self.next_number: int = 0
        self.watches: set[Watch] = set()
        self._by_key: dict[str | None, set[Watch]] = {}
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._events: list[WatchEvent] = []
        self._first_number = 0
        self._revision_before = 0  # of the first event that is kept; those that are kept have consecutive ones
        self._bytes = 0
        # What somebody was told last, for those who come from the same place.
        self._place: tuple[int, int, int, str | None] | None = None
        self._told: Sequence[WatchEvent] = ()
        self._told_revision = 0

    def add(self, watch: Watch) -> None:
        """Take in somebody who watches."""
        self.watches.add(watch)
        self._by_key.setdefault(watch.key, set()).add(watch)

    def remove(self, watch: Watch) -> None:
        """Let somebody go. A no-op for anybody else."""
        self.watches.discard(watch)
        same = self._by_key.get(watch.key)
        if same is not None:
            same.discard(watch)
            if not same:
                del self._by_key[watch.key]

    def begin(self, revision: int) -> None:
        """Begin to follow the log after a revision."""
        self.position = self._revision_before = revision

    def absorb(self, tail: LogTail) -> Collection[Watch]:
        """Take in what the log has after the position, and return who is to be woken, each told so already."""
        if not tail.is_whole:
            events = [WatchEvent("reset", tail.revision)]
            self.generation += 1
            self._forget(tail.revision - 1)
        elif tail.changes:
            events = [WatchEvent.of(change) for change in tail.changes]
            if self.position == 0:  # the scope's first changes, whose revisions are not consecutive to nothing
                self._forget(events[0].revision - 1)
        else:
            if self.position == 0:  # the scope was made, and nothing is written to it yet
                self._forget(tail.revision)
                self.position = tail.revision
            return ()
        first_number = self.next_number
        self._events += events
        self._bytes += sum(event.size for event in events)
        self.next_number += len(events)
        self.position = events[-1].revision
        concerned = self._concerned(events)
        for watch in concerned:
            watch.notice(first_number)
        self._make_room()
        return concerned

    def take(self, watch: Watch) -> Sequence[WatchEvent] | None:
        """Return the events that a watch is to be told, which may be none, and move it on.

        None = what it is to be told next is gone.
        """
        start = watch.number - self._first_number
        if start < 0:
            return None
        if watch.number == self.next_number:
            return []
        revision, key = watch.revision, watch.key
        place = (watch.number, self.next_number, revision, key)
        if place == self._place:
            watch.revision, watch.number = self._told_revision, self.next_number
            return self._told
        events = []
        for event in self._events[start:]:
            if event.kind == "reset" or event.revision > revision:
                revision = event.revision
                if event.concerns(key):
                    events.append(event)
        watch.revision = revision
        watch.number = self.next_number
        if len(self.watches) == 1:
            return events
        self._place, self._told_revision, self._told = place, revision, SharedEvents(events)
        return self._told

    def number_after(self, revision: int, generation: int) -> int | None:
        """Return the number of the event after a revision up to which somebody has read the log.

        None = it is gone, or was never read here: more of the log is to be read.

        Args:
            generation: That of this feed before the log was read.
        """
        if self.position is None:
            return None
        if generation != self.generation:
            is_reset = bool(self._events) and self._events[0].kind == "reset"
            return self._first_number if is_reset else None
        if revision >= self.position:
            return self.next_number
        distance = revision - self._revision_before
        return self._first_number + distance if distance >= 0 else None

    def has(self, number: int) -> bool:
        """Tell whether nothing is gone from a number on."""
        return number >= self._first_number

    def _concerned(self, events: Sequence[WatchEvent]) -> Collection[Watch]:
        keys = {event.key for event in events}
        if None in keys or list(self._by_key) == [None]:
            return list(self.watches)
        return [watch for key in (None, *keys) for watch in self._by_key.get(key, ())]

    def _forget(self, revision: int) -> None:
        """Keep nothing of what was read; the next event is the one after this revision."""
        self._events = []
        self._bytes = 0
        self._first_number = self.next_number
        self._revision_before = revision

    def _make_room(self) -> None:
        gone = 0
        while len(self._events) - gone > 1 and (
            len(self._events) - gone > self._max_events or self._bytes > self._max_bytes
        ):
            self._bytes -= self._events[gone].size
            gone += 1
        if gone:
            self._revision_before = self._events[gone - 1].revision
            del self._events[:gone]
            self._first_number += gone
