"""Watches of scopes and keys, on every store: each change once and in order, whoever wrote it and wherever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping

import pytest
from typing_extensions import override

from statemount.errors import TooManyWatchesError, UnavailableError
from statemount.interfaces import Store
from statemount.model import LogTail, MappedTask, Run, Scope, TaskScope
from statemount.observer import Observer
from statemount.operations import Clear, Condition, Set
from statemount.store.memory import MemoryStore
from statemount.watching.feed import MAX_EVENTS
from statemount.watching.follower import Follower
from statemount.watching.stop_sign import StopSign
from statemount.watching.watch import Watch
from tests.clock import SECOND, FakeClock
from tests.watching.support import (
    ASSET,
    PATIENCE,
    RARELY,
    TASK,
    WRITER,
    clear,
    delete,
    is_told_nothing,
    open_hub,
    open_store,
    put,
    told,
    until,
    write,
)

pytestmark = pytest.mark.anyio


async def test_a_watch_begins_where_the_scope_is(store: Store) -> None:
    """It is told where that is, and everything that comes after."""
    async with open_hub(store) as hub:
        before = await put(store, hub, TASK, "a", "b")
        watch = await hub.watch(TASK)
        assert await told(watch) == [("ready", before, None)]
        assert await is_told_nothing(watch)
        await put(store, hub, TASK, "a")
        await delete(store, hub, TASK, "b")
        assert await told(watch, 2) == [("set", before + 1, "a"), ("delete", before + 2, "b")]
        await clear(store, hub, TASK)
        await put(store, hub, TASK, "c", "d")
        assert await told(watch, 3) == [
            ("clear", before + 3, None),
            ("set", before + 4, "c"),
            ("set", before + 5, "d"),
        ]


async def test_a_watch_of_what_does_not_exist_yet(store: Store) -> None:
    """A scope that was never written is at 0; its first changes are told as they come."""
    async with open_hub(store) as hub:
        watch, key = await hub.watch(TASK), await hub.watch(TASK, key="b")
        assert await told(watch) == await told(key) == [("ready", 0, None)]
        last = await put(store, hub, TASK, "a", "b", "c")
        expected = [("set", last - 2, "a"), ("set", last - 1, "b"), ("set", last, "c")]
        assert await told(watch, 3) == expected
        assert await told(key) == expected[1:2]
        late = await hub.watch(TASK, after=0)
        assert await told(late, 3) == expected


async def test_a_watch_of_what_is_not_written_yet(store: Store) -> None:
    """A scope that exists, because somebody wanted to write to it, is watched like one that does not."""
    async with open_hub(store) as hub:
        early = await hub.watch(TASK)
        assert await told(early) == [("ready", 0, None)]
        refused = Set("k", "1", condition=Condition(exists=True))
        assert not (await store.apply(TASK, [refused], writer=WRITER)).applied
        begun = await hub.watch(TASK)
        (ready,) = await told(begun)
        late = await hub.watch(TASK, after=0)
        assert await is_told_nothing(late)
        last = await put(store, hub, TASK, "a")
        assert ready in [("ready", last - 1, None), ("ready", 0, None)]  # a store may make it later
        for watch in (early, begun, late):
            assert await told(watch) == [("set", last, "a")]


async def test_a_watch_goes_on_after_what_its_reader_knows(store: Store) -> None:
    """With a revision, everything after it is told, whether it is still at hand or only in the log."""
    async with open_hub(store) as hub:
        first = await put(store, hub, ASSET, "a")
        for _ in range(4):
            last = await put(store, hub, ASSET, "a", "b")
        for after in range(first, last + 1):
            watch = await hub.watch(ASSET, after=after)
            expected = list(range(after + 1, last + 1))
            assert [revision for _, revision, _ in await told(watch, len(expected))] == expected
            assert await is_told_nothing(watch, 0.001)
        # The events that come now are kept, so that another watch need not read the log.
        last = await put(store, hub, ASSET, "a", "b", "c")
        assert await told(watch, 3) == [("set", last - 2, "a"), ("set", last - 1, "b"), ("set", last, "c")]
        again = await hub.watch(ASSET, after=last - 2)
        assert await told(again, 2) == [("set", last - 1, "b"), ("set", last, "c")]
        key = await hub.watch(ASSET, key="b", after=first)
        assert [revision for _, revision, _ in await told(key, 5)] == [
            first + 2,
            first + 4,
            first + 6,
            first + 8,
            last - 1,
        ]


async def test_a_revision_from_the_future(store: Store) -> None:
    """Who knows more than there is, because the scope was dropped or the database restored, is told to begin anew."""
    async with open_hub(store) as hub:
        last = await put(store, hub, TASK, "a")
        watch = await hub.watch(TASK, after=last + 1)
        assert await told(watch) == [("reset", last, None)]
        absent = await hub.watch(ASSET, after=5)
        assert await told(absent) == [("reset", 0, None)]
        await put(store, hub, TASK, "b")
        assert await told(watch) == [("set", last + 1, "b")]


async def test_a_scope_that_is_dropped(store: Store, clock: FakeClock) -> None:
    """Whoever watches it is told to begin anew, and then what is written to the new one of the same name."""
    async with open_hub(store) as hub:
        last = await put(store, hub, TASK, "a")
        other = await put(store, hub, ASSET, "a")
        watch, key, elsewhere = await hub.watch(TASK), await hub.watch(TASK, key="k"), await hub.watch(ASSET)
        assert await told(watch) == await told(key) == [("ready", last, None)]
        assert await told(elsewhere) == [("ready", other, None)]
        await store.drop(Run("etl", "run-1"))
        hub.moved(Run("etl", "run-1"))
        assert await told(watch) == await told(key) == [("reset", 0, None)]
        clock.advance(3600)
        await store.sweep()
        again = await put(store, hub, TASK, "k")
        assert await told(watch) == await told(key) == [("set", again, "k")]
        late = await hub.watch(TASK, after=last)
        assert await told(late) == [("reset", again, None)]
        assert await is_told_nothing(elsewhere)
        await store.drop(ASSET)
        hub.moved(ASSET)
        assert await told(elsewhere) == [("reset", 0, None)]


async def test_a_task_that_is_cleared_whole(store: Store) -> None:
    """A clear of every map index is told to whoever watches one of them."""
    async with open_hub(store) as hub:
        scopes = [TaskScope("etl", "run-1", "load", index) for index in range(2)]
        revisions = [await put(store, hub, scope, "a") for scope in scopes]
        watches = [await hub.watch(scope) for scope in scopes]
        other = await hub.watch(TaskScope("etl", "run-1", "other"))
        task = MappedTask("etl", "run-1", "load")
        hub.written(task, await store.apply(task, [Clear()], writer=WRITER))
        for watch, revision in zip(watches, revisions, strict=True):
            assert await told(watch, 2) == [("ready", revision, None), ("clear", revision + 1, None)]
        hub.written(task, await store.apply(task, [Clear()], writer=WRITER))
        assert await told(other) == [("ready", 0, None)]
        assert await is_told_nothing(other)


async def test_an_expiry_is_told_when_it_is_logged(store: Store, clock: FakeClock) -> None:
    """By the sweeper, or by the next write to the key."""
    async with open_hub(store) as hub:
        for key in "ab":
            last = await write(store, hub, TASK, Set(key, "1", clock.now + SECOND))
        watch = await hub.watch(TASK)
        assert await told(watch) == [("ready", last, None)]
        clock.advance(2)
        await delete(store, hub, TASK, "a")
        assert await told(watch) == [("expire", last + 1, "a")]
        assert await store.sweep() == 1
        hub.swept()
        assert await told(watch) == [("expire", last + 2, "b")]


async def test_what_others_write_is_found(backend_url: str | None, store: Store, clock: FakeClock) -> None:
    """Another process over the same database is not heard here; what it writes is seen all the same."""
    async with open_hub(store, poll=0.01) as hub:
        watches: dict[Scope, Watch] = {TASK: await hub.watch(TASK), ASSET: await hub.watch(ASSET)}
        for watch in watches.values():
            assert await told(watch) == [("ready", 0, None)]
        async with open_store(backend_url, clock) as other:
            writer = store if backend_url is None else other
            for scope, watch in watches.items():
                last = await put(writer, None, scope, "a", "b")
                assert await told(watch, 2) == [("set", last - 1, "a"), ("set", last, "b")]
            await writer.drop(Run("etl", "run-1"))
            assert await told(watches[TASK]) == [("reset", 0, None)]


async def test_more_than_is_kept(store: Store) -> None:
    """A reader that is told more than is kept at hand, while it is away, is told it from the log, and all of it."""
    async with open_hub(store) as hub:
        first = await put(store, hub, TASK, "a")
        watch, quick = await hub.watch(TASK), await hub.watch(TASK)
        key = await hub.watch(TASK, key="b")
        assert await told(watch) == await told(quick) == await told(key) == [("ready", first, None)]
        waiting = asyncio.create_task(told(key))
        last = first
        while last < first + MAX_EVENTS + 300:
            last = await put(store, hub, TASK, *["a"] * 100)
            assert len(await told(quick, 100)) == 100
        assert [watch.has_fallen_behind, quick.has_fallen_behind] == [True, False]
        expected = [("set", revision, "a") for revision in range(first + 1, last + 1)]
        assert await told(watch, last - first) == expected
        assert [watch.has_fallen_behind] == [False]
        last = await put(store, hub, TASK, "b", "c")
        assert await told(watch, 2) == [("set", last - 1, "b"), ("set", last, "c")]
        assert await waiting == [("set", last - 1, "b")]


async def test_a_log_that_was_trimmed(store: Store, clock: FakeClock) -> None:
    """Whoever comes back and knows less than the log has lost begins anew; whoever knows more goes on."""
    async with open_hub(store) as hub:
        first = await put(store, hub, TASK, "a", "b", "c")
        clock.advance(1)
        last = await put(store, hub, TASK, "a")
        await store.trim(before=clock.now)
        for after in (0, first - 3, first - 1):
            assert await told(await hub.watch(TASK, after=after)) == [("reset", last, None)]
        assert await told(await hub.watch(TASK, after=first)) == [("set", last, "a")]


async def test_a_log_that_does_not_reach_back(store: Store) -> None:
    """Where lines are missing between what a reader knows and what there is, it is told to begin anew."""

    class Trimmed(MemoryStore):
        """A store whose log has lost everything up to a revision."""

        lost = 0

        @override
        async def tails(self, positions: Mapping[Scope, int], *, limit: int = 256) -> Mapping[Scope, LogTail]:
            tails = await super().tails(positions, limit=limit)
            return {
                scope: LogTail(tail.revision, is_whole=False) if positions[scope] < self.lost else tail
                for scope, tail in tails.items()
            }

    store = Trimmed(clock=FakeClock())
    async with open_hub(store) as hub:
        first = await put(store, hub, TASK, "a", "b", "c")
        watch = await hub.watch(TASK)
        assert await told(watch) == [("ready", first, None)]
        store.lost = first + 2
        last = await put(store, hub, TASK, "a", "b", "c")
        assert await told(watch) == [("reset", last, None)]
        late = await hub.watch(TASK, after=first - 1)
        assert await told(late) == [("reset", last, None)]
        last = await put(store, hub, TASK, "a")
        assert await told(watch) == await told(late) == [("set", last, "a")]


async def test_a_key_that_is_never_written(store: Store) -> None:
    """Whoever watches it moves on with the scope all the same, so that it need not begin anew one day."""
    async with open_hub(store) as hub:
        first = await put(store, hub, TASK, "a")
        watch = await hub.watch(TASK, key="k")
        assert await told(watch) == [("ready", first, None)]
        waiting = asyncio.ensure_future(watch.next())
        await asyncio.sleep(0)
        other = await hub.watch(TASK)
        last = await put(store, hub, TASK, "a", "b")
        assert len(await told(other, 3)) == 3
        assert (watch.revision, waiting.done()) == (first, False)
        watch.beat()
        assert await waiting == []
        assert watch.revision == last


async def test_a_beat_takes_nothing_away(store: Store) -> None:
    """A watch that is to be woken for an event, and has its turn to give a sign of life first, is told the event."""
    async with open_hub(store) as hub:
        watch = await hub.watch(TASK, key="k")
        assert await told(watch) == [("ready", 0, None)]
        waiting = asyncio.ensure_future(watch.next())
        await asyncio.sleep(0)
        changes = (await store.apply(TASK, [Set("k", "1")], writer=WRITER)).revision
        tail = (await store.tails({TASK: 0}))[TASK]
        watch.feed.absorb(tail)  # as the hub does, just before it wakes whom it concerns
        watch.beat()
        events = await waiting
        assert events is not None
        assert [(event.kind, event.revision) for event in events] == [("set", changes)]
        assert await watch.next() == []


async def test_signs_of_life(store: Store) -> None:
    """Whoever is told nothing else is given a sign of life once in a heartbeat."""
    async with open_hub(store, heartbeat=0.1) as hub:
        watch = await hub.watch(TASK)
        assert await told(watch) == [("ready", 0, None)]
        for _ in range(3):
            assert await asyncio.wait_for(watch.next(), 10) == []


async def test_limits(store: Store) -> None:
    """A process serves so many watches, and so many of one owner; those that are over do not count."""
    async with open_hub(store, max_watches=3, max_watches_per_owner=2) as hub:
        watches = [await hub.watch(TASK, owner="alice"), await hub.watch(ASSET, owner="alice")]
        with pytest.raises(TooManyWatchesError) as caught:
            await hub.watch(TASK, owner="alice")
        assert caught.value.is_own
        watches.append(await hub.watch(TASK, owner="bob"))
        with pytest.raises(TooManyWatchesError) as caught:
            await hub.watch(TASK, owner="carol")
        assert not caught.value.is_own
        assert len(hub) == 3
        watches[0].close()
        watches[0].close()
        assert len(hub) == 2
        await hub.watch(TASK, owner="alice")
        for watch in watches[1:]:
            watch.close()
        assert len(hub) == 1


async def test_nothing_is_kept_of_watches_that_are_over(store: Store) -> None:
    """When the last one has gone, nothing is asked for and nobody need tell what is written."""
    async with open_hub(store, poll=0.01, heartbeat=0.1) as hub:
        assert (len(hub), hub.is_told) == (0, False)
        watches = [await hub.watch(TASK, key=key) for key in (None, "a", "b")]
        assert (len(hub), hub.is_told) == (3, True)
        for watch in watches:
            assert await told(watch) == [("ready", 0, None)]
            watch.close()
            assert await watch.next() is None
        assert (len(hub), hub.is_told) == (0, False)
        again = await hub.watch(TASK)
        last = await put(store, hub, TASK, "a")
        assert await told(again, 2) == [("ready", 0, None), ("set", last, "a")]


async def test_the_end(store: Store) -> None:
    """When the hub closes, every watch is over; a new one is refused."""
    async with open_hub(store, has_readers=True) as hub:
        watch = await hub.watch(TASK)
        assert await told(watch) == [("ready", 0, None)]

        async def read() -> str | None:
            assert await watch.next() is None
            ending = watch.ending
            watch.close()
            return ending

        reading = asyncio.create_task(read())
    assert await reading == "stopping"
    assert len(hub) == 0
    with pytest.raises(UnavailableError):
        await hub.watch(TASK)


async def test_a_server_that_stops(store: Store) -> None:
    """Once the server is about to stop, every watch is over and none begins, for as long as that is believed."""
    sign = StopSign()
    async with open_hub(store, heartbeat=0.1, stop_sign=sign) as hub:
        watch = await hub.watch(TASK)
        assert await told(watch) == [("ready", 0, None)]
        sign.tell()
        await until(lambda: watch.ending)
        assert await watch.next() is None
        with pytest.raises(UnavailableError):
            await hub.watch(TASK)
    async with open_hub(store) as hub:
        watch = await hub.watch(TASK)
        hub.stop_soon()
        assert watch.ending == "stopping"
        with pytest.raises(UnavailableError):
            await hub.watch(TASK)
        watch.close()


async def test_writes_do_not_wake_what_waits_for_its_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """While watching has had its share of a busy event loop, a write costs it nothing but a note."""
    waits = 0
    wait = Follower._wait

    async def counted(self: Follower) -> None:
        nonlocal waits
        waits += 1
        await wait(self)

    monkeypatch.setattr(Follower, "_wait", counted)
    async with open_hub(store) as hub:
        watch = await hub.watch(TASK)
        assert await told(watch) == [("ready", 0, None)]
        hub._follower._pace.spend(0.04)
        waits = 0
        for number in range(20):
            await put(store, hub, TASK, f"k{number}")
        assert waits < 10
        assert len(await told(watch, 20)) == 20


async def test_what_is_written_while_watching_rests_is_found(store: Store) -> None:
    """Scopes that are written to while watching has had its share of the time are found by the next question.

    That is asked soon, also where it would be asked rarely, because other processes are heard.
    """
    async with open_hub(store, poll=RARELY) as hub:
        other = TaskScope("dag", "run", "other")
        watches = {scope: await hub.watch(scope) for scope in (TASK, other)}
        for watch in watches.values():
            await told(watch)
        follower = hub._follower
        follower._pace.spend(10.0)  # longer than any machine takes for two writes
        noted = await put(store, hub, TASK, "noted")
        await until(lambda: follower.is_resting)
        missed = await put(store, hub, other, "missed")
        assert follower.has_missed
        follower._pace.spend(-10.0)
        follower._wake()
        assert await told(watches[other]) == [("set", missed, "missed")]
        assert await told(watches[TASK]) == [("set", noted, "noted")]
        assert not follower.has_missed


async def test_a_rest_is_over_soon_after_others_are_done(store: Store) -> None:
    """What was spent while others wanted the event loop is paid at its price now, once they no longer do."""
    async with open_hub(store) as hub:
        watch = await hub.watch(TASK)
        assert await told(watch) == [("ready", 0, None)]
        pace = hub._follower._pace
        for _ in range(100):
            pace.waited(0.001)
        pace.spend(0.7)
        assert pace.rest() > PATIENCE
        revision = await put(store, hub, TASK, "k")
        assert await told(watch) == [("set", revision, "k")]


class Counting(Observer):
    """Counts what it is told."""

    def __init__(self) -> None:
        self.polls = 0
        self.cut_off = 0

    @override
    def polled(self, seconds: float) -> None:
        self.polls += 1

    @override
    def watch_cut_off(self) -> None:
        self.cut_off += 1


async def test_a_slow_reader_is_cut_off(store: Store) -> None:
    """Who does not take what is sent is cancelled in the middle of it, once it cannot be waited for any more."""
    counting = Counting()
    async with open_hub(store, heartbeat=1.2, observer=counting) as hub:

        async def read(watch: Watch) -> str:
            await told(watch)
            watch.began_sending()
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                return f"{watch.ending} {watch.was_cut_off}"
            finally:
                watch.close()
            return "never"

        stuck = asyncio.create_task(read(await hub.watch(TASK)))
        other = await hub.watch(TASK)
        await told(other)
        other.began_sending()
        other.sent(10)
        assert await asyncio.wait_for(stuck, 30) == "slow True"
        assert counting.cut_off == 1
        assert other.ending is None
        other.close()


async def test_a_reader_that_is_stuck_at_the_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A close does not wait for ever for who does not take what is sent."""
    monkeypatch.setattr("statemount.watching.hub._CLOSE_SECONDS", 0.05)
    async with open_hub(store, has_readers=True) as hub:
        watch = await hub.watch(TASK)

        async def read() -> None:
            watch.began_sending()
            try:
                await asyncio.sleep(3600)
            finally:
                watch.close()

        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert watch.was_cut_off


class Failing(MemoryStore):
    """A store that cannot be asked for its log while it is told so."""

    is_down = False
    asked: list[str]

    def __init__(self) -> None:
        super().__init__(clock=FakeClock())
        self.asked = []

    @override
    async def revisions(self, scopes: Collection[Scope]) -> Mapping[Scope, int]:
        self._note("revisions")
        return await super().revisions(scopes)

    @override
    async def tails(self, positions: Mapping[Scope, int], *, limit: int = 256) -> Mapping[Scope, LogTail]:
        self._note("tails")
        return await super().tails(positions, limit=limit)

    def _note(self, what: str) -> None:
        self.asked.append(what)
        if self.is_down:
            raise UnavailableError("it is down")


async def test_a_database_that_is_down(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch that begins is refused; one that is there goes on once the database is back. It is logged once."""
    monkeypatch.setattr("statemount.watching.follower._RETRY_SECONDS", 0.01)
    store = Failing()
    async with open_hub(store, poll=0.01) as hub:
        watch = await hub.watch(TASK)
        assert await told(watch) == [("ready", 0, None)]
        store.is_down = True
        last = await put(store, hub, TASK, "a")
        await until(lambda: store.asked.count("tails") >= 3)
        with pytest.raises(UnavailableError):
            await hub.watch(TASK)
        with pytest.raises(UnavailableError):
            await hub.watch(ASSET)
        assert len(hub) == 1
        with caplog.at_level(logging.INFO, "statemount.watching"):
            store.is_down = False
            assert await told(watch) == [("set", last, "a")]
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == ["changes cannot be followed, which is tried again: it is down"]
    assert "changes are followed again" in [record.message for record in caplog.records]


async def test_a_reader_that_cannot_read_on() -> None:
    """Who is behind while the database is down is told so."""
    store = Failing()
    async with open_hub(store) as hub:
        last = await put(store, hub, TASK, *["a"] * 3)
        watch = await hub.watch(TASK, after=last - 2)
        store.is_down = True
        with pytest.raises(UnavailableError):
            await watch.next()


class Slow(MemoryStore):
    """A store that reads its log at once, and is slow to say what it has read to who is behind the others."""

    def __init__(self) -> None:
        super().__init__(clock=FakeClock())
        self.has_read = asyncio.Event()
        self.may_tell = asyncio.Event()

    @override
    async def tails(self, positions: Mapping[Scope, int], *, limit: int = 256) -> Mapping[Scope, LogTail]:
        found = await super().tails(positions, limit=limit)
        if limit <= 256 and not self.may_tell.is_set():
            self.has_read.set()
            await self.may_tell.wait()
        return found


async def test_what_is_written_while_somebody_reads_on() -> None:
    """Who reads on in the log, and finds nothing there, is told what was written meanwhile, and all that follows."""
    store = Slow()
    async with open_hub(store) as hub:
        first = await put(store, hub, TASK, "a")
        last = await put(store, hub, TASK, "a")
        watch = await hub.watch(TASK, key="k", after=first)
        reading = asyncio.create_task(told(watch))
        await store.has_read.wait()
        assert await put(store, hub, TASK, "k") == last + 1
        await until(lambda: watch.feed.position == last + 1)
        store.may_tell.set()
        assert await reading == [("set", last + 1, "k")]
        assert await put(store, hub, TASK, "k") == last + 2
        assert await told(watch) == [("set", last + 2, "k")]


async def test_the_end_while_somebody_reads_on() -> None:
    """Who goes away while the log is read for it is gone at once, not only after the next sign of life."""
    store = Slow()
    async with open_hub(store) as hub:
        first = await put(store, hub, TASK, "a")
        await put(store, hub, TASK, "a")
        watch = await hub.watch(TASK, key="k", after=first)
        reading = asyncio.create_task(watch.next())
        await store.has_read.wait()
        watch.end("left")
        store.may_tell.set()
        assert await asyncio.wait_for(reading, PATIENCE) is None


async def test_a_wait_for_the_log_that_is_given_up(store: Store) -> None:
    """A reader that goes away before its watch has begun leaves nothing behind."""
    async with open_hub(store) as hub:
        beginning = asyncio.create_task(hub.watch(TASK))
        await asyncio.sleep(0)
        beginning.cancel()
        with pytest.raises(asyncio.CancelledError):
            await beginning
        assert (len(hub), hub.is_told) == (0, False)


async def test_one_read_for_everybody() -> None:
    """However many watch a scope, its log is read once; and while nothing is written, nothing at all is read."""
    store, counting = Failing(), Counting()
    async with open_hub(store, poll=0.01, observer=counting) as hub:
        watches = [await hub.watch(TASK, key=key) for key in (None, "a", "b") * 40]
        for watch in watches:
            assert await told(watch) == [("ready", 0, None)]
        await until(lambda: counting.polls > 2)
        store.asked.clear()
        polls = counting.polls
        await until(lambda: counting.polls > polls + 3)
        assert store.asked == []
        last = await put(store, hub, TASK, "a", "b")
        for watch in watches:
            revisions = {None: [last - 1, last], "a": [last - 1], "b": [last]}[watch.key]
            assert [revision for _, revision, _ in await told(watch, len(revisions))] == revisions
        assert store.asked.count("tails") == 1


@pytest.mark.parametrize("drop", [None, ASSET, Run("etl", "run-1"), MappedTask("etl", "run-1", "load")])
async def test_only_what_belongs_together_is_looked_at(drop: Run | MappedTask | None) -> None:
    """What is dropped or cleared together is read again, and nothing else."""
    store = Failing()
    scopes: list[Scope] = [ASSET, TASK, TaskScope("etl", "run-1", "load", 3), TaskScope("etl", "run-1", "x")]
    belongs: dict[object, Callable[[Scope], bool]] = {
        None: lambda scope: False,
        ASSET: lambda scope: scope == ASSET,
        Run("etl", "run-1"): lambda scope: scope != ASSET,
        MappedTask("etl", "run-1", "load"): lambda scope: isinstance(scope, TaskScope) and scope.task_id == "load",
    }
    async with open_hub(store, poll=RARELY) as hub:
        watches = {scope: await hub.watch(scope) for scope in scopes}
        for watch in watches.values():
            await told(watch)
        revisions = {scope: await put(store, None, scope, "a") for scope in scopes}
        if drop is not None:
            hub.moved(drop)
        for scope, watch in watches.items():
            if belongs[drop](scope):
                assert await told(watch) == [("set", revisions[scope], "a")]
            else:
                assert await is_told_nothing(watch, 0.02)


async def test_many_watches_of_many_scopes(store: Store) -> None:
    """Changes of many scopes at once are each told to whoever watches that scope, and to nobody else."""
    scopes = [TaskScope("etl", "run-1", "load", index) for index in range(40)]
    async with open_hub(store, poll=0.02) as hub:
        watches = [(scope, await hub.watch(scope)) for scope in scopes for _ in range(2)]
        last: dict[Scope, int] = {}

        async def fill(number: int, scope: Scope) -> None:
            for round_ in range(3):
                last[scope] = await put(store, hub if number % 2 else None, scope, f"{number}-{round_}", "same")

        await asyncio.gather(*(fill(number, scope) for number, scope in enumerate(scopes)))
        for number, scope in enumerate(scopes):
            for other, watch in watches:
                if other == scope:
                    events = await told(watch, 7)
                    assert events[0] == ("ready", 0, None)
                    assert [revision for _, revision, _ in events[1:]] == list(range(last[scope] - 5, last[scope] + 1))
                    assert [key for _, _, key in events[1::2]] == [f"{number}-{round_}" for round_ in range(3)]
