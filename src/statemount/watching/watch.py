"""One watch: where a reader is, and how it waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from statemount.watching.events import WatchEvent
from statemount.watching.feed import Feed

if TYPE_CHECKING:
    from statemount.watching.hub import Hub

Ending: TypeAlias = Literal["stopping", "slow", "refused", "left"]
"""Why a watch is over: the app stops, the reader is too slow, it may not watch any longer, or it went away."""


class Watch:
    """What one reader has been told, and is to be told next. Nothing is queued for it.

    Args:
        key: What it watches; None = the whole scope.
        owner: Whom it counts for.

    Attributes:
        number: Of the event that it is to be told next, in its feed.
        revision: Up to which it has been told everything.
        slot: Its place on the wheel.
        was_cut_off: Whether its task was cancelled for its sake.
        ending: Why it is over; None = it is not.
    """

    __slots__ = (
        "_beats",
        "_hub",
        "_is_behind",
        "_is_noticed",
        "_opening",
        "_task",
        "_waiter",
        "ending",
        "feed",
        "key",
        "number",
        "owner",
        "revision",
        "slot",
        "was_cut_off",
    )

    def __init__(self, hub: Hub, feed: Feed, key: str | None, owner: str) -> None:
        self.feed: Feed = feed
        self.key: str | None = key
        self.owner: str = owner
        self.number: int = 0
        self.revision: int = 0
        self.slot: int = 0
        self.was_cut_off: bool = False
        self.ending: Ending | None = None
        self._hub = hub
        self._opening: WatchEvent | None = None
        self._is_behind = False
        self._is_noticed = False
        self._beats = False
        self._waiter: asyncio.Future[None] | None = None
        self._task: asyncio.Task[object] | None = None

    def begin(self, after: int | None) -> None:
        """Begin, once the log was read after the reader came.

        Args:
            after: The revision up to which it knows everything; None = it wants to know where it begins.
        """
        feed = self.feed
        position = feed.position or 0
        self.number = feed.next_number
        self.revision = position
        if after is None:
            self._opening = WatchEvent("ready", position)
        elif after > position:  # the scope was dropped, or the database restored
            self._opening = WatchEvent("reset", position)
        elif after < position:
            self.revision = after
            number = feed.number_after(after, feed.generation)
            self._is_behind = number is None
            self.number = feed.next_number if number is None else number

    async def next(self) -> Sequence[WatchEvent] | None:
        """Wait for what the reader is to be told; nothing at all, if it is time for a sign of life. None = it is over.

        Raises:
            UnavailableError: The log cannot be read.
        """
        while self.ending is None:
            if self._opening is not None:
                opening, self._opening = self._opening, None
                return [opening]
            if self._is_behind:
                behind = await self._read_on()
                if behind:
                    return behind
                continue  # meanwhile the feed may have got something for it, or it may be over
            events = self.feed.take(self)
            if events is None:
                self._is_behind = True
            elif events:
                return events
            elif self._beats:
                self._beats = False
                return events
            else:
                await self._wait()
        return None

    async def __aenter__(self) -> Watch:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def __aiter__(self) -> AsyncIterator[WatchEvent]:
        """Wait for one event after the other, until it is over."""
        while (events := await self.next()) is not None:
            for event in events:
                yield event

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def _read_on(self) -> list[WatchEvent]:
        """Read the log after what the reader has been told; go on with the others where they are, if it gets there."""
        feed = self.feed
        generation = feed.generation
        tail = await self._hub.read_on(feed.scope, self.revision)
        if not tail.is_whole:
            events = [WatchEvent("reset", tail.revision)]
            self.revision = tail.revision
        else:
            events = [event for event in map(WatchEvent.of, tail.changes) if event.concerns(self.key)]
            self.revision = tail.changes[-1].revision if tail.changes else tail.revision
        number = feed.number_after(self.revision, generation)
        if number is not None:
            self.number = number
            self._is_behind = False
        return events

    @property
    def _is_idle(self) -> bool:
        """Whether it has been told everything that concerns it."""
        return self._waiter is not None and not self._waiter.done() and not self._is_noticed

    def notice(self, number: int) -> None:
        """Take note that an event concerns it; it is woken soon.

        Args:
            number: Of the first one that may.
        """
        if self._is_idle:
            self.number = number
        self._is_noticed = True

    def wake(self) -> None:
        """Let it go on."""
        self._is_noticed = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def beat(self) -> None:
        """Let it give a sign of life."""
        if self._is_idle:  # what it was not told does not concern it
            self.number = self.feed.next_number
            self.revision = max(self.revision, self.feed.position or 0)
        self._beats = True
        self.wake()

    def end(self, ending: Ending) -> None:
        """Let it end, once what it sends is sent."""
        if self.ending is None:
            self.ending = ending
            self.wake()

    @property
    def has_fallen_behind(self) -> bool:
        """Whether it was with the others, and events that it is to be told are gone."""
        return not self._is_behind and not self.feed.has(self.number)

    def began_sending(self) -> None:
        """Take note that something is being sent, by the task that calls."""
        self._task = asyncio.current_task()
        self._hub.began_sending(self)

    def sent(self, size: int) -> None:
        """Take note that it is sent, which was so many bytes."""
        self._hub.sent(self, size)

    def cut_off(self, ending: Ending) -> None:
        """End it at once, in the middle of what it sends: its task is cancelled."""
        self.end(ending)
        if self._task is not None and not self.was_cut_off:
            self.was_cut_off = True
            self._task.cancel()

    def close(self) -> None:
        """Take note that nobody reads any more. A no-op the second time."""
        self.end("left")
        self._hub.leave(self)
