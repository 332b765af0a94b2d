"""The check of registers itself: it accepts what can have happened, and rejects what cannot."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, permutations

import pytest

from tests.registers import ABSENT, Answer, Call, NotLinearizableError, Register, check_register


def get(began: int, ended: int, found: tuple[str, int] | None) -> Call:
    """Return a get that found a value with its revision, or nothing."""
    answer = Answer("missing") if found is None else Answer("found", found[1], found[0])
    return Call("get", began, ended, answer=answer)


def put(began: int, ended: int, value: str, revision: int | None, expects: int | None = None) -> Call:
    """Return a set that was done; with no revision, one of unknown outcome."""
    answer = None if revision is None else Answer("done", revision)
    return Call("set", began, ended, value, expects, answer)


def refused(began: int, ended: int, value: str, expects: int, current: int | None) -> Call:
    """Return a set whose condition did not hold."""
    return Call("set", began, ended, value, expects, Answer("refused", current))


def delete(began: int, ended: int, expects: int | None = None, *, is_known: bool = True) -> Call:
    """Return a delete that was done, or one of unknown outcome."""
    return Call("delete", began, ended, None, expects, Answer("done") if is_known else None)


LINEARIZABLE = {
    "nothing": [],
    "one after the other": [put(0, 1, "a", 5), get(2, 3, ("a", 5)), delete(4, 5), get(6, 7, None), put(8, 9, "b", 9)],
    "a get during a set sees what was before": [put(0, 1, "a", 5), put(2, 7, "b", 6), get(3, 4, ("a", 5))],
    "or what comes of it": [put(0, 1, "a", 5), put(2, 7, "b", 6), get(3, 4, ("b", 6)), get(5, 6, ("b", 6))],
    "sets at once in the order that gets tell": [
        put(0, 9, "a", 6),
        put(1, 8, "b", 5),
        get(2, 3, ("b", 5)),
        get(4, 5, ("a", 6)),
    ],
    "of two writes on one revision one is refused": [
        put(0, 1, "a", 5),
        put(2, 6, "b", 6, 5),
        refused(3, 7, "c", 5, 6),
        get(8, 9, ("b", 6)),
    ],
    "create only, once": [put(0, 5, "a", 5, ABSENT), refused(1, 4, "b", ABSENT, 5)],
    "a condition on what is gone": [put(0, 1, "a", 5), delete(2, 3, 5), refused(4, 5, "b", 5, None)],
    "a delete of what is not there": [delete(0, 1), get(2, 3, None)],
    "an unknown set is seen": [put(0, 1, "a", None), get(5, 6, ("a", 7)), put(7, 8, "b", 8, 7)],
    "long after it began": [put(0, 1, "a", None), put(2, 3, "b", 5), get(4, 5, ("b", 5)), get(6, 7, ("a", 6))],
    "or never": [put(0, 1, "a", None), put(2, 3, "b", 5), get(4, 5, ("b", 5)), get(6, 7, ("b", 5))],
    "an unknown delete": [put(0, 1, "a", 5), delete(2, 3, is_known=False), get(4, 5, ("a", 5)), get(6, 7, None)],
    "an unknown write on a condition": [put(0, 1, "a", 5), put(2, 3, "b", None, 5), refused(4, 5, "c", 5, 6)],
    "what is seen tells the revision of an unknown set": [
        put(0, 1, "a", None),
        refused(2, 3, "b", ABSENT, 7),
        get(4, 5, ("a", 7)),
    ],
}

BROKEN = {
    "a stale read": [put(0, 1, "a", 5), put(2, 3, "b", 6), get(4, 5, ("a", 5))],
    "a stale read of nothing": [put(0, 1, "a", 5), get(2, 3, None)],
    "a read of what was deleted": [put(0, 1, "a", 5), delete(2, 3), get(4, 5, ("a", 5))],
    "a lost update": [put(0, 1, "a", 5), put(2, 3, "b", 6), get(4, 5, ("a", 5)), get(6, 7, ("a", 5))],
    "a write that was acknowledged and is gone": [
        put(0, 1, "a", 5),
        put(2, 3, "b", 6),
        delete(4, 5),
        get(6, 7, ("b", 6)),
    ],
    "two writes on one revision are done": [
        put(0, 1, "a", 5),
        put(2, 6, "b", 6, 5),
        put(3, 7, "c", 7, 5),
    ],
    "two create": [put(0, 5, "a", 5, ABSENT), put(1, 4, "b", 6, ABSENT)],
    "a read from the future": [get(0, 1, ("a", 5)), put(2, 3, "a", 5)],
    "a read of what nobody wrote": [put(0, 1, "a", 5), get(2, 3, ("x", 6))],
    "two gets that disagree about the order": [
        put(0, 9, "a", 5),
        put(1, 8, "b", 6),
        get(2, 3, ("b", 6)),
        get(4, 5, ("a", 5)),
    ],
    "a revision that goes back": [put(0, 1, "a", 6), put(2, 3, "b", 5)],
    "a revision twice": [put(0, 1, "a", 5), delete(2, 3), put(4, 5, "b", 5)],
    "another revision than the one that was told": [put(0, 1, "a", 5), get(2, 3, ("a", 6))],
    "a refusal although the condition holds": [put(0, 1, "a", 5), refused(2, 3, "b", 5, 5)],
    "a refusal that tells of nothing": [put(0, 1, "a", 5), refused(2, 3, "b", 4, None)],
    "a refusal of a create for nothing": [refused(0, 1, "a", ABSENT, None)],
    "a delete on a condition that does not hold": [put(0, 1, "a", 5), put(2, 3, "b", 6), delete(4, 5, 5)],
    "an unknown set that is seen before it began": [get(0, 1, ("a", 5)), put(2, 3, "a", None)],
    "an unknown set that is seen, gone, and seen again": [
        put(0, 1, "a", None),
        get(2, 3, ("a", 5)),
        put(4, 5, "b", 6),
        get(6, 7, ("a", 5)),
    ],
    "an unknown set with two revisions": [put(0, 1, "a", None), get(2, 3, ("a", 5)), get(4, 5, ("a", 6))],
    "an unknown write on a condition that never held": [
        put(0, 1, "a", 5),
        put(2, 3, "b", None, 4),
        get(4, 5, ("b", 6)),
    ],
    "an unknown delete that is undone": [
        put(0, 1, "a", 5),
        delete(2, 3, is_known=False),
        get(4, 5, None),
        get(6, 7, ("a", 5)),
    ],
}


@pytest.mark.parametrize("calls", LINEARIZABLE.values(), ids=LINEARIZABLE)
def test_what_can_have_happened(calls: list[Call]) -> None:
    """A history that some order explains is accepted, and the order is one."""
    check_order(calls, check_register(calls))
    assert is_linearizable(calls)


@pytest.mark.parametrize("calls", BROKEN.values(), ids=BROKEN)
def test_what_cannot_have_happened(calls: list[Call]) -> None:
    """A history that no order explains is rejected, and the call is named that does not fit."""
    with pytest.raises(NotLinearizableError, match="calls are explained") as caught:
        check_register(calls)
    assert caught.value.stuck in calls
    assert not is_linearizable(calls)


def check_order(calls: Sequence[Call], order: Sequence[Call]) -> None:
    """Check that an order respects time, has every call whose outcome is known, and explains the answers."""
    assert set(order) <= set(calls)
    assert {call for call in calls if call.answer is not None} <= set(order)
    state: Register | None = Register()
    for place, call in enumerate(order):
        assert not any(later.ended < call.began for later in order[place + 1 :] if later.answer is not None)
        assert state is not None
        state = state.after(call)
    assert state is not None


def is_linearizable(calls: Sequence[Call]) -> bool:
    """Try every order."""
    known = [call for call in calls if call.answer is not None]
    unknown = [call for call in calls if call.answer is None]
    return any(
        explains(order)
        for count in range(len(unknown) + 1)
        for chosen in combinations(unknown, count)
        for order in permutations([*known, *chosen])
    )


def explains(order: Sequence[Call]) -> bool:
    """Tell whether an order respects time, and explains the answers."""
    for place, call in enumerate(order):
        if any(later.answer is not None and later.ended < call.began for later in order[place + 1 :]):
            return False
    state: Register | None = Register()
    for call in order:
        if state is None:
            return False
        state = state.after(call)
    return state is not None


class Simulation:
    """Clients that use a register at once, which does one call after the other, each at a moment of its own.

    Args:
        clients: So many calls are under way at once.
        forgets: How often an answer is lost, from 0 to 1; and as often a call is lost before it is done.
    """

    def __init__(self, chances: random.Random, *, clients: int, forgets: float) -> None:
        self._chances = chances
        self._clients = clients
        self._forgets = forgets
        self._value: str | None = None
        self._revision = 0
        self._entry = ABSENT
        self._seen = [ABSENT]

    def calls(self, count: int) -> Iterator[Call]:
        """Return so many calls that can have happened."""
        waiting: list[tuple[Call, bool]] = []
        now = started = 0
        while started < count or waiting:
            now += 1
            if started < count and len(waiting) < self._clients and self._chances.random() < 0.6:
                waiting.append((self._new(now, started), False))
                started += 1
                continue
            if not waiting:
                continue
            place = self._chances.randrange(len(waiting))
            call, is_answered = waiting[place]
            if not is_answered and call.kind != "get" and self._chances.random() < self._forgets:
                del waiting[place]
                yield replace(call, ended=now)
            elif not is_answered:
                waiting[place] = self._answered(call), True
            else:
                del waiting[place]
                forgotten = call.kind != "get" and self._chances.random() < self._forgets
                yield replace(call, ended=now, answer=None if forgotten else call.answer)
                if call.answer is not None and call.answer.revision is not None:
                    self._seen = [*self._seen[-3:], call.answer.revision]

    def _new(self, now: int, number: int) -> Call:
        chance = self._chances.random()
        expects = self._chances.choice(self._seen) if self._chances.random() < 0.5 else None
        if chance < 0.4:
            return Call("get", now, now)
        return (
            Call("set", now, now, f"v{number}", expects) if chance < 0.85 else Call("delete", now, now, None, expects)
        )

    def _answered(self, call: Call) -> Call:
        if call.kind == "get":
            found = Answer("missing") if self._value is None else Answer("found", self._entry, self._value)
            return replace(call, answer=found)
        if call.expects is not None and call.expects != self._entry:
            return replace(call, answer=Answer("refused", self._entry or None))
        if call.kind == "delete":
            self._revision += self._value is not None
            self._value, self._entry = None, ABSENT
            return replace(call, answer=Answer("done"))
        self._revision += 1
        self._value, self._entry = call.value, self._revision
        return replace(call, answer=Answer("done", self._revision))


@pytest.mark.parametrize("seed", range(14))
def test_many_clients(seed: int) -> None:
    """Long histories of many clients, some of whose answers are lost, are accepted."""
    simulation = Simulation(random.Random(seed), clients=2 + seed, forgets=0.01 * (seed % 5))
    calls = list(simulation.calls(1000))
    check_order(calls, check_register(calls))


@pytest.mark.parametrize("seed", range(25))
def test_one_stale_answer(seed: int) -> None:
    """Where one get of a long history finds what was overwritten before it began, the history is rejected."""
    chances = random.Random(seed)
    calls = list(Simulation(chances, clients=5, forgets=0.02 * (seed % 2)).calls(300))
    sets = [call for call in calls if call.kind == "set" and call.answer is not None and call.answer.status == "done"]
    place = chances.choice([place for place, call in enumerate(calls) if call.kind == "get" and place > 100])
    began = calls[place].began
    stale = chances.choice([one for one in sets if any(one.ended < two.began and two.ended < began for two in sets)])
    assert stale.answer is not None
    calls[place] = replace(calls[place], answer=Answer("found", stale.answer.revision, stale.value))
    with pytest.raises(NotLinearizableError):
        check_register(calls)


def test_every_order_of_few_calls() -> None:
    """Small histories, right and wrong ones, are judged as by trying every order."""
    chances = random.Random(0)
    verdicts = []
    for _ in range(1000):
        calls = list(Simulation(chances, clients=3, forgets=0.15).calls(6))
        for _ in range(chances.randrange(3)):
            place = chances.randrange(len(calls))
            others = [call.answer for call in calls if call.kind == calls[place].kind and call.answer is not None]
            if calls[place].answer is not None and others:
                calls[place] = replace(calls[place], answer=chances.choice(others))
        try:
            check_order(calls, check_register(calls))
        except NotLinearizableError:
            verdicts.append(False)
        else:
            verdicts.append(True)
        assert verdicts[-1] is is_linearizable(calls)
    assert min(verdicts.count(True), verdicts.count(False)) > 100
