"""One runtime for each event loop: started once, kept, closed."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading

import pytest

from statemount.auth.host import HostAuth
from statemount.directory.memory import MemoryDirectory
from statemount.errors import ConfigurationError, UnavailableError
from statemount.interfaces import Resource
from statemount.runtime import Opened, Opener, Runtime, Runtimes
from statemount.watching.hub import Hub
from statemount.watching.options import WatchOptions
from tests.life.support import HostStore

pytestmark = pytest.mark.anyio


class Part(Resource):
    """A part of a runtime that notes what happens to it."""

    def __init__(self, name: str, diary: list[str], error: Exception | None = None) -> None:
        self.name = name
        self.diary = diary
        self.error = error

    async def open(self) -> None:
        self.diary.append(f"open {self.name}")

    async def close(self) -> None:
        self.diary.append(f"close {self.name}")
        if self.error is not None:
            raise self.error

    def abandon(self) -> None:
        self.diary.append(f"abandon {self.name}")
        if self.error is not None:
            raise self.error


def runtimes_with(*parts: Resource, store: HostStore | None = None) -> Runtimes:
    """Return runtimes that consist of these parts."""

    async def open_all(opened: Opened) -> Runtime:
        for part in parts:
            await opened.open(part)
        opened_store = await opened.open(store or HostStore([]))
        hub = await opened.open(Hub(opened_store, WatchOptions()))
        return Runtime(opened_store, MemoryDirectory(), HostAuth(lambda connection: None), hub)

    return Runtimes(open_all)


async def test_concurrent_first_uses_share_one_start() -> None:
    """Fifty first uses at once open everything once, and all get the same runtime."""
    diary: list[str] = []
    runtimes = runtimes_with(store=HostStore(diary))
    found = await asyncio.gather(*(runtimes.current() for _ in range(50)))
    assert diary == ["opened"]
    assert all(runtime is found[0] for runtime in found)
    assert await runtimes.current() is runtimes.running() is found[0]
    await runtimes.stop()


async def test_a_cancelled_first_use_does_not_cancel_the_start() -> None:
    """A caller that goes away during the start leaves it to the others."""
    diary: list[str] = []
    runtimes = runtimes_with(store=HostStore(diary))
    first = asyncio.create_task(runtimes.current())
    second = asyncio.create_task(runtimes.current())
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert isinstance(await second, Runtime)
    assert diary == ["opened"]
    await runtimes.stop()


async def test_a_failed_start_reaches_everybody_and_is_not_remembered() -> None:
    """Everybody who waits for a start gets its error; the next use tries again."""
    store = HostStore([], [UnavailableError("down"), ConfigurationError("wrong")])
    runtimes = runtimes_with(store=store)
    errors = await asyncio.gather(*(runtimes.current() for _ in range(3)), return_exceptions=True)
    assert [str(error) for error in errors] == ["down"] * 3
    with pytest.raises(ConfigurationError, match="wrong"):
        await runtimes.current()
    assert isinstance(await runtimes.current(), Runtime)
    assert store.diary == ["failed", "failed", "opened"]
    await runtimes.stop()


async def test_a_failed_start_that_nobody_waits_for_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """When its only caller has gone, a failed start leaves no complaint about an exception that nobody saw."""
    runtimes = runtimes_with(store=HostStore([], [UnavailableError("down")]))
    caller = asyncio.create_task(runtimes.current())
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait([caller])
    for _ in range(5):
        await asyncio.sleep(0)
    del caller
    gc.collect()
    assert caplog.records == []
    assert runtimes.running() is None


async def test_a_failed_start_closes_what_it_had_opened() -> None:
    """Parts that were opened before the failure are closed, the last one first."""
    diary: list[str] = []
    runtimes = runtimes_with(Part("a", diary), Part("b", diary), store=HostStore(diary, [UnavailableError("down")]))
    with pytest.raises(UnavailableError):
        await runtimes.current()
    await runtimes.stop()
    assert diary == ["open a", "open b", "failed", "close b", "close a"]


async def test_closing_goes_backwards_and_on_through_errors(caplog: pytest.LogCaptureFixture) -> None:
    """A part that cannot be closed is logged; those opened before it are closed all the same."""
    diary: list[str] = []
    runtimes = runtimes_with(Part("a", diary), Part("b", diary, OSError("stuck")), Part("c", diary))
    await runtimes.current()
    await runtimes.stop()
    assert diary[3:] == ["close c", "close b", "close a"]
    assert "Part could not be closed" in caplog.text
    assert "stuck" in caplog.text


async def test_a_use_during_the_stop_waits_and_starts_another() -> None:
    """What is closing is not handed out: a use that comes meanwhile gets a new runtime, opened afterwards."""
    diary: list[str] = []
    runtimes = runtimes_with(store=HostStore(diary))
    old = await runtimes.current()
    stopping = asyncio.create_task(runtimes.stop())
    await asyncio.sleep(0)
    assert runtimes.running() is None
    assert await runtimes.current() is not old
    await stopping
    assert diary == ["opened", "closed", "opened"]
    await runtimes.stop()


async def test_a_stop_during_the_start_ends_it() -> None:
    """Whoever waits for a start that is being stopped gets the next runtime, and everything is closed in the end."""
    diary: list[str] = []
    runtimes = runtimes_with(store=HostStore(diary))
    caller = asyncio.create_task(runtimes.current())
    await asyncio.sleep(0)
    await runtimes.stop()
    assert await caller is runtimes.running()
    await runtimes.stop()
    assert diary == ["opened", "closed"] * 2


async def test_a_cancelled_stop_goes_on() -> None:
    """Everything is closed though the caller of stop has gone; a second stop waits for that."""
    diary: list[str] = []
    runtimes = runtimes_with(store=HostStore(diary))
    await runtimes.current()
    caller = asyncio.create_task(runtimes.stop())
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()
    await runtimes.stop()
    assert diary == ["opened", "closed"]


async def test_stop_without_a_start_does_nothing() -> None:
    """To stop what never started, or has been stopped, is a no-op."""
    diary: list[str] = []
    runtimes = runtimes_with(store=HostStore(diary))
    await runtimes.stop()
    await runtimes.current()
    await runtimes.stop()
    await runtimes.stop()
    assert diary == ["opened", "closed"]


async def test_the_start_runs_in_an_empty_context() -> None:
    """Nothing of the context of whoever is first (a span, a user, a transaction) is seen by what is opened."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="empty")
    seen: list[str] = []

    async def look(opened: Opened) -> Runtime:
        seen.append(variable.get())
        store = HostStore([])
        return Runtime(store, MemoryDirectory(), HostAuth(lambda connection: None), Hub(store, WatchOptions()))

    variable.set("of the first request")
    runtimes = Runtimes(look)
    await runtimes.current()
    assert seen == ["empty"]
    await runtimes.stop()


def test_the_end_of_an_event_loop_closes_its_runtime() -> None:
    """asyncio.run cancels what is left: the runtime is closed on its own loop; the next loop starts another."""
    diary: list[str] = []
    runtimes = runtimes_with(Part("a", diary), store=HostStore(diary))
    for _ in range(3):
        asyncio.run(_use(runtimes))
    assert diary == ["open a", "opened", "closed", "close a"] * 3


async def _use(runtimes: Runtimes) -> Runtime:
    return await runtimes.current()


def test_the_end_of_an_event_loop_during_the_start_closes_what_is_open() -> None:
    """A start that the end of its loop interrupts gives everything back."""
    diary: list[str] = []

    class Slow(Part):
        async def open(self) -> None:
            await asyncio.Event().wait()

    runtimes = runtimes_with(Part("a", diary), Slow("b", diary))

    async def begin() -> None:
        caller = asyncio.create_task(runtimes.current())
        for _ in range(3):
            await asyncio.sleep(0)
        assert not caller.done()

    asyncio.run(begin())
    assert diary == ["open a", "close a"]


def test_a_second_cancellation_does_not_leave_parts_open() -> None:
    """A part whose closing is cancelled does not keep the others from being closed."""
    diary: list[str] = []

    class Slow(Part):
        async def close(self) -> None:
            await super().close()
            await asyncio.Event().wait()

    runtimes = runtimes_with(Part("a", diary), Slow("b", diary))

    async def leave() -> None:
        await runtimes.current()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        for _ in range(3):
            await asyncio.sleep(0)

    asyncio.run(leave())
    assert diary == ["open a", "open b", "close b", "close a"]


def test_two_event_loops_at_once_have_a_runtime_each() -> None:
    """Loops in two threads start and stop independently of each other."""
    diary: list[str] = []
    runtimes = Runtimes(_opener(diary))
    both_run = threading.Barrier(2, timeout=30)
    found: list[Runtime] = []

    async def use() -> None:
        found.append(await runtimes.current())
        both_run.wait()
        assert runtimes.running() is await runtimes.current()
        both_run.wait()

    threads = [threading.Thread(target=lambda: asyncio.run(use())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found[0] is not found[1]
    assert sorted(diary) == ["closed", "closed", "opened", "opened"]


def _opener(diary: list[str]) -> Opener:
    async def open_all(opened: Opened) -> Runtime:
        store = await opened.open(HostStore(diary))
        return Runtime(store, MemoryDirectory(), HostAuth(lambda connection: None), Hub(store, WatchOptions()))

    return open_all


def test_a_loop_that_was_closed_with_its_tasks_is_abandoned(caplog: pytest.LogCaptureFixture) -> None:
    """The next start gives up, without an event loop, what a loop left behind that was closed under its tasks."""
    diary: list[str] = []
    runtimes = runtimes_with(Part("a", diary), Part("b", diary, OSError("stuck")))
    loop = asyncio.new_event_loop()
    loop.run_until_complete(runtimes.current())
    loop.close()
    assert diary == ["open a", "open b"]
    asyncio.run(_use(runtimes))
    assert diary[2:] == ["abandon b", "abandon a", "open a", "open b", "close b", "close a"]
    assert "Part could not be abandoned" in caplog.text
    gc.collect()
    assert "destroyed" not in caplog.text


async def test_an_app_that_nobody_can_reach_any_more_is_closed() -> None:
    """When the last reference to an app goes, what it has open on a running loop is closed there."""
    diary: list[str] = []
    closed = asyncio.Event()

    class Last(Part):
        async def close(self) -> None:
            await super().close()
            closed.set()

    runtimes = runtimes_with(Last("a", diary))
    await runtimes.current()
    del runtimes
    gc.collect()
    await asyncio.wait_for(closed.wait(), 30)
    assert diary == ["open a", "close a"]


def test_an_app_that_goes_after_its_loop_is_abandoned() -> None:
    """When the last reference to an app goes after its loop was closed under its tasks, it gives up what it holds."""
    diary: list[str] = []
    runtimes = runtimes_with(Part("a", diary))
    loop = asyncio.new_event_loop()
    loop.run_until_complete(runtimes.current())
    loop.close()
    del runtimes
    gc.collect()
    assert diary == ["open a", "abandon a"]


def test_without_an_event_loop_of_asyncio_it_says_so() -> None:
    """Outside of asyncio, every entrance says that asyncio is needed, and names trio."""
    runtimes = runtimes_with()
    for call in (runtimes.current(), runtimes.stop()):
        with pytest.raises(ConfigurationError, match="asyncio alone.*trio"):
            call.send(None)
    with pytest.raises(ConfigurationError, match="asyncio alone.*trio"):
        runtimes.running()
