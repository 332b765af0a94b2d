"""What is kept of a scope's log, and what a watch is told of it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from statemount.model import Change, LogTail
from statemount.watching.feed import Feed
from statemount.watching.hub import Hub
from statemount.watching.watch import Watch
from tests.watching.support import TASK, changes_of

_HUB = cast(Hub, None)  # nothing of it is used here


def make_feed(position: int, **limits: Any) -> Feed:
    """Return a feed that follows a log after a revision."""
    feed = Feed(TASK, **limits)
    feed.begin(position)
    return feed


def add_watch(feed: Feed, key: str | None = None, *, after: int | None = None) -> Watch:
    """Return a watch that has begun."""
    watch = Watch(_HUB, feed, key, "")
    feed.add(watch)
    watch.begin(feed.position if after is None else after)
    return watch


def absorb(feed: Feed, *keys: str | None) -> set[Watch]:
    """Let a feed read the next changes; return who is woken."""
    assert feed.position is not None
    changes = changes_of(*keys, first=feed.position + 1)
    return set(feed.absorb(LogTail(changes[-1].revision, changes)))


def taken(feed: Feed, watch: Watch) -> list[tuple[str, int]] | None:
    """Return what a watch is told."""
    events = feed.take(watch)
    return None if events is None else [(event.kind, event.revision) for event in events]


def test_everybody_is_told_each_change_once_and_in_order() -> None:
    """Two watches of a scope are told the same, by the same objects."""
    feed = make_feed(4)
    first, second = add_watch(feed), add_watch(feed)
    assert absorb(feed, "a", "b") == {first, second}
    events = feed.take(first)
    assert events is not None
    assert [event.revision for event in events] == [5, 6]
    assert absorb(feed, "c") == {first, second}
    rest = feed.take(second)
    assert rest is not None
    assert [event.revision for event in rest] == [5, 6, 7]
    assert rest[0] is events[0]
    assert (taken(feed, first), taken(feed, first), taken(feed, second)) == ([("set", 7)], [], [])
    assert feed.position == 7


def test_who_comes_from_the_same_place_is_told_the_same() -> None:
    """Only who is at another place, or watches something else, is told other things."""
    feed = make_feed(4)
    first, second, key = add_watch(feed), add_watch(feed), add_watch(feed, "b")
    absorb(feed, "a", "b", "b")
    events = feed.take(first)
    assert events
    assert feed.take(second) is events
    assert taken(feed, key) == [("set", 6), ("set", 7)]
    late = add_watch(feed, after=6)
    assert taken(feed, late) == [("set", 7)]
    assert (first.revision, second.revision, key.revision, late.revision) == (7, 7, 7, 7)
    absorb(feed, "c")
    assert [taken(feed, watch) for watch in (first, second, key, late)] == [[("set", 8)]] * 2 + [[], [("set", 8)]]


def test_a_watch_of_a_key_is_told_of_that_key_and_of_what_concerns_all() -> None:
    """Changes of other keys do not even wake it; a clear and a gap do."""
    feed = make_feed(0)
    whole, key = add_watch(feed), add_watch(feed, "k")
    assert absorb(feed, "a", "b") == {whole}
    assert absorb(feed, "a", "k", "b") == {whole, key}
    assert taken(feed, key) == [("set", 4)]
    assert absorb(feed, None) == {whole, key}
    assert taken(feed, key) == [("clear", 6)]
    assert set(feed.absorb(LogTail(9, is_whole=False))) == {whole, key}
    assert taken(feed, key) == [("reset", 9)]


def test_nothing_new_wakes_nobody() -> None:
    """A log with nothing new is no event."""
    feed = make_feed(4)
    add_watch(feed)
    assert list(feed.absorb(LogTail(4))) == []


@pytest.mark.parametrize("limits", [{"max_events": 3}, {"max_bytes": 2000}])
def test_the_oldest_events_go(limits: dict[str, int]) -> None:
    """Who waits for an event that is gone is told that it must read the log; others are told what is left."""
    feed = make_feed(0, **limits)
    late, early = add_watch(feed), add_watch(feed)
    absorb(feed, "a")
    assert taken(feed, early) == [("set", 1)]
    absorb(feed, "b", "c", "d")
    assert taken(feed, late) is None
    assert late.has_fallen_behind
    assert taken(feed, early) == [("set", 2), ("set", 3), ("set", 4)]
    assert not early.has_fallen_behind
    assert [feed.number_after(revision, 0) for revision in (0, 1, 2, 3, 4, 5)] == [None, 1, 2, 3, 4, 4]


def test_the_latest_event_stays_however_large() -> None:
    """An event that alone is larger than the limit is kept until the next one comes."""
    feed = make_feed(0, max_bytes=2000)
    watch = add_watch(feed)
    feed.absorb(LogTail(1, (Change(1, "set", "k", 0, value="x" * 5000),)))
    assert taken(feed, watch) == [("set", 1)]
    absorb(feed, "a")
    assert feed.number_after(0, 0) is None


def test_who_has_read_further_is_not_told_twice() -> None:
    """A watch that has read the log beyond what was read for all is told what comes after."""
    feed = make_feed(4)
    watch = add_watch(feed)
    watch.revision = 6
    number = feed.number_after(6, feed.generation)
    assert number is not None
    watch.number = number
    absorb(feed, "a", "b", "c")
    assert taken(feed, watch) == [("set", 7)]


def test_a_gap() -> None:
    """What comes after a gap is told after it, and what was before it is gone."""
    feed = make_feed(4)
    watch, late = add_watch(feed), add_watch(feed)
    absorb(feed, "a")
    assert taken(feed, watch) == [("set", 5)]
    feed.absorb(LogTail(2, is_whole=False))
    absorb(feed, "b")
    assert taken(feed, watch) == [("reset", 2), ("set", 3)]
    assert taken(feed, late) is None
    # Who read the log before the gap was seen is told of it; who read it afterwards knows.
    assert feed.number_after(5, 0) == 1
    assert feed.number_after(2, feed.generation) == 2
    assert feed.number_after(3, feed.generation) == 3
    late.number, late.revision = 1, 5
    assert taken(feed, late) == [("reset", 2), ("set", 3)]


def test_a_gap_that_nobody_can_be_told_of_any_more() -> None:
    """Who read the log before a gap, which is gone meanwhile, must read it again."""
    feed = make_feed(4, max_events=2)
    add_watch(feed)
    feed.absorb(LogTail(7, is_whole=False))
    absorb(feed, "a", "b", "c")
    assert feed.number_after(4, 0) is None


def test_the_first_changes_of_a_scope() -> None:
    """A scope that did not exist begins anywhere: its first change follows nothing, and none is missing."""
    feed = make_feed(0)
    watch, late = add_watch(feed), add_watch(feed)
    feed.absorb(LogTail(1001, changes_of("a", "b", first=1000)))
    assert taken(feed, watch) == [("set", 1000), ("set", 1001)]
    assert feed.number_after(0, 0) is None
    assert feed.number_after(1000, 0) == 1
    absorb(feed, "c")
    assert taken(feed, late) == [("set", 1000), ("set", 1001), ("set", 1002)]


def test_a_scope_that_is_made_before_it_is_written() -> None:
    """A scope that exists and has no changes yet begins where it is, and nothing is missing."""
    feed = make_feed(0)
    watch = add_watch(feed)
    assert list(feed.absorb(LogTail(999))) == []
    assert feed.position == 999
    assert absorb(feed, "a") == {watch}
    assert taken(feed, watch) == [("set", 1000)]
    assert (feed.number_after(0, 0), feed.number_after(999, 0)) == (None, 0)


def test_who_has_left_is_not_woken() -> None:
    """A watch that is over is forgotten; to let it go once more changes nothing."""
    feed = make_feed(0)
    watch, other = add_watch(feed, "k"), add_watch(feed, "k")
    feed.remove(watch)
    feed.remove(watch)
    assert absorb(feed, "k") == {other}
    feed.remove(other)
    feed.remove(other)
    assert absorb(feed, "k") == set()


def test_nothing_is_known_before_the_log_was_read() -> None:
    """As long as nothing was read, everybody has to read the log."""
    assert Feed(TASK).number_after(3, 0) is None
