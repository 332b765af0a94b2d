"""Whether what clients were told of one key can have happened: the search of Wing and Gong, with Lowe's memory.

A history is linearizable if every call can be given a moment between its begin and its end, such that one call after
the other, in the order of these moments, would have been answered like this. Histories of different keys are checked
each by itself: a history is linearizable if and only if that of each key is.

A call that nobody knows the outcome of may have had its moment at any time after it began, or never.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Literal, NamedTuple

ABSENT = 0
"""As an expected revision: there must be no entry."""


class Answer(NamedTuple):
    """What a client was told.

    Args:
        status: ``done``; ``refused``: the condition did not hold; for a get ``found`` or ``missing``.
        revision: Of the entry that was made, is there in spite of the condition, or was found; None = of none.
        value: That was found.
    """

    status: Literal["done", "refused", "found", "missing"]
    revision: int | None = None
    value: str | None = None


@dataclass(frozen=True)
class Call:
    """What a client asked of a key.

    Args:
        began: When it was asked: a number that grows with every event; ``ended`` likewise.
        value: That is to be set; no two calls set the same.
        expects: The revision on which it is to be done; :data:`ABSENT` = if there is no entry; None = in any case.
        answer: None = nobody knows what came of it.
    """

    kind: Literal["get", "set", "delete"]
    began: int
    ended: int
    value: str | None = None
    expects: int | None = None
    answer: Answer | None = None

    @property
    def deletes(self) -> bool:
        """Whether it is a delete that was done, or may have been."""
        return self.kind == "delete" and not self.only_looks

    @property
    def only_looks(self) -> bool:
        """Whether it can have changed nothing, whenever it was."""
        return self.kind == "get" or (self.answer is not None and self.answer.status == "refused")


class Register(NamedTuple):
    """What a key has.

    Args:
        value: None = there is no entry.
        revision: None = there is no entry, or it was made by a call whose answer nobody knows.
        floor: Every further revision is greater.
    """

    value: str | None = None
    revision: int | None = None
    floor: int = 0

    def after(self, call: Call) -> Register | None:
        """Return what the key has after a call; None = the call cannot have been answered like this."""
        answer = call.answer
        if call.kind == "get":
            assert answer is not None
            if answer.status == "missing":
                return self if self.value is None else None
            return self._with(answer.revision) if self.value == answer.value else None
        if answer is not None and answer.status == "refused":
            return self._refusing(call.expects, answer.revision)
        found = self._expected(call.expects)
        if found is None:
            return None
        if call.kind == "delete":
            return Register(None, None, found.floor)
        if answer is None:
            return Register(call.value, None, found.floor)
        revision = answer.revision
        return None if revision is None or revision <= found.floor else Register(call.value, revision, revision)

    def _with(self, revision: int | None) -> Register | None:
        """Return the same entry, now that its revision is seen; None = it has another one, or there is none."""
        if self.value is None or revision is None:
            return None
        if self.revision is None:
            return Register(self.value, revision, revision) if revision > self.floor else None
        return self if self.revision == revision else None

    def _expected(self, revision: int | None) -> Register | None:
        """Return the same, if it is as a condition has it."""
        if revision is None:
            return self
        if revision == ABSENT:
            return self if self.value is None else None
        return self._with(revision)

    def _refusing(self, expects: int | None, current: int | None) -> Register | None:
        """Return the same, if a condition does not hold and this is what is there instead."""
        if expects is None or expects == (current or ABSENT):
            return None
        if current is None:
            return self if self.value is None else None
        return self._with(current)


class NotLinearizableError(AssertionError):
    """No order of the calls explains what was answered.

    Args:
        explained: The longest beginning of an order that was found.
        stuck: The call that came to its end then, and cannot be next.
        state: What the key had.
    """

    def __init__(self, explained: Sequence[Call], stuck: Call, state: Register) -> None:
        last = "".join(f"\n    {call}" for call in explained[-8:])
        super().__init__(
            f"{len(explained)} calls are explained, the last of them:{last}\n  then {state}, and not\n    {stuck}"
        )
        self.explained = explained
        self.stuck = stuck


class _Event:
    """The begin or the end of a call, in a list from which calls are taken out and put back."""

    __slots__ = ("after", "before", "call", "deadline", "end", "number")

    def __init__(self, call: Call | None, number: int, deadline: float = inf) -> None:
        self.call = call
        self.number = number
        self.deadline = deadline
        self.end: _Event | None = None  # of a begin, if the outcome is known
        self.before: _Event | None = None
        self.after: _Event | None = None


class _Step(NamedTuple):
    """A call that was given its moment.

    Args:
        state: Before it.
        is_only: Nothing else needs to be tried in its place.
    """

    begin: _Event
    state: Register
    is_only: bool


def check_register(calls: Sequence[Call], start: Register | None = None) -> list[Call]:
    """Return an order of the calls that explains all answers; calls of unknown outcome may be missing in it.

    Args:
        start: What the key has at first; None = nothing.

    Raises:
        NotLinearizableError: There is none.
    """
    return _Search(calls, start or Register()).run()


class _Search:
    """Gives one call after the other its moment, and goes back where that leads nowhere.

    What was tried is remembered: which calls have had their moments, and what the key has then. And few orders need to
    be tried:

    - A call that only looks needs no choice where it fits: if it fits later too, nothing is lost by its being now.
    - Sets come in the order of their revisions, which only grow.
    - Of deletes on the same condition that have begun, and were not refused, that comes first which has to end first.
    - A set of unknown outcome that left no trace explains nothing.
    """

    def __init__(self, calls: Sequence[Call], start: Register) -> None:
        self._calls = calls
        self._left = sum(call.answer is not None for call in calls)
        self._state = start
        self._done = 0  # a set of bits
        self._steps: list[_Step] = []
        self._tried: set[tuple[int, Register]] = set()
        self._best: list[_Step] = []
        told = _told(calls)
        self._head = _events(calls, told)
        self._ranks = {number: rank for rank, number in enumerate(sorted(told, key=lambda number: told[number]))}
        self._rank = 0  # of the set that comes next

    def run(self) -> list[Call]:
        event = self._head.after
        while self._left:
            assert event is not None, "every call that is left has an end"
            if event.call is None:
                event = self._go_back(event)
            elif self._take(event, event.call):
                event = self._head.after
            else:
                event = event.after
        return [self._calls[step.begin.number] for step in self._steps]

    def _take(self, begin: _Event, call: Call) -> bool:
        """Give a call its moment, if it can be next and that was not tried before."""
        if self._ranks.get(begin.number, self._rank) != self._rank or self._has_prior(begin, call):
            return False
        state = self._state.after(call)
        if state is None:
            return False
        is_only = state == self._state and call.only_looks
        if state == self._state and call.answer is None:
            return False  # to do nothing is as good as never
        done = self._done | 1 << begin.number
        if not is_only:
            if (done, state) in self._tried:
                return False
            self._tried.add((done, state))
        self._steps.append(_Step(begin, self._state, is_only))
        self._state, self._done = state, done
        self._left -= begin.end is not None
        self._rank += begin.number in self._ranks
        _take_out(begin)
        if begin.end is not None:
            _take_out(begin.end)
        return True

    def _has_prior(self, begin: _Event, call: Call) -> bool:
        """Tell whether another delete on the same condition has begun, and has to end before this one."""
        if not call.deletes:
            return False
        event = self._head.after
        while event is not None and event.call is not None:
            is_alike = event.call.deletes and event.call.expects == call.expects
            if is_alike and event.deadline < begin.deadline:
                return True
            event = event.after
        return False

    def _go_back(self, end: _Event) -> _Event | None:
        """Undo the last choice, as a call has come to its end that had no moment; return what is tried next.

        Raises:
            NotLinearizableError: There was none.
        """
        if len(self._steps) >= len(self._best):
            self._best, self._stuck, self._at = [*self._steps], self._calls[end.number], self._state
        while self._steps:
            begin, state, is_only = self._steps.pop()
            if begin.end is not None:
                _put_back(begin.end)
            _put_back(begin)
            self._left += begin.end is not None
            self._rank -= begin.number in self._ranks
            self._state, self._done = state, self._done & ~(1 << begin.number)
            if not is_only:
                return begin.after
        raise NotLinearizableError([self._calls[step.begin.number] for step in self._best], self._stuck, self._at)


def _told(calls: Sequence[Call]) -> dict[int, int]:
    """Return the revision that each set has made, as far as an answer tells it, by the number of the call."""
    gets = (call.answer for call in calls if call.kind == "get" and call.answer is not None)
    seen = {answer.value: answer.revision for answer in gets}
    told: dict[int, int] = {}
    for number, call in enumerate(calls):
        if call.kind != "set" or (call.answer is not None and call.answer.status != "done"):
            continue
        revision = seen.get(call.value) if call.answer is None else call.answer.revision
        if revision is not None:
            told[number] = revision
    return told


def _events(calls: Sequence[Call], told: Mapping[int, int]) -> _Event:
    """Return the head of a list of the begins and ends that matter, in their order.

    Args:
        told: The revisions of sets, by the numbers of the calls.
    """
    named = {call.expects for call in calls} | {call.answer.revision for call in calls if call.answer is not None}
    is_traced = bool(named - {None, ABSENT, *told.values()})  # there was a set that nobody has told of
    placed: list[tuple[int, _Event]] = []
    for number, call in enumerate(calls):
        if call.answer is None and call.kind == "set" and number not in told and not is_traced:
            continue
        revision = told.get(number)
        known = call if revision is None or call.answer is not None else replace(call, answer=Answer("done", revision))
        begin = _Event(known, number, inf if call.answer is None else call.ended)
        placed.append((call.began, begin))
        if call.answer is not None:
            begin.end = _Event(None, number)
            placed.append((call.ended, begin.end))
    head = last = _Event(None, -1)
    for _, event in sorted(placed, key=lambda one: one[0]):
        last.after, event.before, last = event, last, event
    return head


def _take_out(event: _Event) -> None:
    assert event.before is not None
    event.before.after = event.after
    if event.after is not None:
        event.after.before = event.before


def _put_back(event: _Event) -> None:
    assert event.before is not None
    event.before.after = event
    if event.after is not None:
        event.after.before = event
