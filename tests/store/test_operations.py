"""Checks, gets and updates: what every store makes of them, alone, in a batch and many at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest
from typing_extensions import override

from statemount.database.connections import Connections, T
from statemount.database.query import Query, Row, Script, ScriptFactory
from statemount.database.schema import TableNames
from statemount.database.url import DatabaseUrl
from statemount.errors import AssetNotFoundError, ScopeFullError
from statemount.interfaces import Store
from statemount.model import AssetScope, Entry, TaskScope, Writer
from statemount.operations import (
    Check,
    CheckScope,
    Clear,
    Condition,
    Delete,
    Get,
    Increment,
    Maximum,
    Merge,
    Minimum,
    Operation,
    Outcome,
    Result,
    Set,
)
from statemount.store.database import DatabaseStore
from tests.clock import SECOND, FakeClock
from tests.database.support import outsider
from tests.store.conformance import MAX_BYTES

pytestmark = pytest.mark.anyio

TASK = TaskScope("etl", "run-1", "load")
ASSET = AssetScope(7)
WORKER = Writer.of_task(TASK)
UPDATES: list[Operation] = [
    Merge("k", '{"a": 1}'),
    Increment("k"),
    Maximum("k", 1),
    Minimum("k", "2026-01-01T00:00:00Z"),
]


async def apply(store: Store, *operations: Operation) -> Outcome:
    """Write to the task."""
    return await store.apply(TASK, operations, writer=WORKER)


@pytest.mark.parametrize("update", UPDATES)
async def test_an_update_of_an_absent_key_makes_it(store: Store, clock: FakeClock, update: Operation) -> None:
    """The first update of a scope makes the scope and the key; its result is the entry as it is read and logged."""
    outcome = await store.apply(ASSET, [update], writer=WORKER)
    entry = await store.read(ASSET, "k")
    assert entry is not None
    assert outcome == Outcome((Result("changed", entry.revision, entry=entry),), entry.revision)
    assert (entry.updated_at, entry.revision, entry.writer, entry.expires_at) == (
        clock.now,
        clock.now + 1,
        WORKER,
        None,
    )
    (change,) = await store.changes(ASSET)
    assert (change.kind, change.key, change.value, change.size) == ("set", "k", entry.value, entry.size)


async def test_an_update_is_computed_from_what_is_stored(store: Store) -> None:
    """Each kind reads the value that is there, and leaves the other keys alone."""
    await apply(store, Set("n", "41"), Set("t", '"2026-01-01T00:00:00Z"'), Set("o", '{"a": {"b": 1}}'), Set("x", "0"))
    outcome = await apply(
        store,
        Increment("n"),
        Maximum("t", "2026-01-01T00:00:00+01:00"),
        Minimum("t", "2026-01-01T00:00:00+01:00"),
        Merge("o", '{"a": {"c": [2]}}'),
    )
    assert [result.status for result in outcome.results] == ["changed", "unchanged", "changed", "changed"]
    page = await store.list(TASK, limit=10)
    assert {entry.key: entry.value for entry in page.entries} == {
        "n": "42",
        "t": '"2026-01-01T00:00:00+01:00"',
        "o": '{"a": {"b": 1, "c": [2]}}',
        "x": "0",
    }
    assert outcome.revision == page.revision == outcome.results[0].revision + 2


async def test_a_batch_sees_its_own_operations(store: Store) -> None:
    """A get and a check find what the operations before them did, and nothing of what comes after."""
    await apply(store, Set("a", "1"))
    outcome = await apply(
        store,
        Get("a"),
        Get("b"),
        Increment("a", 2),
        Get("a"),
        Check("b", Condition(exists=False)),
        Set("b", '"x"'),
        Check("b", Condition(exists=True)),
        Get("b"),
        Delete("a"),
        Get("a"),
        Increment("a", 0.5),
        Clear(),
        Get("b"),
        Maximum("b", -1),
        Get("b"),
    )
    entries = [None if result.entry is None else result.entry.value for result in outcome.results]
    assert entries == ["1", None, "3", "3", None, None, None, '"x"', None, None, "0.5", None, None, "-1", "-1"]
    revisions = [result.revision for result in outcome.results]
    first = outcome.results[0].revision
    later = [first, 0, first + 1, first + 1, 0, first + 2, first + 2, first + 2, 0, 0, first + 4, 0, 0]
    assert revisions == [*later, first + 6, first + 6]
    assert outcome.revision == first + 6
    page = await store.list(TASK, limit=10)
    assert page.entries == (outcome.results[-1].entry,)


async def test_what_only_looks_leaves_no_trace(store: Store, clock: FakeClock) -> None:
    """Checks and gets are no change and make no scope; what is expired is absent, and its expiry is not logged."""
    missing = Condition(exists=False)
    assert await apply(store, Get("k"), Check("k", missing)) == Outcome((Result("unchanged", 0),) * 2, 0)
    assert await apply(store, Get("k", Condition(exists=True))) == Outcome((Result("failed", 0),), 0)
    assert (await store.list(TASK, limit=1)).revision == 0
    made = await apply(store, Set("k", "1", clock.now + SECOND))
    entry = await store.read(TASK, "k")
    assert await apply(store, Get("k")) == Outcome((Result("unchanged", made.revision, entry=entry),), made.revision)
    clock.advance(1)
    gone = await apply(store, Get("k"), Check("k", missing), Get("k", missing))
    assert gone == Outcome((Result("unchanged", 0),) * 3, made.revision)
    assert [change.kind for change in await store.changes(TASK)] == ["set"]


NEVER_WRITTEN = CheckScope(Condition(revisions=frozenset({0})))


async def test_what_fails_on_nothing_makes_nothing(store: Store) -> None:
    """A batch that fails on a scope that was never written, wherever it fails, leaves it as it was."""
    failing: list[Operation] = [
        Set("k", "1", condition=Condition(exists=True)),
        Check("k", Condition(exists=True)),
        CheckScope(Condition(revisions=frozenset())),
        Get("k", Condition(revisions=frozenset({0, 1}))),
        Increment("k", condition=Condition(exists=True)),
        Merge("k", "null"),
        Delete("k", Condition(exists=True)),
    ]
    beginnings: list[list[Operation]] = [[], [Set("k", "1"), Delete("k")], [NEVER_WRITTEN, Set("b", '"x"'), Get("b")]]
    for operation in failing:
        for before in beginnings:
            outcome = await apply(store, *before, operation, Set("c", "1"))
            assert (outcome.applied, outcome.revision) == (False, 0)
            assert len(outcome.results) == len(before) + 1
    with pytest.raises(ScopeFullError):
        await apply(store, NEVER_WRITTEN, Set("k", '"' + "x" * MAX_BYTES + '"'))
    page = await store.list(TASK, limit=1)
    assert (page.revision, page.total) == (0, 0)
    assert list(await store.changes(TASK)) == []


async def test_a_condition_on_the_scope(store: Store) -> None:
    """A batch goes ahead at the scope's revision; 0 is that of a scope that was never written, and of no other."""
    failed = await apply(store, CheckScope(Condition(revisions=frozenset({1, 2}))), Set("k", "1"))
    assert failed == Outcome((Result("failed", 0),), 0)
    made = await apply(store, NEVER_WRITTEN, Set("k", "1"), Set("l", "1"))
    assert made.results[0] == Result("unchanged", 0)
    assert await apply(store, NEVER_WRITTEN, Set("k", "2")) == Outcome(
        (Result("failed", made.revision),), made.revision
    )
    now = CheckScope(Condition(revisions=frozenset({made.revision})))
    done = await apply(store, now, Delete("l"), now)
    assert done == Outcome(
        (Result("unchanged", made.revision), Result("changed", 0), Result("failed", made.revision + 1)), made.revision
    )
    assert (await apply(store, now, Delete("l"), Get("k"))).applied
    assert not (await apply(store, now, Get("k"))).applied
    await apply(store, Clear())
    assert not (await apply(store, NEVER_WRITTEN)).applied


async def test_one_of_many_is_the_first_to_write(store: Store) -> None:
    """Of many writes at once to a scope that was never written, one finds it so, and the others its revision."""
    for index in range(5):
        scope = TaskScope("etl", "run-1", "load", index)
        outcomes = await asyncio.gather(
            *(store.apply(scope, [NEVER_WRITTEN, Set("k", str(number))], writer=WORKER) for number in range(8)),
            store.apply(scope, [Get("k"), NEVER_WRITTEN], writer=WORKER),
        )
        (won,) = [outcome for outcome in outcomes[:8] if outcome.applied]
        assert {outcome.revision for outcome in outcomes[:8]} == {won.revision}


async def test_a_condition_of_an_operation(store: Store) -> None:
    """A check, a get or an update whose condition does not hold ends the batch; it has no reason and no entry."""
    revision = (await apply(store, Set("k", "1"))).revision
    stale, current = Condition(revisions=frozenset({revision - 1})), Condition(revisions=frozenset({revision}))
    for failing in (
        Check("k", stale),
        Get("k", stale),
        Increment("k", condition=stale),
        Maximum("k", 9, condition=stale),
    ):
        outcome = await apply(store, Set("b", "1"), failing, Set("c", "1"))
        assert outcome == Outcome((Result("changed", revision + 1), Result("failed", revision)), revision)
    assert [entry.key for entry in (await store.list(TASK, limit=10)).entries] == ["k"]
    done = await apply(store, Check("k", current), Get("k", current), Increment("k", condition=current))
    assert done.applied
    assert not (await apply(store, Increment("k", condition=current))).applied


async def test_an_update_that_cannot_be_done_undoes_the_batch(store: Store) -> None:
    """Its result says why, nothing is changed, no revision is used, and nothing after it is looked at."""
    revision = (await apply(store, Set("k", '"x"'), Set("n", "1"))).revision
    before = await store.list(TASK, limit=10)
    outcome = await apply(store, Increment("n"), Delete("n"), Clear(), Set("k", '"y"'), Increment("k"), Increment("n"))
    assert [result.status for result in outcome.results] == ["changed"] * 4 + ["failed"]
    assert outcome.results[-1].reason == "the stored value is no number"
    assert (outcome.applied, outcome.revision) == (False, revision)
    assert await store.list(TASK, limit=10) == before
    assert (await apply(store, Increment("n"))).revision == revision + 1


async def test_an_update_keeps_the_expiry(store: Store, clock: FakeClock) -> None:
    """Unless told otherwise an update leaves the expiry, and a new key has one of its own; no change changes none."""
    end = clock.now + SECOND
    outcome = await apply(
        store,
        Set("n", "1", end),
        Increment("n"),
        Increment("n", expires_at=end + 1),
        Maximum("n", 3, expires_at=None),
        Increment("n", expires_at_if_new=end),
        Increment("new", expires_at_if_new=end),
        Merge("newer", "{}", expires_at=end + 2, expires_at_if_new=end),
        Maximum("n", 9, expires_at=None),
    )
    entries = [result.entry for result in outcome.results[1:] if result.entry is not None]
    assert [entry.expires_at for entry in entries] == [end, end + 1, end + 1, end + 1, end, end + 2, None]
    clock.advance(1)
    restarted = await apply(store, Increment("new", 5))
    assert restarted.results[0].entry == Entry("new", "5", clock.now, restarted.revision, None, WORKER)
    assert [change.kind for change in await store.changes(TASK, after=outcome.revision)] == ["expire", "set"]


async def test_a_scope_is_not_filled_by_updates(store: Store) -> None:
    """What an update makes counts as what a set writes: a scope that would hold too much refuses it."""
    await apply(store, Set("k", json.dumps({"a": "x" * (MAX_BYTES - 100)})))
    before = await store.list(TASK, limit=10)
    with pytest.raises(ScopeFullError):
        await apply(store, Increment("n"), Merge("k", json.dumps({"b": "x" * 100})))
    assert await store.list(TASK, limit=10) == before
    assert (await apply(store, Merge("k", '{"a": null}'), Merge("k", json.dumps({"b": "x" * 100})))).applied


async def test_a_dropped_scope_takes_no_update(store: Store) -> None:
    """An update is refused as a set is; what only looks finds nothing."""
    await store.apply(ASSET, [Set("k", "1")], writer=WORKER)
    await store.drop(ASSET)
    with pytest.raises(AssetNotFoundError):
        await store.apply(ASSET, [Get("k"), Increment("k")], writer=WORKER)
    outcome = await store.apply(ASSET, [Get("k"), Check("k", Condition(exists=False))], writer=WORKER)
    assert outcome.results == (Result("unchanged", 0),) * 2


async def test_writes_of_a_group_see_each_other(store: Store) -> None:
    """Updates and plain writes that wait together are done one after the other, each on what the last one left."""
    scopes = [TaskScope("etl", "run-1", "load", index) for index in range(4)]
    todo: Sequence[Operation] = [
        Set("k", "10"),
        Increment("k"),
        Get("k"),
        Delete("k"),
        Increment("k", 5),
        Set("k", "[]"),
        Increment("k"),
        Clear(),
        Get("k"),
        Merge("k", '{"a": 1}'),
        Merge("k", '{"b": 2}'),
    ]
    outcomes = await asyncio.gather(
        *(store.apply(scope, [operation], writer=WORKER) for operation in todo for scope in scopes)
    )
    for index in range(len(scopes)):
        entries = [outcome.results[0].entry for outcome in outcomes[index :: len(scopes)]]
        values = [None if entry is None else entry.value for entry in entries]
        assert values == [None, "11", "11", None, "5", None, None, None, None, '{"a": 1}', '{"a": 1, "b": 2}']


async def test_increments_at_once_add_up(store: Store) -> None:
    """Many tasks that add to one key, and to keys of other scopes, lose nothing, and each sees its own sum."""
    scopes = [TASK, TaskScope("etl", "run-1", "load", 3)]

    async def add(amount: int) -> list[int]:
        seen = []
        for _ in range(20):
            for scope in scopes:
                outcome = await store.apply(scope, [Increment("k", amount)], writer=WORKER)
                entry = outcome.results[0].entry
                assert entry is not None
                seen.append(entry.load())
        return seen

    sums = await asyncio.gather(*(add(amount) for amount in range(1, 33)))
    for index, scope in enumerate(scopes):
        entry = await store.read(scope, "k")
        assert entry is not None
        assert entry.load() == 20 * sum(range(1, 33))
        assert len({each for seen in sums for each in seen[index::2]}) == 32 * 20


class NotedConnections(Connections):
    """Takes note of the statements of the transactions that write."""

    def __init__(self, url: DatabaseUrl) -> None:
        super().__init__(url)
        self.queries: list[Query] = []

    @override
    async def write(self, factory: ScriptFactory[T]) -> T:
        return await super().write(lambda: self._noted(factory()))

    def _noted(self, script: Script[T]) -> Script[T]:
        rows: Sequence[Row] | None = None
        while True:
            try:
                query = next(script) if rows is None else script.send(rows)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            self.queries.append(query)
            rows = yield query


async def opened(stack: AsyncExitStack, url: str) -> tuple[DatabaseStore, NotedConnections]:
    """Open a store for as long as the stack lasts."""
    connections = NotedConnections(DatabaseUrl(url))
    await connections.open()
    stack.push_async_callback(connections.close)
    store = DatabaseStore(connections, tables=TableNames(), clock=FakeClock())
    await store.open()
    stack.push_async_callback(store.close)
    return store, connections


async def test_increments_of_two_processes_add_up(database_url: str) -> None:
    """Two stores on one database, each with sixteen tasks that add to the same key: every increment counts once."""
    async with AsyncExitStack() as stack:
        stores = [(await opened(stack, database_url))[0] for _ in range(2)]

        async def add(store: DatabaseStore) -> None:
            for number in range(10):
                outcome = await store.apply(TASK, [Increment("k"), Maximum("top", number)], writer=WORKER)
                assert outcome.applied

        await asyncio.gather(*(add(store) for store in stores for _ in range(16)))
        for store in stores:
            outcome = await store.apply(TASK, [Get("k"), Get("top")], writer=WORKER)
            entries = [result.entry for result in outcome.results if result.entry is not None]
            assert [entry.load() for entry in entries] == [320, 9]


async def test_values_are_read_only_where_they_are_needed(database_url: str) -> None:
    """A group with updates takes one statement more than one without; only their keys are read with values."""
    async with AsyncExitStack() as stack:
        store, connections = await opened(stack, database_url)
        await apply(store, Set("a", "1"), Set("b", '"long"'))

        async def statements(*operations: Operation) -> list[Query]:
            connections.queries.clear()
            await apply(store, *operations)
            return list(connections.queries)

        plain = await statements(Set("a", "2"), Set("b", "2"), Delete("c"), Check("d", Condition()))
        mixed = await statements(Set("a", "2"), Set("b", "2"), Increment("a"), Get("a"), Delete("c"))
        assert len(mixed) == len(plain) + 1
        read = store._statements.read_by_id([(1, b"a")]).sql
        assert [query.sql for query in mixed].count(read) == 1
        assert read not in [query.sql for query in plain]


async def test_an_update_of_somebody_elses_row(database_url: str) -> None:
    """A value that is no JSON fails with a reason, and can be replaced by a set in the same batch."""
    async with AsyncExitStack() as stack:
        store, _ = await opened(stack, database_url)
        await apply(store, Set("k", "1"))
        async with outsider(database_url) as other:
            await other.run(f"UPDATE {TableNames().entry} SET value = 'nonsense'")
        for update in (Merge("k", "{}"), Increment("k"), Maximum("k", 1)):
            (result,) = (await apply(store, update)).results
            assert result.status == "failed"
            assert str(result.reason).startswith("the stored value cannot be read: ")
        outcome = await apply(store, Get("k"), Set("k", "1"), Increment("k"))
        values = [None if result.entry is None else result.entry.value for result in outcome.results]
        assert values == ["nonsense", None, "2"]
