"""What was asked of a scope and what was answered, and when; and whether one order of events explains it all."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from statemount.model import Change, Entry
from statemount.operations import Check, CheckScope, Clear, Delete, Get, Increment, Operation, Outcome, Result, Set

State = Mapping[str, tuple[str, int]]
"""What a scope holds: value and revision by key."""


@dataclass(frozen=True)
class Wrote:
    """A write.

    Args:
        subject: Of its writer, which no other write has.
        began: When it was asked for: a number that grows with every event.
        ended: When it was answered; None = it was cancelled, and may be there or not.
        outcome: The answer.
    """

    subject: str
    operations: Sequence[Operation]
    began: int
    ended: int | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Read:
    """A get that was answered.

    Args:
        found: The value and the revision of the entry; None = there was none.
    """

    key: str
    began: int
    ended: int
    found: tuple[str, int] | None


@dataclass
class History:
    """All that was asked of one scope, and its log in the end."""

    writes: list[Wrote] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    log: Sequence[Change] = ()


class BrokenError(AssertionError):
    """No order of the writes explains what was answered."""


@dataclass(frozen=True)
class _Placed:
    """A write at its place in the order: it was done on the state after ``start`` and led to that after ``end``."""

    write: Wrote
    start: int
    end: int


def check_history(history: History) -> None:
    """Check that the log is one order of the writes, that it explains every answer, and that no read is stale.

    Raises:
        BrokenError: Something cannot have happened like this.
    """
    log = history.log
    for before, after in pairwise(log):
        _expect(after.revision == before.revision + 1, f"a gap in the log after {before.revision}")
    states, placed = _replay(history)
    places = sorted(states)
    for write in history.writes:
        if write.subject not in placed and write.outcome is not None:
            placed[write.subject] = _place_unchanged(write, states, places[0])
    _check_order(list(placed.values()))
    _check_reads(history.reads, list(placed.values()), states)


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise BrokenError(what)


def _replay(history: History) -> tuple[dict[int, State], dict[str, _Placed]]:
    """Return the state after each write that changed something, by revision, and the places of these writes."""
    writes = {write.subject: write for write in history.writes}
    log = history.log
    state: State = {}
    first = log[0].revision - 1 if log else 0
    states: dict[int, State] = {first: state}
    placed: dict[str, _Placed] = {}
    position = 0
    while position < len(log):
        writer = log[position].writer
        subject = None if writer is None else writer.subject
        _expect(subject in writes, f"nobody asked for revision {log[position].revision}")
        write = writes[str(subject)]
        _expect(write.subject not in placed, f"write {write.subject} was done twice, or not in one piece")
        start = log[position].revision - 1
        results, state, lines = run(write.operations, state, start)
        shown = [(line.kind, line.key, line.size, line.writer) for line in log[position : position + len(lines)]]
        _expect(bool(lines), f"write {write.subject} had nothing to change")
        _expect(shown == [(*line, writer) for line in lines], f"the log has another change than write {write.subject}")
        end = start + len(lines)
        if write.outcome is not None:
            _expect(
                _compared(write.outcome) == Outcome(results, end), f"the answer to write {write.subject} is another one"
            )
        placed[write.subject] = _Placed(write, start, end)
        states[end] = state
        position += len(lines)
    return states, placed


def run(
    operations: Sequence[Operation], state: State, revision: int
) -> tuple[tuple[Result, ...], State, list[tuple[str, str | None, int]]]:
    """Do operations to a state, all or none; return the results, the state and the lines: kind, key and size."""
    changed = dict(state)
    results: list[Result] = []
    lines: list[tuple[str, str | None, int]] = []
    for operation in operations:
        if isinstance(operation, Clear):
            results.append(Result("changed" if changed else "unchanged", 0))
            if changed:
                lines.append(("clear", None, 0))
            changed.clear()
            continue
        assert not isinstance(operation, CheckScope)
        now = changed[operation.key][1] if operation.key in changed else 0
        wanted = operation.condition
        if wanted is not None and (
            (wanted.exists is not None and wanted.exists != (now > 0))
            or (wanted.revisions is not None and (not now or now not in wanted.revisions))
        ):
            return (*results, Result("failed", now)), state, []
        if isinstance(operation, Delete):
            results.append(Result("changed" if now else "unchanged", 0))
            if now:
                lines.append(("delete", operation.key, 0))
            changed.pop(operation.key, None)
            continue
        if isinstance(operation, (Check, Get)):
            entry = (
                Entry(operation.key, changed[operation.key][0], 0, now) if now and isinstance(operation, Get) else None
            )
            results.append(Result("unchanged", now, entry=entry))
            continue
        assert isinstance(operation, (Set, Increment))
        if isinstance(operation, Set):
            value = operation.value
        else:
            value = str(operation.by + (int(changed[operation.key][0]) if now else 0))
        lines.append(("set", operation.key, len(value)))
        changed[operation.key] = (value, revision + len(lines))
        entry = None if isinstance(operation, Set) else Entry(operation.key, value, 0, revision + len(lines))
        results.append(Result("changed", revision + len(lines), entry=entry))
    return tuple(results), changed, lines


def _compared(outcome: Outcome) -> Outcome:
    """Return an answer with what is compared of its entries: key, value and revision."""
    return replace(
        outcome,
        results=tuple(
            replace(
                result, entry=result.entry and Entry(result.entry.key, result.entry.value, 0, result.entry.revision)
            )
            for result in outcome.results
        ),
    )


def _place_unchanged(write: Wrote, states: Mapping[int, State], first: int) -> _Placed:
    """Return the place of a write that was answered and is not in the log."""
    outcome = write.outcome
    assert outcome is not None
    # A scope that was never written has the revision 0, or the one that it began with.
    at = outcome.revision if outcome.revision in states else first
    _expect(at == outcome.revision or outcome.revision == 0 or len(states) == 1, f"write {write.subject} is lost")
    results, _, lines = run(write.operations, states[at], outcome.revision)
    _expect(not lines, f"write {write.subject} was acknowledged and is not in the log")
    _expect(_compared(outcome).results == results, f"the answer to write {write.subject} is another one")
    return _Placed(write, at, at)


def _check_order(placed: Sequence[_Placed]) -> None:
    for one in placed:
        for other in placed:
            if one.write.ended is not None and one.write.ended < other.write.began:
                _expect(
                    one.end <= other.start,
                    f"write {other.write.subject} was asked for after the answer to {one.write.subject}, and is before",
                )


def _check_reads(reads: Sequence[Read], placed: Sequence[_Placed], states: Mapping[int, State]) -> None:
    places = sorted(states)
    seen: list[tuple[int, int]] = []
    for read in sorted(reads, key=lambda read: read.ended):
        oldest = max(
            [places[0]]
            + [one.end for one in placed if one.write.ended is not None and one.write.ended < read.began]
            + [place for ended, place in seen if ended < read.began]
        )
        newest = min([places[-1]] + [one.start for one in placed if one.write.began > read.ended])
        fitting = [
            place
            for place in places[: bisect_right(places, newest)]
            if place >= oldest and states[place].get(read.key) == read.found
        ]
        _expect(bool(fitting), f"{read} found what was not there then (revisions {oldest} to {newest})")
        seen.append((read.ended, fitting[0]))
