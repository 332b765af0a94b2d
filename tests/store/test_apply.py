"""The pure heart of the stores does to a scope what a plain model of it does."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemount.errors import ScopeFullError
from statemount.model import Entry, Timestamp, Writer
from statemount.operations import OF_SCOPE, Condition, Delete, Operation, Set
from statemount.store.apply import ScopeState, apply, is_live
from statemount.store.options import StoreOptions
from tests.clock import SECOND, START
from tests.store.model import FullError, Line, Model
from tests.store.strategies import batches, steps, writers

OPTIONS = StoreOptions(max_entries=4, max_bytes=60, max_logged_value_bytes=10)

groups = st.lists(st.tuples(st.lists(st.tuples(batches, writers), min_size=1, max_size=4), steps), max_size=8)


class Scope:
    """A scope whose rows are kept as a database keeps them, and that is written through :func:`apply` alone."""

    def __init__(self) -> None:
        self.rows: dict[str, Entry] = {}
        self.state = ScopeState(START, START, 0, 0, keeps_values=True, is_new=True)
        self.log: list[Line] = []

    def load(self, operations: Sequence[Operation], now: Timestamp) -> None:
        """Read what a transaction reads under its lock."""
        moment = max(now, self.state.updated_at)
        self.state.known = {
            operation.key: self.rows.get(operation.key)
            for operation in operations
            if not isinstance(operation, OF_SCOPE)
        }
        self.state.live = sum(is_live(row, moment) for row in self.rows.values())

    def write(self, operations: Sequence[Operation], now: Timestamp, writer: Writer | None) -> list[object]:
        """Apply operations, and store what they write."""
        before = copy.deepcopy(self.state)
        try:
            applied = apply(self.state, operations, writer=writer, now=now, options=OPTIONS)
        finally:
            assert self.state == before  # it decides, and changes nothing
        if applied.cleared:
            self.rows.clear()
        for key, entry in applied.written.items():
            self.rows.pop(key, None)
            if entry is not None:
                assert entry.key == key
                self.rows[key] = entry
        self.state.absorb(applied)
        self.log += [Line.of(change) for change in applied.changes]
        assert applied.outcome.applied is all(result.status != "failed" for result in applied.outcome.results)
        assert applied.outcome.revision == self.state.revision
        return list(applied.outcome.results)


@given(groups)
def test_a_scope_does_what_its_model_does(
    groups: list[tuple[list[tuple[list[Operation], Writer | None]], int]],
) -> None:
    """Results, rows, log, revisions and counters agree after any writes, at any times, alone or in groups."""
    scope, model, now = Scope(), Model(START, START, OPTIONS), START
    for writes, step in groups:
        now += step * SECOND
        scope.load([operation for operations, _ in writes for operation in operations], now)
        for operations, writer in writes:
            try:
                expected = model.apply(operations, now, writer)
            except FullError:
                with pytest.raises(ScopeFullError, match="state is full: at most 4 keys and 60 bytes"):
                    scope.write(operations, now, writer)
            else:
                assert scope.write(operations, now, writer) == expected
            assert (scope.state.revision, scope.state.updated_at) == (model.revision, model.updated_at)
            assert scope.log == model.log
            assert {
                key: (row.value, row.expires_at, row.revision, row.updated_at, row.writer)
                for key, row in scope.rows.items()
            } == {
                key: (row.value, row.expires_at, row.revision, row.updated_at, row.writer)
                for key, row in model.rows.items()
            }
            assert scope.state.entries == len(scope.rows) <= OPTIONS.max_entries
            assert scope.state.size == sum(row.size for row in scope.rows.values()) <= OPTIONS.max_bytes
            assert scope.state.live == len(model.live(max(now, model.updated_at)))
    revisions = [START, *(line.revision for line in scope.log)]
    assert all(after == before + 1 for before, after in pairwise(revisions))
    times = [line.at for line in scope.log]
    assert times == sorted(times)


@given(batches, batches)
def test_a_batch_that_fails_changes_nothing(first: list[Operation], second: list[Operation]) -> None:
    """After a failed condition everything is as before, and nothing after it was looked at."""
    scope = Scope()
    operations = [Set("a", "1"), *first, Set("a", "2", condition=Condition(revisions=frozenset())), *second]
    scope.load(operations, START)
    rows, state = dict(scope.rows), copy.deepcopy(scope.state)
    try:
        results = scope.write(operations, START, None)
    except ScopeFullError:
        results = []
    else:
        assert len(results) <= len(first) + 2
        assert results[-1].status == "failed"  # type: ignore[attr-defined]
    assert (scope.rows, scope.log) == (rows, [])
    assert (scope.state.revision, scope.state.entries, scope.state.size) == (state.revision, 0, 0)


@pytest.mark.parametrize(("value", "kept"), [('"' + "x" * 8 + '"', True), ('"' + "x" * 9 + '"', False)])
def test_the_log_keeps_values_up_to_a_length(value: str, kept: bool) -> None:
    """A value that is longer than the log takes is not in it; its size is."""
    state = ScopeState(START, START, 0, 0, keeps_values=True)
    (change,) = apply(state, [Set("a", value)], writer=None, now=START, options=OPTIONS).changes
    assert (change.value == value, change.size) == (kept, len(value))
    state.keeps_values = False
    (change,) = apply(state, [Set("a", value)], writer=None, now=START, options=OPTIONS).changes
    assert change.value is None


def test_a_scope_that_is_too_full_may_shrink() -> None:
    """Where the limits were lowered, what makes a scope smaller still goes ahead."""
    state = ScopeState(START, START, 9, 900)
    state.known = {"a": Entry("a", '"xxxx"', START, START), "b": None}
    assert apply(state, [Set("a", "1")], writer=None, now=START, options=OPTIONS).size == 895
    assert apply(state, [Delete("a")], writer=None, now=START, options=OPTIONS).entries == 8
    for operation in (Set("a", '"xxxxx"'), Set("b", "1")):
        with pytest.raises(ScopeFullError):
            apply(state, [operation], writer=None, now=START, options=OPTIONS)
