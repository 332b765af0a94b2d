"""Writes that wait together are one transaction, and none of them suffers from another."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from typing_extensions import override

from statemount.database.connections import Connections, T
from statemount.database.digests import run_digest, scope_digest
from statemount.database.query import ScriptFactory
from statemount.database.schema import TableNames
from statemount.database.url import DatabaseUrl
from statemount.errors import OverloadedError, ScopeFullError, TaskInstanceNotFoundError, UnavailableError
from statemount.model import AssetScope, Entry, MappedTask, Run, Scope, TaskScope, Writer
from statemount.operations import CheckScope, Clear, Condition, Delete, Outcome, Result, Set
from statemount.store.database import DatabaseStore
from statemount.store.options import StoreOptions
from statemount.store.scope_ids import ScopeIds
from tests.clock import SECOND, FakeClock
from tests.database.support import Proxy, at, outsider

pytestmark = pytest.mark.anyio

TASK = TaskScope("dag", "run", "task")
ASSET = AssetScope(1)
WRITER = Writer.of_task(TASK)


class CountedConnections(Connections):
    """Counts the transactions that write and the reads."""

    writes = 0
    reads = 0

    @override
    async def write(self, factory: ScriptFactory[T]) -> T:
        self.writes += 1
        return await super().write(factory)

    @override
    async def read(self, factory: ScriptFactory[T]) -> T:
        self.reads += 1
        return await super().read(factory)


@asynccontextmanager
async def opened(
    url: str,
    clock: FakeClock,
    *,
    options: StoreOptions | None = None,
    max_waiting: int = 10_000,
    lock_seconds: float = 2.0,
) -> AsyncIterator[tuple[DatabaseStore, CountedConnections]]:
    """Open a store for the length of a block."""
    connections = CountedConnections(DatabaseUrl(url), lock_seconds=lock_seconds)
    await connections.open()
    store = DatabaseStore(connections, tables=TableNames(), clock=clock, options=options, max_waiting=max_waiting)
    await store.open()
    try:
        yield store, connections
    finally:
        await store.close()
        await connections.close()


async def keys_of(store: DatabaseStore, scope: Scope) -> list[str]:
    """Return every live key."""
    return [entry.key for entry in (await store.list(scope, limit=10_000)).entries]


async def test_writes_at_once_are_few_transactions(database_url: str, clock: FakeClock) -> None:
    """A hundred writes to one scope that come together take two transactions, and a hundred gets two reads."""
    async with opened(database_url, clock) as (store, connections):
        await store.apply(TASK, [Set("k", "0")], writer=WRITER)
        connections.writes = 0
        outcomes = await asyncio.gather(
            *(store.apply(TASK, [Set(f"k{number}", str(number))], writer=WRITER) for number in range(100))
        )
        assert connections.writes <= 2
        revisions = [outcome.results[0].revision for outcome in outcomes]
        assert revisions == list(range(revisions[0], revisions[0] + 100))
        connections.reads = 0
        entries = await asyncio.gather(*(store.read(TASK, f"k{number}") for number in range(100)))
        assert connections.reads <= 2
        assert [entry.value for entry in entries if entry is not None] == [str(number) for number in range(100)]


async def test_a_group_is_cut_at_its_limits(database_url: str, clock: FakeClock) -> None:
    """No transaction has more than 256 operations, however they are spread over requests."""
    async with opened(database_url, clock) as (store, connections):
        await store.apply(TASK, [Set("k", "0")], writer=WRITER)
        connections.writes = 0
        batch = [Set(f"k{number}", "1") for number in range(100)]
        await asyncio.gather(*(store.apply(TASK, batch, writer=WRITER) for _ in range(6)))
        assert connections.writes == 3
        assert (await store.list(TASK, limit=0)).total == 101


async def test_the_order_of_writes_to_one_key(database_url: str, clock: FakeClock) -> None:
    """The last write that came is the one that stays, and every one of them is in the log."""
    async with opened(database_url, clock) as (store, _):
        await asyncio.gather(
            *(
                store.apply(scope, [Set("k", str(number))], writer=None)
                for number in range(50)
                for scope in (TASK, ASSET)
            )
        )
        for scope in (TASK, ASSET):
            entry = await store.read(scope, "k")
            assert entry is not None
            assert entry.value == "49"
            log = await store.changes(scope)
            assert [change.revision for change in log] == list(range(log[0].revision, log[0].revision + 50))


async def test_a_write_that_the_database_refuses_fails_alone(
    database_url: str, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What no database can hold fails by itself; the others of its group are written once."""
    async with opened(database_url, clock) as (store, _):
        await store.apply(TASK, [Set("k", "0")], writer=WRITER)
        with caplog.at_level(logging.WARNING, "statemount.store"):
            answers = await asyncio.gather(
                *(store.apply(TASK, [Set(key, "1", 2**70 if key == "c" else None)], writer=WRITER) for key in "abcde"),
                return_exceptions=True,
            )
        assert [isinstance(answer, Outcome) for answer in answers] == [True, True, False, True, True]
        assert not isinstance(answers[2], UnavailableError)
        assert await keys_of(store, TASK) == ["a", "b", "d", "e", "k"]
        assert len(await store.changes(TASK)) == 5
        assert "failed, and is done one by one" in caplog.text


async def test_a_write_to_a_dropped_run_fails_alone(database_url: str, clock: FakeClock) -> None:
    """A run that was dropped by another process refuses its writes, and only its own, in a group of many."""
    async with opened(database_url, clock) as (store, _), opened(database_url, clock) as (other, _):
        await store.apply(TASK, [Set("k", "1")], writer=WRITER)
        await store.apply(ASSET, [Set("k", "1")], writer=WRITER)
        await other.drop(Run("dag", "run"))
        assert await store.read(TASK, "k") is None
        answers = await asyncio.gather(
            store.apply(ASSET, [Set("a", "1")], writer=WRITER),
            store.apply(TASK, [Set("a", "1")], writer=WRITER),
            store.apply(TASK, [Delete("a")], writer=WRITER),
            store.apply(ASSET, [Set("b", "1")], writer=WRITER),
            return_exceptions=True,
        )
        assert isinstance(answers[1], TaskInstanceNotFoundError)
        assert answers[2] == Outcome((Result("unchanged", 0),), 0)
        assert await keys_of(store, ASSET) == ["a", "b", "k"]
        assert len(await store.changes(ASSET)) == 3


async def test_a_scope_that_was_made_for_nothing(database_url: str, clock: FakeClock) -> None:
    """A scope that was made in a group which failed is one that nobody has written to: its revision is 0."""
    async with opened(database_url, clock) as (store, _):
        await store.apply(TASK, [Set("k", "1")], writer=WRITER)
        await store.drop(Run("dag", "run"))
        outcomes = await asyncio.gather(
            store.apply(TASK, [Set("k", "2")], writer=WRITER),
            store.apply(ASSET, [CheckScope(Condition(revisions=frozenset({0}))), Set("k", "1")], writer=WRITER),
            return_exceptions=True,
        )
        assert isinstance(outcomes[0], TaskInstanceNotFoundError)
        assert isinstance(outcomes[1], Outcome)
        assert outcomes[1].results[0] == Result("unchanged", 0)
        assert await keys_of(store, ASSET) == ["k"]


async def test_a_scope_that_was_made_again(database_url: str, clock: FakeClock) -> None:
    """A process that remembers a dropped scope finds the new one, to read and to write."""
    async with opened(database_url, clock) as (store, _), opened(database_url, clock) as (other, _):
        first = await store.apply(TASK, [Set("k", "1")], writer=WRITER)
        await other.drop(Run("dag", "run"))
        clock.advance(61)
        await other.apply(TASK, [Set("k", "2"), Set("l", "2")], writer=WRITER)
        entry = await store.read(TASK, "k")
        assert entry is not None
        assert entry.value == "2"
        assert entry.revision > first.revision
        await other.drop(Run("dag", "run"))
        clock.advance(61)
        await other.apply(TASK, [Set("k", "3")], writer=WRITER)
        await store.apply(TASK, [Set("m", "3")], writer=WRITER)
        assert await keys_of(store, TASK) == await keys_of(other, TASK) == ["k", "m"]


async def test_a_scope_that_was_made_while_its_run_was_dropped(
    database_kind: str, database_url: str, clock: FakeClock
) -> None:
    """A scope that a drop could not see yet is found by nobody who writes while the drop is fresh."""
    blob = {"sqlite": "x'{}'", "postgresql": "'\\x{}'", "mysql": "x'{}'"}[database_kind]
    digest, run = blob.format(scope_digest(TASK).hex()), blob.format(run_digest("dag", "run").hex())
    async with opened(database_url, clock) as (store, _), outsider(database_url) as other:
        await store.drop(Run("dag", "run"))
        await other.run(
            "INSERT INTO statemount_scope (kind, digest, run_digest, revision, updated_at, entries, size)"
            f" VALUES ('task', {digest}, {run}, 1, 1, 0, 0)"
        )
        with pytest.raises(TaskInstanceNotFoundError):
            await store.apply(TASK, [Set("k", "1")], writer=WRITER)
        clock.advance(61)
        await store.apply(TASK, [Set("k", "1")], writer=WRITER)
        assert await keys_of(store, TASK) == ["k"]


async def test_a_full_scope_makes_room(database_url: str, clock: FakeClock) -> None:
    """What is expired gives way to a write in a full scope, in the same transaction and in the order of the group."""
    options = StoreOptions(max_entries=5, max_bytes=1000)
    async with opened(database_url, clock, options=options) as (store, connections):
        old = [Set(f"old{number}", "1", clock.now + SECOND) for number in range(3)]
        await store.apply(TASK, [*old, Set("a", "1"), Set("b", "1")], writer=WRITER)
        with pytest.raises(ScopeFullError):
            await store.apply(TASK, [Set("c", "1")], writer=WRITER)
        clock.advance(1)
        connections.writes = 0
        answers = await asyncio.gather(
            store.apply(TASK, [Set("c", "1")], writer=WRITER),
            store.apply(TASK, [Set("c", "2")], writer=WRITER),
            store.apply(TASK, [Delete("b"), Set("d", "1"), Set("old0", "2")], writer=WRITER),
            store.apply(TASK, [Set("e", "1"), Set("f", "1"), Set("g", "1")], writer=WRITER),
            return_exceptions=True,
        )
        assert connections.writes <= 2
        assert [isinstance(answer, Outcome) for answer in answers] == [True, True, True, False]
        assert await keys_of(store, TASK) == ["a", "c", "d", "old0"]
        entry = await store.read(TASK, "c")
        assert entry is not None
        assert entry.value == "2"
        log = await store.changes(TASK)
        assert sorted(str(change.key) for change in log if change.kind == "expire") == ["old0", "old1", "old2"]
        assert [change.revision for change in log] == list(range(log[0].revision, log[0].revision + len(log)))


async def test_a_scope_that_is_cleared_and_filled_in_one_group(database_url: str, clock: FakeClock) -> None:
    """After a clear in the same group only what was written since counts."""
    options = StoreOptions(max_entries=2, max_bytes=1000)
    async with opened(database_url, clock, options=options) as (store, _):
        await store.apply(TASK, [Set("old", "1", clock.now + SECOND), Set("a", "1")], writer=WRITER)
        clock.advance(1)
        answers = await asyncio.gather(
            store.apply(TASK, [Clear()], writer=WRITER),
            store.apply(TASK, [Set("b", "1"), Set("c", "1", clock.now)], writer=WRITER),
            store.apply(TASK, [Set("d", "1")], writer=WRITER),
            store.apply(TASK, [Set("e", "1")], writer=WRITER),
            return_exceptions=True,
        )
        assert [isinstance(answer, Outcome) for answer in answers] == [True, True, True, False]
        assert await keys_of(store, TASK) == ["b", "d"]
        log = await store.changes(TASK)
        assert [(change.kind, change.key) for change in log[-5:]] == [
            ("clear", None),
            ("set", "b"),
            ("set", "c"),
            ("expire", "c"),
            ("set", "d"),
        ]


async def test_scopes_whose_clocks_differ(database_url: str, clock: FakeClock) -> None:
    """A clear counts what lives in each scope at its own time, also next to one that was written in the future."""
    async with opened(database_url, clock) as (store, _):
        await store.apply(ASSET, [Set("k", "1")], writer=WRITER)
        clock.advance(3600)
        await store.apply(TASK, [Set("k", "1")], writer=WRITER)
        clock.advance(-3600)
        await store.apply(ASSET, [Set("k", "2", clock.now + 60 * SECOND)], writer=WRITER)
        answers = await asyncio.gather(*(store.apply(scope, [Clear()], writer=WRITER) for scope in (TASK, ASSET)))
        assert [answer.results[0].status for answer in answers] == ["changed", "changed"]
        assert await keys_of(store, ASSET) == []


async def test_a_large_sweep(database_url: str, clock: FakeClock) -> None:
    """A thousand entries are swept at once, and a scope of thousands is cleared and dropped."""
    async with opened(database_url, clock, options=StoreOptions(max_changes=0)) as (store, _):
        for start in range(0, 2000, 250):
            batch = [Set(f"k{start + number}", "1", clock.now + SECOND) for number in range(250)]
            await store.apply(TASK, batch, writer=WRITER)
        clock.advance(1)
        assert [await store.sweep(limit=1000) for _ in range(3)] == [1000, 1000, 0]
        assert len(await store.changes(TASK, limit=5000)) == 4000  # all of them are kept
        await store.drop(Run("dag", "run"))
        assert list(await store.changes(TASK)) == []


async def test_an_asset_is_known_by_its_id(store: DatabaseStore) -> None:
    """The name that stands next to an id changes nothing; without an id there is no state."""
    named = AssetScope(7, "name", "uri")
    await asyncio.gather(
        store.apply(named, [Set("a", "1")], writer=WRITER), store.apply(AssetScope(7), [Set("b", "1")], writer=WRITER)
    )
    entries = await asyncio.gather(
        *(store.read(scope, "a") for scope in (named, AssetScope(7), AssetScope(7, "other")))
    )
    assert [isinstance(entry, Entry) for entry in entries] == [True, True, True]
    assert (await store.list(named, limit=10)).total == len(await store.changes(named)) == 2
    for work in (
        store.read(AssetScope(name="name"), "a"),
        store.apply(AssetScope(name="name"), [Set("a", "1")], writer=None),
        store.list(AssetScope(name="name"), limit=1),
        store.changes(AssetScope(name="name")),
        store.drop(AssetScope(name="name")),
    ):
        with pytest.raises(ValueError, match="a store knows an asset by its id"):
            await work
    await store.drop(named)
    assert await store.read(AssetScope(7), "a") is None


async def test_a_mapped_task_can_only_be_cleared(store: DatabaseStore) -> None:
    """Nothing but one clear goes to every map index at once."""
    for operations in ([Set("a", "1")], [Clear(), Clear()], []):
        with pytest.raises(ValueError, match="every map index of a task can only be cleared"):
            await store.apply(MappedTask("dag", "run", "task"), operations, writer=None)


async def test_conditions_where_there_is_no_scope(store: DatabaseStore) -> None:
    """What removes nothing from a scope that was never written fails if it had to be there."""
    outcome = await store.apply(
        TASK,
        [Delete("a"), Delete("a", Condition(exists=False)), Clear(), Delete("a", Condition(exists=True)), Clear()],
        writer=None,
    )
    assert [result.status for result in outcome.results] == ["unchanged", "unchanged", "unchanged", "failed"]
    failed = await store.apply(TASK, [Delete("a", Condition(revisions=frozenset({1})))], writer=None)
    assert failed == Outcome((Result("failed", 0),), 0)
    assert await store.apply(TASK, [], writer=None) == Outcome((), 0)


async def test_rows_that_somebody_else_wrote(database_kind: str, database_url: str, clock: FakeClock) -> None:
    """A value that is no JSON and a writer that is none of ours are read as they are, and harm nothing."""
    async with opened(database_url, clock) as (store, _), outsider(database_url) as other:
        for key in "abcd":
            await store.apply(TASK, [Set(key, "1")], writer=WRITER)
        key = '"key"' if database_kind == "postgresql" else "`key`"
        for name, writer in {"a": "no json", "b": "[1]", "c": '{"kind": "api", "age": 1}', "d": "{}"}.items():
            literal = f"'\\x{name.encode().hex()}'" if database_kind == "postgresql" else f"x'{name.encode().hex()}'"
            await other.run(
                f"UPDATE statemount_entry SET value = 'NaN-ish', writer = '{writer}' WHERE {key} = {literal}"
            )
        page = await store.list(TASK, limit=10)
        assert [(entry.value, entry.writer) for entry in page.entries] == [("NaN-ish", None)] * 4
        with pytest.raises(ValueError, match="Extra data"):
            page.entries[0].load()
        await store.apply(TASK, [Set("a", "2")], writer=None)
        entry = await store.read(TASK, "a")
        assert entry is not None
        assert entry.load() == 2


async def test_a_store_that_has_too_much_to_do(database_url: str, clock: FakeClock) -> None:
    """What the queue does not take is refused at once; what it took is done, also by a close."""
    async with opened(database_url, clock, max_waiting=3) as (store, _):
        await store.apply(TASK, [Set("k", "1")], writer=WRITER)
        answers = [
            asyncio.ensure_future(store.apply(TASK, [Set(f"k{number}", "1")], writer=WRITER)) for number in range(9)
        ]
        reads = [asyncio.ensure_future(store.read(TASK, "missing")) for _ in range(9)]
        await asyncio.sleep(0)
        await store.close()
        outcomes = await asyncio.gather(*answers, *reads, return_exceptions=True)
        for part in (outcomes[:9], outcomes[9:]):
            assert sum(isinstance(outcome, OverloadedError) for outcome in part) == 6
            assert sum(not isinstance(outcome, BaseException) for outcome in part) == 3
        with pytest.raises(UnavailableError):
            await store.read(TASK, "k")
        with pytest.raises(UnavailableError):
            await store.apply(TASK, [Set("k", "1")], writer=WRITER)


async def test_nothing_of_a_request_reaches_the_database_work(database_url: str) -> None:
    """The clock that a transaction asks sees an empty context, whoever wrote first."""
    variable = contextvars.ContextVar("variable", default="empty")
    seen: set[str] = set()
    lock = threading.Lock()

    class SeeingClock(FakeClock):
        @override
        def __call__(self) -> int:
            with lock:
                seen.add(variable.get())
            return super().__call__()

    async with opened(database_url, SeeingClock()) as (store, _):
        variable.set("the request's")
        await store.apply(TASK, [Set("k", "1")], writer=WRITER)
        await store.apply(MappedTask("dag", "run", "task"), [Clear()], writer=WRITER)
        await store.sweep()
    assert seen == {"empty"}


async def test_a_scope_that_somebody_holds(server_kind: str, server_url: str, clock: FakeClock) -> None:
    """A write to a scope that another holds for long is unavailable; writes to other scopes in its group are done."""
    scopes: list[Scope] = [AssetScope(number) for number in range(6)]
    held = scopes[3]
    seconds = {"postgresql": 0.2, "mysql": 1.0}[server_kind]
    async with opened(server_url, clock, lock_seconds=seconds) as (store, _), outsider(server_url) as other:
        for scope in scopes:
            await store.apply(scope, [Set("k", "1")], writer=WRITER)
        ((held_id,),) = await other.run("SELECT id FROM statemount_scope WHERE asset_id = 3")
        await other.run("BEGIN")
        await other.run(f"UPDATE statemount_scope SET size = size + 0 WHERE id = {held_id}")
        answers = await asyncio.gather(
            *(store.apply(scope, [Set("k", "2")], writer=WRITER) for scope in scopes), return_exceptions=True
        )
        assert [isinstance(answer, UnavailableError) for answer in answers] == [scope == held for scope in scopes]
        with pytest.raises(UnavailableError, match="holds a lock"):
            await store.apply(held, [Set("k", "3")], writer=WRITER)
        await other.run("ROLLBACK")
        await store.apply(held, [Set("k", "3")], writer=WRITER)
        values = [entry.value for scope in scopes if (entry := await store.read(scope, "k")) is not None]
        assert values == ["2", "2", "2", "3", "2", "2"]


async def test_scopes_that_go_while_they_are_waited_for(server_url: str, clock: FakeClock) -> None:
    """A clear of a whole task that finds its scopes gone, once it has their locks, has cleared nothing."""
    async with opened(server_url, clock) as (store, _), outsider(server_url) as other:
        await store.apply(TASK, [Set("k", "1")], writer=WRITER)
        ((scope_id,),) = await other.run("SELECT id FROM statemount_scope")
        await other.run("BEGIN")
        await other.run(f"DELETE FROM statemount_scope WHERE id = {scope_id}")
        clearing = asyncio.ensure_future(store.apply(MappedTask("dag", "run", "task"), [Clear()], writer=WRITER))
        await asyncio.sleep(0.2)
        assert not clearing.done()
        await other.run("COMMIT")
        assert (await clearing).results == (Result("unchanged", 0),)


async def read_key(store: DatabaseStore) -> bool:
    """Read a key of the task; tell whether it was right to find nothing."""
    return await store.read(TASK, "k") is None


async def write_key(store: DatabaseStore) -> bool:
    """Write another key of the task; tell whether that made its scope."""
    outcome = await store.apply(TASK, [Set("new", "1")], writer=WRITER)
    return outcome.results[0].status == "changed" and await keys_of(store, TASK) == ["new"]


async def ask_revision(store: DatabaseStore) -> bool:
    """Ask for the revision of the task's state; tell whether it has none."""
    return await store.revisions([TASK]) == {TASK: 0}


@pytest.mark.parametrize("ask", [read_key, write_key, ask_revision])
async def test_a_copy_that_takes_over(
    server_url: str, clock: FakeClock, ask: Callable[[DatabaseStore], Awaitable[bool]]
) -> None:
    """Where connections break, another server may answer next, which lacks what was written last: there the id of a
    scope may be another one's, which is not touched.
    """
    other_task = TaskScope("dag", "run", "other")
    async with Proxy(server_url) as proxy, opened(at(server_url, proxy.port), clock) as (store, _):
        await store.apply(TASK, [Set("k", "1")], writer=WRITER)
        async with outsider(server_url) as other:
            digest = scope_digest(other_task).hex()
            literal = f"x'{digest}'" if server_url.startswith("mysql") else f"'\\x{digest}'"
            await other.run(f"UPDATE statemount_scope SET task_id = 'other', digest = {literal}")
        proxy.cut()
        assert await ask(store)
        assert await keys_of(store, other_task) == ["k"]


def test_few_ids_are_remembered() -> None:
    """The memory for scopes is bounded: the oldest one goes first. All are forgotten with the connections."""
    connections = Connections(DatabaseUrl("sqlite://"))
    ids = ScopeIds(connections, size=2)
    for number in range(3):
        ids.remember(AssetScope(number), number, since=0)
    ids.remember(AssetScope(2), 20, since=0)
    assert [ids.get(AssetScope(number)) for number in range(3)] == [None, 1, 20]
    ids.forget(AssetScope(2))
    ids.forget(AssetScope(2))
    assert ids.get(AssetScope(2)) is None
    connections.losses += 1
    ids.remember(AssetScope(2), 21, since=0)
    assert [ids.get(AssetScope(number)) for number in range(3)] == [None, None, None]
    ids.remember(AssetScope(2), 22, since=1)
    assert ids.get(AssetScope(2)) == 22
