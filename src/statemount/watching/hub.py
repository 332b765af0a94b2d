"""The one place in a process, for one event loop, where watches begin and end."""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from collections.abc import Collection, Coroutine

from statemount.errors import TooManyWatchesError, UnavailableError
from statemount.interfaces import Resource, Store
from statemount.model import AssetScope, LogTail, MappedTask, Run, Scope
from statemount.observer import SILENT, Observer
from statemount.operations import Outcome
from statemount.store.scopes import stored_scope
from statemount.watching.bell import Bell, tag_of
from statemount.watching.feed import Feed
from statemount.watching.follower import Follower
from statemount.watching.options import WatchOptions
from statemount.watching.stop_sign import StopSign
from statemount.watching.watch import Watch
from statemount.watching.watches import Watches
from statemount.watching.wheel import Wheel

_TICK_SECONDS = 0.25
_FEWEST_SLOTS = 4
_STALLED_SECONDS = 1.0
_CLOSE_SECONDS = 5.0
_LINGER_SECONDS = 30.0
_RARELY = 10
"""So many times less often the database is asked for revisions while other processes are heard."""


class Hub(Resource, Watches):
    """Follows the logs of all scopes that are watched on one event loop.

    Args:
        store: Has the logs.
        bell: Tells and hears other processes; None = they are not heard, only seen in the log.
        stop_sign: Says when the server stops, before it waits for those who watch.
        observer: Is told of watches.

    Attributes:
        is_told: Whether :meth:`written` is to be called at all.
    """

    def __init__(
        self,
        store: Store,
        options: WatchOptions,
        *,
        bell: Bell | None = None,
        stop_sign: StopSign | None = None,
        observer: Observer = SILENT,
    ) -> None:
        self.is_told: bool = bell is not None
        self._store = store
        self._options = options
        self._bell = bell
        self._stop_sign = stop_sign or StopSign()
        self._observer = observer
        self._watches: set[Watch] = set()
        self._owners: Counter[str] = Counter()
        self._sending: dict[Watch, float] = {}
        self._by_tag: dict[str, Feed] = {}
        self._is_closing = False
        self._pump: asyncio.Task[None] | None = None
        self._ear: asyncio.Task[None] | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._lingerer: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None
        heartbeat = options.heartbeat_seconds
        slots = max(_FEWEST_SLOTS, round(heartbeat / _TICK_SECONDS))
        self._wheel = Wheel(slots)
        self._tick_seconds = heartbeat / slots

    def __len__(self) -> int:
        """Return how many watches there are."""
        return len(self._watches)

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._follower = Follower(self._store, poll_seconds=self._options.poll_seconds, observer=self._observer)
        self._observer.watching(self)

    async def close(self) -> None:
        """End every watch, and wait until they are over; then stop following."""
        self._is_closing = True
        self.end_all()
        if self._watches:
            self._emptied = self._loop.create_future()
            await asyncio.wait([self._emptied], timeout=_CLOSE_SECONDS)
            for watch in list(self._watches):
                watch.cut_off("stopping")
        self._stop_ticking()
        self._deafen()
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait([self._pump])
        if self._bell is not None:
            await self._bell.close()

    def stop_soon(self) -> None:
        """Take note that the server is about to stop: end every watch, and begin none for a while."""
        self._stop_sign.tell()
        self.end_all()

    def end_all(self) -> None:
        """End every watch, once what it sends is sent."""
        for watch in list(self._watches):
            watch.end("stopping")

    def written(self, target: Scope | MappedTask, outcome: Outcome) -> None:
        """Take note of a write that was acknowledged in this process."""
        if isinstance(target, MappedTask):
            if _has_changed(outcome):
                self.moved(target)
            return
        follower = self._follower
        if follower.is_resting:
            follower.has_missed = True
        else:
            feed = follower.feeds.get(stored_scope(target))
            if feed is not None and feed.position != outcome.revision:
                follower.note((feed,))
        if self._bell is not None and _has_changed(outcome):
            self._bell.ring(stored_scope(target))

    def moved(self, target: MappedTask | Run | AssetScope) -> None:
        """Take note that every scope of a task or a run has moved, or that of an asset."""
        self._follower.note([feed for scope, feed in self._follower.feeds.items() if _belongs(scope, target)])
        if self._bell is not None:
            self._bell.ring(target if isinstance(target, AssetScope) else None)

    def swept(self) -> None:
        """Take note that entries of any scope may have been removed because they were over."""
        self._follower.note_all()
        if self._bell is not None:
            self._bell.ring(None)

    async def watch(self, scope: Scope, *, key: str | None = None, after: int | None = None, owner: str = "") -> Watch:
        self._admit(owner)
        feed = self._follower.feed_of(stored_scope(scope))
        watch = Watch(self, feed, key, owner)
        watch.slot = self._wheel.add(watch)
        feed.add(watch)
        self._watches.add(watch)
        self._owners[owner] += 1
        self._begin(feed)
        try:
            await self._follower.is_read(feed)
        except BaseException:
            watch.close()
            raise
        watch.begin(after)
        return watch

    def _admit(self, owner: str) -> None:
        if self._is_closing or self._stop_sign.is_up():
            raise UnavailableError("the app is stopping")
        if len(self._watches) >= self._options.max_watches:
            raise TooManyWatchesError(f"{self._options.max_watches} watches in all")
        if self._owners[owner] >= self._options.max_watches_per_owner:
            raise TooManyWatchesError(f"{self._options.max_watches_per_owner} watches of {owner!r}", is_own=True)

    def _begin(self, feed: Feed) -> None:
        """See to it that a feed is followed."""
        self.is_told = True
        if self._ticker is None:
            self._stop_sign.attend()
            self._ticker = self._loop.call_later(self._tick_seconds, self._tick)
        if self._pump is None or self._pump.done():
            self._pump = self._background(self._follower.run())
        if self._bell is not None:
            self._by_tag[tag_of(feed.scope)] = feed
            if self._lingerer is not None:
                self._lingerer.cancel()
                self._lingerer = None
            if self._ear is None or self._ear.done():
                self._ear = self._background(self._listen(self._bell))

    def _background(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = contextvars.Context().run(self._loop.create_task, work)
        # A loop that is closed with its tasks pending is no fault of this one.
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        return task

    def leave(self, watch: Watch) -> None:
        """Forget a watch. A no-op the second time."""
        if watch not in self._watches:
            return
        self._watches.discard(watch)
        self._wheel.remove(watch, watch.slot)
        self._sending.pop(watch, None)
        self._owners[watch.owner] -= 1
        if not self._owners[watch.owner]:
            del self._owners[watch.owner]
        feed = watch.feed
        feed.remove(watch)
        if not feed.watches:
            self._follower.forget(feed)
            if self._bell is not None:
                self._by_tag.pop(tag_of(feed.scope), None)
        if not self._watches:
            self._rest()

    def _rest(self) -> None:
        """Do nothing more: nobody watches."""
        self._stop_ticking()
        self.is_told = self._bell is not None
        if self._ear is not None and not self._is_closing:
            self._lingerer = self._loop.call_later(_LINGER_SECONDS, self._deafen)
        if self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def _stop_ticking(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
            self._stop_sign.leave()

    def _deafen(self) -> None:
        if self._lingerer is not None:
            self._lingerer.cancel()
            self._lingerer = None
        if self._ear is not None:
            self._ear.cancel()
            self._ear = None

    async def _listen(self, bell: Bell) -> None:
        try:
            await bell.listen(self._heard, self._hears)
        finally:
            self._hears(False)

    def _heard(self, tags: Collection[str] | None) -> None:
        if tags is None:
            self._follower.note_all()
        else:
            self._follower.note([self._by_tag[tag] for tag in tags if tag in self._by_tag])

    def _hears(self, is_up: bool) -> None:
        if is_up:
            self._follower.note_all()  # what was called until now was not heard
        self._follower.poll_every(self._options.poll_seconds * (_RARELY if is_up else 1))

    async def read_on(self, scope: Scope, after: int) -> LogTail:
        """Read on in a log, for a watch that is behind the others."""
        return await self._follower.read_on(scope, after)

    def began_sending(self, watch: Watch) -> None:
        """Take note that a watch sends something."""
        self._sending[watch] = self._loop.time()

    def sent(self, watch: Watch, size: int) -> None:
        """Take note that it has sent it, which was so many bytes."""
        self._sending.pop(watch, None)
        self._follower.waker.sent(size)

    def _tick(self) -> None:
        self._ticker = self._loop.call_later(self._tick_seconds, self._tick)
        is_stopping = self._stop_sign.is_up()
        if is_stopping:
            self.end_all()
        self._cut_off_slow_readers(self._options.heartbeat_seconds if not is_stopping else 0.0)
        self._follower.waker.beat(self._wheel.turn())

    def _cut_off_slow_readers(self, patience: float) -> None:
        """End whoever does not read what is sent.

        Args:
            patience: Seconds that one is given whose next events are still there.
        """
        now = self._loop.time()
        stalled: list[Watch] = []
        for watch, began in self._sending.items():
            seconds = now - began
            if seconds < _STALLED_SECONDS:
                break  # those that follow began later
            if watch.has_fallen_behind or seconds >= patience:
                stalled.append(watch)
        for watch in stalled:
            self._observer.watch_cut_off()
            watch.cut_off("slow")


def _has_changed(outcome: Outcome) -> bool:
    return any(result.status == "changed" for result in outcome.results)


def _belongs(scope: Scope, target: MappedTask | Run | AssetScope) -> bool:
    if isinstance(scope, AssetScope) or isinstance(target, AssetScope):
        return scope == target
    ids = (scope.dag_id, scope.run_id, scope.task_id)
    return ids[:2] == (target.dag_id, target.run_id) and (isinstance(target, Run) or ids[2] == target.task_id)
