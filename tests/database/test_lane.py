"""A lane does together what waits together, in the order in which it came."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Sequence
from typing import TypeAlias

import pytest

from statemount.database.lane import Lane, Ticket
from statemount.errors import LockedError, OverloadedError, UnavailableError, WriteOutcomeUnknownError

pytestmark = pytest.mark.anyio

Group: TypeAlias = Sequence[Ticket[str, str]]

_variable = contextvars.ContextVar("variable", default="empty")


class Work:
    """Notes each group and answers it in upper case, once it may."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.contexts: list[str] = []
        self.may = asyncio.Event()
        self.began = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, group: Group) -> None:
        self.groups.append([ticket.request for ticket in group])
        self.contexts.append(_variable.get())
        self.began.set()
        await self.may.wait()
        if self.error is not None:
            raise self.error
        for ticket in group:
            ticket.succeed(ticket.request.upper())


async def started(work: Callable[[Group], object], **options: int) -> Lane[str, str]:
    """Return a running lane."""
    lane: Lane[str, str] = Lane(work, **options)  # type: ignore[arg-type]
    lane.start()
    return lane


async def held(**options: int) -> tuple[Lane[str, str], Work, asyncio.Future[str]]:
    """Return a lane that is busy with a first request, its work, and that request's answer."""
    work = Work()
    lane = await started(work, **options)
    first = lane.ask("first")
    await work.began.wait()
    return lane, work, first


async def test_what_waits_together_is_done_together() -> None:
    """While a group is done the next ones wait, and are then one group, in their order."""
    lane, work, first = await held()
    answers = [lane.ask(letter) for letter in "abcde"]
    work.may.set()
    assert await asyncio.gather(first, *answers) == ["FIRST", "A", "B", "C", "D", "E"]
    assert work.groups == [["first"], ["a", "b", "c", "d", "e"]]
    await lane.stop()


async def test_a_group_has_at_most_so_many_operations() -> None:
    """A group ends before its operations are too many; a request alone may have more than that."""
    lane, work, _ = await held(max_operations=4)
    answers = [lane.ask(name, count=count) for name, count in zip("abcdef", (3, 1, 1, 9, 2, 2), strict=True)]
    work.may.set()
    await asyncio.gather(*answers)
    assert work.groups[1:] == [["a", "b"], ["c"], ["d"], ["e", "f"]]
    await lane.stop()


async def test_a_group_has_at_most_so_many_bytes() -> None:
    """A group ends before its bytes are too many; a request alone may have more than that."""
    lane, work, _ = await held(max_bytes=10)
    answers = [lane.ask(name, size=size) for name, size in zip("abcdef", (5, 5, 1, 99, 0, 10), strict=True)]
    work.may.set()
    await asyncio.gather(*answers)
    assert work.groups[1:] == [["a", "b"], ["c"], ["d"], ["e", "f"]]
    await lane.stop()


async def test_the_usual_limits_of_a_group() -> None:
    """A group takes 256 operations and 1 MiB."""
    lane, work, _ = await held()
    few = [lane.ask(str(number)) for number in range(300)]
    big = [lane.ask("big", size=512 * 1024) for _ in range(3)]
    work.may.set()
    await asyncio.gather(*few, *big)
    assert [len(group) for group in work.groups] == [1, 256, 46, 1]
    await lane.stop()


async def test_a_request_that_was_cancelled_is_not_done() -> None:
    """Who goes away while waiting is left out; who goes away later changes nothing for the others."""
    lane, work, first = await held()
    answers = [lane.ask(letter) for letter in "abc"]
    answers[1].cancel()
    first.cancel()
    work.may.set()
    assert [await answers[0], await answers[2]] == ["A", "C"]
    assert work.groups == [["first"], ["a", "c"]]
    await lane.stop()


async def test_requests_that_are_all_cancelled() -> None:
    """A lane whose every request went away waits for the next one."""
    lane, work, _ = await held()
    for letter in "abc":
        lane.ask(letter).cancel()
    work.may.set()
    await asyncio.sleep(0)
    assert await lane.ask("d") == "D"
    assert work.groups == [["first"], ["d"]]
    await lane.stop()


async def test_a_failure_reaches_everybody_in_the_group() -> None:
    """An error of the work is each request's answer; the next group is not touched by it."""
    lane, work, first = await held()
    work.error = LookupError("broken")
    work.may.set()
    with pytest.raises(LookupError, match="broken"):
        await first
    work.may.clear()
    answers = [lane.ask(letter) for letter in "ab"]
    await asyncio.sleep(0)
    answers[0].cancel()  # its group is under way
    work.may.set()
    with pytest.raises(LookupError, match="broken"):
        await answers[1]
    assert work.groups[1] == ["a", "b"]
    work.error = None
    assert await lane.ask("c") == "C"
    await lane.stop()


@pytest.mark.parametrize(
    ("error", "long_seconds", "told"),
    [
        (UnavailableError("no answer"), 0, UnavailableError),
        (OverloadedError("no answer"), 0, OverloadedError),
        (WriteOutcomeUnknownError("no answer"), 0, UnavailableError),
        (UnavailableError("no answer"), 60, None),
        (LockedError("no answer"), 0, None),
        (LookupError("no answer"), 0, None),
    ],
)
async def test_what_waited_while_the_database_did_not_answer(
    error: Exception, long_seconds: int, told: type[Exception] | None
) -> None:
    """What has waited for long behind a group that got no answer is told so at once, and that it was not done."""
    groups: list[list[str]] = []

    async def work(group: Group) -> None:
        groups.append([ticket.request for ticket in group])
        await asyncio.sleep(0)
        if group[0].request == "first":
            raise error
        for ticket in group:
            ticket.succeed(ticket.request.upper())

    lane = await started(work, long_seconds=long_seconds)
    first = lane.ask("first")
    await asyncio.sleep(0)
    second = lane.ask("second")
    with pytest.raises(type(error), match="no answer"):
        await first
    if told is None:
        assert await second == "SECOND"
    else:
        with pytest.raises(told, match="no answer") as caught:
            await second
        assert type(caught.value) is told
    assert await lane.ask("third") == "THIRD"
    assert groups == [["first"], *([["second"]] if told is None else []), ["third"]]
    await lane.stop()


async def test_too_much_waits() -> None:
    """What comes when so many wait already is refused at once, and only that."""
    lane, work, _ = await held(max_waiting=2)
    answers = [lane.ask(letter) for letter in "ab"]
    with pytest.raises(OverloadedError, match="^2 requests wait for the database already$"):
        lane.ask("c")
    work.may.set()
    assert await asyncio.gather(*answers) == ["A", "B"]
    assert await lane.ask("d") == "D"
    await lane.stop()


async def test_stopping_does_what_was_accepted() -> None:
    """Stop waits until everything that was asked is answered, and refuses what comes later."""
    lane, work, first = await held()
    second = lane.ask("second")
    stopping = asyncio.ensure_future(lane.stop())
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError, match="closing"):
        lane.ask("third")
    assert not stopping.done()
    work.may.set()
    await stopping
    assert (first.result(), second.result()) == ("FIRST", "SECOND")
    await lane.stop()
    with pytest.raises(UnavailableError, match="closing"):
        lane.ask("fourth")


async def test_a_stop_that_is_cancelled_leaves_the_work_alone() -> None:
    """Who no longer waits for the stop does not break off what is under way."""
    lane, work, first = await held()
    stopping = asyncio.ensure_future(lane.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    work.may.set()
    assert await first == "FIRST"
    await lane.stop()


async def test_a_lane_that_never_started_or_is_idle() -> None:
    """A lane that does not run refuses, and stops at once."""
    lane: Lane[str, str] = Lane(Work())
    with pytest.raises(UnavailableError):
        lane.ask("a")
    await lane.stop()
    idle = await started(Work())
    await asyncio.sleep(0)
    await asyncio.wait_for(idle.stop(), 1)


async def test_the_end_of_the_event_loop() -> None:
    """When the worker itself is cancelled nobody waits for ever, and stop returns."""
    lane, work, first = await held()
    second = lane.ask("second")
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        if "Lane._run" in repr(task.get_coro()):
            task.cancel()
    for answer in (first, second):
        with pytest.raises(UnavailableError, match="^the store was closed$"):
            await answer
    assert work.groups == [["first"]]
    with pytest.raises(UnavailableError):
        lane.ask("third")
    await lane.stop()


async def test_the_worker_knows_nothing_of_a_request() -> None:
    """Nothing that is in the context of who starts the lane, or of who asks, is in the worker's."""
    token = _variable.set("the host's")
    try:
        work = Work()
        work.may.set()
        lane = await started(work)
        _variable.set("the request's")
        await lane.ask("a")
        assert work.contexts == ["empty"]
        await lane.stop()
    finally:
        _variable.reset(token)
