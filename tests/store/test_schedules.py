"""Random schedules of tasks that write, read and go away at once: one order of events explains all that they saw."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typing_extensions import override

from statemount.database.connections import Connections
from statemount.database.lane import Lane
from statemount.database.schema import TableNames
from statemount.database.url import DatabaseUrl
from statemount.interfaces import Store
from statemount.model import AssetScope, Change, Entry, Scope, TaskScope, Writer
from statemount.operations import Check, Clear, Condition, Delete, Get, Increment, Operation, Outcome, Result, Set
from statemount.store.database import DatabaseStore
from statemount.store.memory import MemoryStore
from tests.clock import FakeClock
from tests.store.histories import BrokenError, History, Read, Wrote, check_history

pytestmark = pytest.mark.anyio

KEYS = ["a", "b", "c"]
SCOPES = 3
MOST_IN_A_GROUP = 4

Guard = Literal["present", "absent", "seen"]


@dataclass(frozen=True)
class Act:
    """One operation of a step.

    Args:
        guard: What must hold: the key is there, is not there, or is as the task saw it last; None = nothing.
    """

    verb: Literal["set", "delete", "clear", "increment", "get", "check"]
    key: str
    guard: Guard | None


@dataclass(frozen=True)
class Step:
    """What a task does next.

    Args:
        pause: How often it lets others go first.
        scope: Which of the scopes.
        acts: A write; a key is read instead.
        patience: After how many turns of the event loop it goes away; None = it waits for the answer.
    """

    pause: int
    scope: int
    acts: tuple[Act, ...] | str
    patience: int | None


turns = st.integers(0, 4)
acts = st.builds(
    Act,
    st.sampled_from(["set", "set", "set", "delete", "clear", "increment", "increment", "get", "check"]),
    st.sampled_from(KEYS),
    st.sampled_from([None, None, "present", "absent", "seen"]),
)
steps = st.builds(
    Step,
    turns,
    st.integers(0, SCOPES - 1),
    st.one_of(st.lists(acts, min_size=1, max_size=3).map(tuple), st.sampled_from(KEYS)),
    st.one_of(st.none(), st.none(), st.none(), turns),
)
schedules = st.lists(st.lists(steps, min_size=1, max_size=6), min_size=2, max_size=6)


@dataclass
class Stage:
    """Where the tasks of one schedule meet: scopes that no other schedule has, and what happens to them."""

    store: Store
    scopes: Sequence[Scope]
    events: Callable[[], int] = field(default_factory=lambda: count(1).__next__)
    histories: list[History] = field(default_factory=lambda: [History() for _ in range(SCOPES)])

    async def play(self, schedule: Sequence[Sequence[Step]]) -> None:
        """Run all tasks at once, and take note of the logs."""
        await asyncio.gather(*(self._task(todo) for todo in schedule))
        for scope, history in zip(self.scopes, self.histories, strict=True):
            history.log = await self.store.changes(scope)

    async def _task(self, todo: Sequence[Step]) -> None:
        seen: dict[tuple[int, str], int] = {}
        for step in todo:
            for _ in range(step.pause):
                await asyncio.sleep(0)
            if isinstance(step.acts, str):
                await self._read(step, step.acts, seen)
            else:
                await self._write(step, step.acts, seen)

    async def _read(self, step: Step, key: str, seen: dict[tuple[int, str], int]) -> None:
        began = self.events()
        reading = asyncio.ensure_future(self.store.read(self.scopes[step.scope], key))
        if await self._is_answered(reading, step.patience):
            entry = reading.result()
            found = None if entry is None else (entry.value, entry.revision)
            self.histories[step.scope].reads.append(Read(key, began, self.events(), found))
            seen[step.scope, key] = 0 if entry is None else entry.revision

    async def _write(self, step: Step, acts: Sequence[Act], seen: dict[tuple[int, str], int]) -> None:
        began = self.events()
        history = self.histories[step.scope]
        operations = [
            _operation(act, f"{began}{index}", seen.get((step.scope, act.key), 0)) for index, act in enumerate(acts)
        ]
        write = Wrote(f"at {began}", operations, began)
        position = len(history.writes)
        history.writes.append(write)
        writer = Writer("api", subject=write.subject)
        writing = asyncio.ensure_future(self.store.apply(self.scopes[step.scope], operations, writer=writer))
        if await self._is_answered(writing, step.patience):
            outcome = writing.result()
            history.writes[position] = replace(write, ended=self.events(), outcome=outcome)
            for act, result in zip(acts, outcome.results, strict=False):
                seen[step.scope, act.key] = result.revision

    @staticmethod
    async def _is_answered(work: asyncio.Future[Any], patience: int | None) -> bool:
        """Wait for an answer, or go away; tell whether there is one."""
        if patience is not None:
            for _ in range(patience):
                await asyncio.sleep(0)
            work.cancel()
        await asyncio.wait([work])
        return not work.cancelled()


def _operation(act: Act, value: str, seen: int) -> Operation:
    if act.verb == "clear":
        return Clear()
    conditions = {
        None: None,
        "present": Condition(exists=True),
        "absent": Condition(exists=False),
        "seen": Condition(revisions=frozenset({seen})),
    }
    if act.verb == "delete":
        return Delete(act.key, condition=conditions[act.guard])
    if act.verb == "increment":
        return Increment(act.key, int(value), condition=conditions[act.guard])
    if act.verb == "get":
        return Get(act.key, conditions[act.guard])
    if act.verb == "check":
        return Check(act.key, conditions[act.guard] or Condition())
    return Set(act.key, value, condition=conditions[act.guard])


@pytest.fixture
async def crowded(backend_url: str | None) -> AsyncIterator[Store]:
    """Return a store of every kind in turn, whose groups are so small that a few requests take several."""
    if backend_url is None:
        yield MemoryStore(clock=FakeClock())
        return
    connections = Connections(DatabaseUrl(backend_url))
    await connections.open()
    store = DatabaseStore(connections, tables=TableNames(), clock=FakeClock())
    lanes: list[Lane[Any, Any]] = [*store._writers, store._reader]
    for lane in lanes:
        assert lane._max_operations > MOST_IN_A_GROUP
        lane._max_operations = MOST_IN_A_GROUP
    await store.open()
    yield store
    await store.close()
    await connections.close()


_serial = count(1)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(schedule=schedules)
async def test_one_order_explains_what_everybody_saw(crowded: Store, schedule: list[list[Step]]) -> None:
    """Writes are done whole and in one order, which is the log; answers and reads agree with it, none is stale."""
    number = next(_serial)
    run = f"run {number}"
    stage = Stage(crowded, [TaskScope("dag", run, "t"), TaskScope("dag", run, "t", 0), AssetScope(number)])
    await stage.play(schedule)
    for history in stage.histories:
        check_history(history)


class RememberingStore(MemoryStore):
    """Answers a get for a second time with what it found the first time."""

    def __init__(self) -> None:
        super().__init__(clock=FakeClock())
        self._remembered: dict[tuple[Scope, str], Entry | None] = {}

    @override
    async def read(self, scope: Scope, key: str) -> Entry | None:
        if (scope, key) not in self._remembered:
            self._remembered[scope, key] = await super().read(scope, key)
        return self._remembered[scope, key]


async def test_a_store_with_a_cache_of_entries_is_found_out() -> None:
    """A get that is answered from a cache after an acknowledged write is rejected."""
    stage = Stage(RememberingStore(), [AssetScope(number) for number in range(SCOPES)])
    look, write = Step(0, 0, "a", None), Step(0, 0, (Act("set", "a", None),), None)
    await stage.play([[write, look, write]])
    check_history(stage.histories[0])
    await stage.play([[look]])
    with pytest.raises(BrokenError, match="what was not there then"):
        check_history(stage.histories[0])


ONE = Writer("api", subject="1")
TWO = Writer("api", subject="2")


def set_line(revision: int, key: str, writer: Writer) -> Change:
    """Return the log's line for a set of one character."""
    return Change(revision, "set", key, 0, writer, size=1)


def a_history() -> History:
    """Return a history that is in order: two writes one after the other, and a read after each."""
    return History(
        writes=[
            Wrote(
                "1", [Set("a", "1"), Set("b", "1")], 1, 2, Outcome((Result("changed", 11), Result("changed", 12)), 12)
            ),
            Wrote("2", [Set("a", "2")], 5, 8, Outcome((Result("changed", 13),), 13)),
        ],
        reads=[Read("a", 3, 4, ("1", 11)), Read("a", 6, 7, ("2", 13)), Read("a", 9, 10, ("2", 13))],
        log=[set_line(11, "a", ONE), set_line(12, "b", ONE), set_line(13, "a", TWO)],
    )


def test_a_history_in_order_is_accepted() -> None:
    """What happened one after the other, a cancelled write that is not there, and an empty history are accepted."""
    history = a_history()
    history.writes.append(Wrote("3", [Clear()], 11))
    check_history(history)
    sum_of_a, found = Entry("a", "3", 7, 14, None, ONE), Entry("a", "2", 7, 13, None, TWO)
    answer = Outcome((Result("unchanged", 13, entry=found), Result("changed", 14, entry=sum_of_a)), 14)
    history.writes.append(Wrote("4", [Get("a"), Increment("a")], 13, 14, answer))
    history.log = [*history.log, set_line(14, "a", Writer("api", subject="4"))]
    check_history(history)
    check_history(History(reads=[Read("a", 1, 2, None)]))


def _lose_a_line(history: History) -> None:
    history.log = [history.log[0], history.log[2]]


def _lose_the_last_line(history: History) -> None:
    history.log = history.log[:2]


def _do_it_twice(history: History) -> None:
    history.log = [*history.log, set_line(14, "a", TWO)]


def _tear_a_write(history: History) -> None:
    history.log = [set_line(11, "a", ONE), set_line(12, "a", TWO), set_line(13, "b", ONE)]


def _tear_a_cancelled_write(history: History) -> None:
    history.writes[1] = Wrote("2", [Set("a", "2"), Set("b", "2")], 5)


def _write_of_nobody(history: History) -> None:
    history.log = [*history.log, set_line(14, "a", Writer("api", subject="9"))]


def _write_before_it_was_asked_for(history: History) -> None:
    history.log = [set_line(11, "a", TWO), set_line(12, "a", ONE), set_line(13, "b", ONE)]
    history.writes = [
        replace(history.writes[0], outcome=Outcome((Result("changed", 12), Result("changed", 13)), 13)),
        replace(history.writes[1], outcome=Outcome((Result("changed", 11),), 11)),
    ]
    history.reads = []


def _wrong_answer(history: History) -> None:
    history.writes[1] = replace(history.writes[1], outcome=Outcome((Result("unchanged", 0),), 13))


def _increment_that_was_lost(history: History) -> None:
    history.writes[1] = replace(
        history.writes[1],
        operations=[Increment("a")],
        outcome=Outcome((Result("changed", 13, entry=Entry("a", "1", 0, 13)),), 13),
    )
    history.reads = []


def _get_of_what_was_not_there(history: History) -> None:
    entry = Entry("a", "1", 0, 13)
    history.writes.append(Wrote("3", [Get("a")], 11, 12, Outcome((Result("unchanged", 13, entry=entry),), 13)))


def _condition_that_did_not_hold(history: History) -> None:
    history.writes[1] = replace(history.writes[1], operations=[Set("a", "2", condition=Condition(exists=False))])


def _failure_without_a_reason(history: History) -> None:
    condition = Condition(revisions=frozenset({13}))
    history.writes.append(Wrote("3", [Delete("a", condition)], 11, 12, Outcome((Result("failed", 13),), 13)))


def _stale_read(history: History) -> None:
    history.reads[2] = replace(history.reads[2], found=("1", 11))


def _read_that_goes_back(history: History) -> None:
    history.writes[1] = replace(history.writes[1], ended=20)
    history.reads[2] = replace(history.reads[2], found=("1", 11))


def _read_of_the_future(history: History) -> None:
    history.reads[0] = replace(history.reads[0], found=("2", 13))


def _read_of_nothing(history: History) -> None:
    history.reads[0] = replace(history.reads[0], found=None)


@pytest.mark.parametrize(
    "break_it",
    [
        _lose_a_line,
        _lose_the_last_line,
        _do_it_twice,
        _tear_a_write,
        _tear_a_cancelled_write,
        _write_of_nobody,
        _write_before_it_was_asked_for,
        _wrong_answer,
        _increment_that_was_lost,
        _get_of_what_was_not_there,
        _condition_that_did_not_hold,
        _failure_without_a_reason,
        _stale_read,
        _read_that_goes_back,
        _read_of_the_future,
        _read_of_nothing,
    ],
)
def test_a_broken_history_is_rejected(break_it: Callable[[History], None]) -> None:
    """Each way in which a store could go wrong is found in a history that is wrong like this."""
    history = a_history()
    break_it(history)
    with pytest.raises(BrokenError):
        check_history(history)
