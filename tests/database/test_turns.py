"""What is asked in one turn of the event loop is done together at its end."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Sequence

import pytest

from statemount.database.lane import Lane, Ticket
from statemount.database.turns import Turn
from statemount.errors import OverloadedError, UnavailableError

pytestmark = pytest.mark.anyio

_variable = contextvars.ContextVar("variable", default="empty")


class Work:
    """Notes each group, and answers it in upper case."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.contexts: list[str] = []
        self.error: Exception | None = None

    def __call__(self, group: Sequence[Ticket[str, str]]) -> None:
        self.groups.append([ticket.request for ticket in group])
        self.contexts.append(_variable.get())
        group[0].succeed(group[0].request.upper())
        if self.error is not None:
            raise self.error
        for ticket in group[1:]:
            ticket.succeed(ticket.request.upper())


def started(work: Work) -> Turn[str, str]:
    """Return a turn that takes requests."""
    turn: Turn[str, str] = Turn(work)
    turn.start()
    return turn


async def test_one_turn_is_one_group() -> None:
    """What is asked before the event loop goes on is one group, in its order; what is asked later is another."""
    work = Work()
    turn = started(work)
    assert list(await asyncio.gather(turn.ask("a"), turn.ask("b"))) == ["A", "B"]
    assert await turn.ask("c") == "C"
    assert work.groups == [["a", "b"], ["c"]]


async def test_nothing_of_a_request_leaks_into_the_work() -> None:
    """The work runs in an empty context, whoever asked first."""
    work = Work()
    turn = started(work)
    _variable.set("a request's")
    await turn.ask("a")
    assert work.contexts == ["empty"]


async def test_an_error_fails_those_that_have_no_answer() -> None:
    """Whoever was answered before the error keeps the answer."""
    work = Work()
    work.error = ValueError("wrong")
    turn = started(work)
    first, second = turn.ask("a"), turn.ask("b")
    assert await first == "A"
    with pytest.raises(ValueError, match="wrong"):
        await second


async def test_an_asker_that_goes_away() -> None:
    """A cancelled wait harms nobody else."""
    work = Work()
    turn = started(work)
    first, second = turn.ask("a"), turn.ask("b")
    first.cancel()
    assert await second == "B"


async def test_a_stopped_turn() -> None:
    """What was asked before is done, and nothing more is taken."""
    turn = started(Work())
    answer = turn.ask("a")
    turn.stop()
    assert await answer == "A"
    with pytest.raises(UnavailableError):
        turn.ask("b")


async def test_a_lane_takes_over_a_ticket() -> None:
    """It does it with what waits there already; where it would refuse a request, the ticket fails."""

    async def work(group: Sequence[Ticket[str, str]]) -> None:
        for ticket in group:
            ticket.succeed(ticket.request.upper())

    lane: Lane[str, str] = Lane(work, max_waiting=1)
    lane.start()
    loop = asyncio.get_running_loop()
    tickets = [Ticket[str, str](name, loop.create_future()) for name in "abc"]
    lane.take_over(tickets[0])
    lane.take_over(tickets[1])
    assert await tickets[0].answer == "A"
    with pytest.raises(OverloadedError):
        await tickets[1].answer
    await lane.stop()
    lane.take_over(tickets[2])
    with pytest.raises(UnavailableError):
        await tickets[2].answer
