"""The small parts: what watching may take of the time, and whose turn it is."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from statemount.watching.events import SharedEvents, WatchEvent
from statemount.watching.pace import Pace
from statemount.watching.stop_sign import BELIEVED_SECONDS, StopSign
from statemount.watching.waking import SLICE, Waker
from statemount.watching.watch import Watch
from statemount.watching.wheel import Wheel
from statemount.web.server_sent_events import event_texts
from tests.watching.support import ASSET, changes_of

pytestmark = pytest.mark.anyio


class Seconds:
    """A clock in seconds."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_pace() -> None:
    """A burst is free; what goes beyond it is paid with time, and a rest saves up another burst and no more."""
    clock = Seconds()
    pace = Pace(share=0.1, burst=0.5, clock=clock)
    assert pace.rest() == 0
    pace.spend(0.5)
    assert pace.rest() == 0
    pace.spend(0.25)
    assert pace.rest() == pytest.approx(2.5)
    clock.now += 2
    assert pace.rest() == pytest.approx(0.5)
    clock.now += 0.5
    assert pace.rest() == 0
    clock.now += 3600
    pace.spend(0.75)
    assert pace.rest() == pytest.approx(2.5)


def test_pace_of_an_idle_loop() -> None:
    """Where nobody else wants the event loop, work takes what it needs; once others do, its share gets small again."""
    clock = Seconds()
    pace = Pace(share=0.1, burst=0.5, clock=clock)
    for _ in range(50):
        pace.waited(0.0)
    pace.spend(0.75)
    assert pace.rest() == pytest.approx(0.25)
    for _ in range(50):
        pace.waited(0.00015)
    assert 0.25 < pace.rest() < 2.5
    for _ in range(50):
        pace.waited(0.01)
    assert pace.rest() == pytest.approx(2.5)


def test_looks_at_an_event_loop() -> None:
    """It is idle where nobody has wanted it for many looks in a row, however busy it was before."""
    clock = Seconds()
    pace = Pace(share=0.1, burst=0.5, clock=clock)
    pace.spend(0.75)
    for _ in range(10):
        for _ in range(19):
            pace.looked(0.0)
        pace.looked(0.001)
    assert pace.rest() == pytest.approx(2.5)
    for _ in range(20):
        pace.looked(0.0)
    assert pace.rest() == pytest.approx(0.25)
    pace.waited(0.01)
    pace.looked(0.0)
    assert pace.rest() == pytest.approx(2.5)


def test_wheel() -> None:
    """In one round each watch has one turn, as long as it is there."""
    chosen = iter([0, 3, 3])
    wheel = Wheel(4, choose=lambda below: next(chosen) % below)
    first, second, third = (cast(Watch, object()) for _ in range(3))
    places = [wheel.add(watch) for watch in (first, second, third)]
    assert [set(wheel.turn()) for _ in range(5)] == [set(), set(), {second, third}, {first}, set()]
    wheel.remove(third, places[2])
    assert [set(wheel.turn()) for _ in range(3)] == [set(), {second}, {first}]


def test_wheel_spreads() -> None:
    """Watches that come together do not have their turns together."""
    wheel = Wheel(8)
    for _ in range(400):
        wheel.add(cast(Watch, object()))
    assert all(wheel.turn() for _ in range(8))


def test_stop_sign() -> None:
    """A sign that was given counts for a while; a server that is there after that goes on."""
    clock = Seconds()
    sign = StopSign(clock)
    sign.attend()
    assert not sign.is_up()
    sign.tell()
    assert sign.is_up()
    clock.now += BELIEVED_SECONDS - 1
    assert sign.is_up()
    clock.now += 1
    assert not sign.is_up()
    sign.leave()


class Sleeper:
    """A watch that notes what happens to it."""

    def __init__(self, diary: list[str]) -> None:
        self.diary = diary

    def wake(self) -> None:
        asyncio.get_running_loop().call_soon(self.diary.append, "woken")

    def beat(self) -> None:
        self.diary.append("beat")


async def test_waking_leaves_others_their_turn() -> None:
    """Many watches are woken in slices, each before the next one; others have their turn in between."""
    diary: list[str] = []
    clock = Seconds()
    pace = Pace(share=0.1, burst=0.0, clock=clock)
    waker = Waker(asyncio.get_running_loop(), pace)
    sleepers = [cast(Watch, Sleeper(diary)) for _ in range(2 * SLICE + 1)]

    async def other() -> None:
        while len(diary) < len(sleepers):
            if not diary or diary[-1] != "other":
                diary.append("other")
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await waker.wake(sleepers)
    assert diary.count("woken") == len(sleepers)
    await task
    assert diary.count("other") >= 2
    assert pace.rest() > 0
    diary.clear()
    waker.beat(sleepers)
    assert diary == ["beat"] * SLICE
    for _ in sleepers:
        await asyncio.sleep(0)
    assert diary == ["beat"] * len(sleepers)


async def test_what_is_sent_is_paid_for() -> None:
    """Each thing that is sent takes of the time, and a large one more of it."""
    rests: list[float] = []
    for size in (0, 100_000):
        pace = Pace(share=0.1, burst=0.0, clock=Seconds())
        Waker(asyncio.get_running_loop(), pace).sent(size)
        rests.append(pace.rest())
    assert 0 < 2 * rests[0] < rests[1]


def test_the_text_of_many_events() -> None:
    """Events go out together, but not so many that a server has to keep much of them; each is made once."""
    changes = changes_of(*["k"] * 100)
    events = [WatchEvent.of(change._replace(value=f'"{"x" * 2000}"')) for change in changes]
    parts = list(event_texts(ASSET, events))
    assert 5 < len(parts) < 20
    assert max(map(len, parts)) < 40_000
    assert b"".join(parts).count(b"event: set\n") == 100
    assert [event.text for event in events[:3]] == [part + b"\n\n" for part in parts[0].split(b"\n\n")[:3]]
    assert list(event_texts(ASSET, events)) == parts
    assert list(event_texts(ASSET, [])) == []
    assert len(list(event_texts(ASSET, [WatchEvent("ready", 7)]))) == 1


def test_the_text_of_shared_events() -> None:
    """What several are told is put together once for all of them."""
    changes = changes_of(*["k"] * 100)
    events = SharedEvents(WatchEvent.of(change._replace(value=f'"{"x" * 2000}"')) for change in changes)
    parts = event_texts(ASSET, events)
    assert list(parts) == list(event_texts(ASSET, list(events)))
    assert event_texts(ASSET, events) is parts


def test_event() -> None:
    """An event says what it is, and about how large."""
    small, large = WatchEvent.of(changes_of("k")[0]), WatchEvent.of(changes_of("k")[0]._replace(value="x" * 1000))
    assert "'set', 1" in repr(small)
    assert large.size - small.size >= 1000
    assert WatchEvent("ready", 5).size > 0
    assert small.concerns("k")
    assert not small.concerns("j")
    assert small.concerns(None)
    assert WatchEvent("reset", 5).concerns("j")
