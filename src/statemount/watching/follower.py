"""Following the logs of all watched scopes: where they are is asked for, and what is new is read once for everybody.

The log is the only source, so that what was written here and what was written elsewhere is seen alike. A write in this
process only says where to look at once.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Iterable
from itertools import chain, islice

from statemount.errors import StateMountError
from statemount.interfaces import Store
from statemount.model import LogTail, Scope
from statemount.observer import Observer
from statemount.watching.feed import Feed
from statemount.watching.pace import Pace
from statemount.watching.waking import Waker
from statemount.watching.watch import Watch

_logger = logging.getLogger(__name__)

_SHARE = 0.02  # of the time of a busy event loop
_BURST_SECONDS = 0.02
_READ_SECONDS = 0.0003  # what a read costs, besides what is measured,
_SCOPE_SECONDS = 0.00005  # each scope of it,
_LINE_SECONDS = 0.000012  # and each line
_FEEDS = 256  # are read together,
_LINES = 4096  # with so many lines
_LINES_BEHIND = 256  # for one that is behind the others
_READERS_BEHIND = 4  # at once
_POLL_SHARE = 0.02  # of the time may be spent on asking for revisions
_MISSED_SECONDS = 0.25  # from one question for revisions to the next, where something is known to have moved
_LOOK_SECONDS = 0.1  # while watching rests, from one look at how busy others are to the next
_RETRY_SECONDS = 1.0


class Follower:
    """Keeps the feeds up to date, as long as :meth:`run` runs.

    Args:
        store: Has the logs.
        poll_seconds: From one question for all revisions to the next, at least.
        observer: Is told how long the questions take.

    Attributes:
        is_resting: Whether it has had its share of the time: what moves meanwhile need not be noted one by one.
        has_missed: Whether something has moved meanwhile, so that the next question is to find it.
    """

    def __init__(self, store: Store, *, poll_seconds: float, observer: Observer) -> None:
        self._store = store
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        pace = Pace(share=_SHARE, burst=_BURST_SECONDS, clock=self._loop.time)
        self._pace = pace
        self.waker: Waker = Waker(self._loop, pace)
        self._readers_behind = asyncio.Semaphore(_READERS_BEHIND)
        self.feeds: dict[Scope, Feed] = {}
        self._asked: dict[Feed, list[asyncio.Future[None]]] = {}
        self._moved: dict[Feed, None] = {}
        self._poll_seconds = poll_seconds
        self._polled_at = self._loop.time()
        self._poll_pause = 0.0
        self.is_resting: bool = False
        self.has_missed: bool = False
        self._pulse: object | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._failure: type[Exception] | None = None

    def feed_of(self, scope: Scope) -> Feed:
        """Return the feed of a scope, made if need be."""
        feed = self.feeds.get(scope)
        if feed is None:
            feed = self.feeds[scope] = Feed(scope)
        return feed

    def forget(self, feed: Feed) -> None:
        """Let a feed go that nobody watches any more."""
        if self.feeds.get(feed.scope) is feed:
            del self.feeds[feed.scope]
        self._moved.pop(feed, None)

    def note(self, feeds: Iterable[Feed]) -> None:
        """Take note that the scopes of these feeds have moved."""
        is_known = bool(self._moved)
        for feed in feeds:
            self._moved[feed] = None
        if not is_known:  # else it is being read, or waited for until more may be read
            self._wake()

    def note_all(self) -> None:
        """Take note that any scope may have moved."""
        self._polled_at = -math.inf
        self._wake()

    def poll_every(self, seconds: float) -> None:
        """Ask for all revisions more often, or less often."""
        self._poll_seconds = seconds
        self._wake()

    async def is_read(self, feed: Feed) -> None:
        """Wait until the log of a feed was read, by a read that begins from now on.

        Raises:
            UnavailableError: It cannot be read now.
        """
        future = self._loop.create_future()
        self._asked.setdefault(feed, []).append(future)
        self._wake()
        await future

    async def read_on(self, scope: Scope, after: int) -> LogTail:
        """Read on in a log, for somebody who is behind the others."""
        async with self._readers_behind:
            tails = await self._store.tails({scope: after}, limit=_LINES_BEHIND)
        return tails[scope]

    async def run(self) -> None:
        """Follow, until this is cancelled."""
        while True:
            if self.feeds and self._until_poll() <= 0:
                await self._poll()
                continue
            moved = self._moved if self._pace.rest() <= 0 else ()
            feeds = dict.fromkeys(islice(chain(self._asked, moved), _FEEDS))
            if feeds:
                await self._read(list(feeds))
            else:
                await self._wait()

    def _until_poll(self) -> float:
        seconds = min(self._poll_seconds, _MISSED_SECONDS) if self.has_missed else self._poll_seconds
        return self._polled_at + max(seconds, self._poll_pause) - self._loop.time()

    async def _wait(self) -> None:
        waits = [min(self._pace.rest(), _LOOK_SECONDS)] if self._moved else []
        if self.feeds:
            waits.append(self._until_poll())
        self._waiter = self._loop.create_future()
        timer = self._loop.call_later(max(0.0, min(waits)), self._wake) if waits else None
        self.is_resting = bool(self._moved)
        try:
            await self._waiter
            if self.is_resting:
                await self.waker.look()
        finally:
            self.is_resting = False
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _poll(self) -> None:
        """Find the scopes that have moved."""
        began = self._loop.time()
        has_missed, self.has_missed = self.has_missed, False
        try:
            pulse = self._store.pulse()
            if pulse is None or pulse != self._pulse:
                feeds = [feed for feed in self.feeds.values() if _began(feed)]
                revisions = await self._store.revisions([feed.scope for feed in feeds])
                self._pulse = pulse
                moved = [feed for feed in feeds if feed.position != revisions[feed.scope]]
                self._moved.update((feed, None) for feed in moved if self._is_followed(feed))
        except Exception as error:
            self._fail(error)
            self._pulse = None
            self.has_missed = self.has_missed or has_missed
        else:
            self._recover()
        ended = self._loop.time()
        self._observer.polled(ended - began)
        self._polled_at = ended
        self._poll_pause = (ended - began) / _POLL_SHARE

    async def _read(self, feeds: list[Feed]) -> None:
        """Read what is new in the logs of some feeds, and tell whoever watches."""
        waiting = [future for feed in feeds for future in self._asked.pop(feed, ())]
        for feed in feeds:
            self._moved.pop(feed, None)
        try:
            lines = await self._read_logs([feed for feed in feeds if self._is_followed(feed)], waiting)
        except Exception as error:
            self._fail(error)
            for future in waiting:
                _fail(future, error)
            self._moved.update((feed, None) for feed in feeds if self._is_followed(feed))
            if not waiting:
                await asyncio.sleep(_RETRY_SECONDS)
            return
        self._recover()
        self._pace.spend(_READ_SECONDS + _SCOPE_SECONDS * len(feeds) + _LINE_SECONDS * lines)

    async def _read_logs(self, feeds: list[Feed], waiting: Iterable[asyncio.Future[None]]) -> int:
        """Return how many lines were read."""
        fresh = [feed.scope for feed in feeds if not _began(feed)]
        revisions = await self._store.revisions(fresh) if fresh else {}
        positions = {feed.scope: feed.position for feed in feeds if feed.position is not None}
        limit = max(_LINES // max(len(positions), 1), 1)
        tails = await self._store.tails(positions, limit=limit) if positions else {}
        concerned: list[Watch] = []
        began = time.perf_counter()
        for feed in feeds:
            if not _began(feed):
                feed.begin(revisions[feed.scope])
                continue
            tail = tails[feed.scope]
            concerned += feed.absorb(tail)
            if tail.is_whole and tail.changes and tail.changes[-1].revision < tail.revision:
                self._moved[feed] = None  # there is more
        self._pace.spend(time.perf_counter() - began)
        for future in waiting:
            if not future.done():
                future.set_result(None)
        await self.waker.wake(concerned)
        return sum(len(tail.changes) for tail in tails.values())

    def _is_followed(self, feed: Feed) -> bool:
        return self.feeds.get(feed.scope) is feed

    def _fail(self, error: Exception) -> None:
        """Log a failure once, until something succeeds or fails otherwise."""
        is_known = self._failure is type(error)
        self._failure = type(error)
        if not is_known:
            traceback = None if isinstance(error, StateMountError) else error
            _logger.warning("changes cannot be followed, which is tried again: %s", error, exc_info=traceback)

    def _recover(self) -> None:
        if self._failure is not None:
            self._failure = None
            _logger.info("changes are followed again")


def _began(feed: Feed) -> bool:
    return feed.position is not None


def _fail(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
