"""Random calls, many at once, do to a store what one after the other they do to a model of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeAlias, TypeVar, Union

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from typing_extensions import override

from statemount.database.connections import Connections
from statemount.database.schema import TableNames
from statemount.database.url import DatabaseUrl
from statemount.database.version import Schema
from statemount.errors import NotFoundError, ScopeFullError
from statemount.interfaces import Store
from statemount.model import AssetScope, Entry, History, MappedTask, Run, Scope, TaskScope, Timestamp, Writer
from statemount.operations import Clear, Operation, Outcome, Result
from statemount.store.database import DatabaseStore
from statemount.store.memory import MemoryStore
from statemount.store.options import StoreOptions
from tests.clock import SECOND, FakeClock
from tests.store.model import FullError, Line, Model, Row, without_order_of_expiries
from tests.store.strategies import KEYS, batches, keys, steps, writers

T = TypeVar("T")

OPTIONS = StoreOptions(max_entries=4, max_bytes=60, max_changes=6, tombstone_seconds=3)
RUN = Run("dag", "run")
TASK = MappedTask("dag", "run", "task")
SCOPES: list[Scope] = [
    TaskScope("dag", "run", "task"),
    TaskScope("dag", "run", "task", 0),
    AssetScope(1),
    AssetScope(2),
]

Writing: TypeAlias = tuple[Scope, list[Operation], Union[Writer, None]]
Answer: TypeAlias = Union[list[Result], type[Exception]]

scopes = st.sampled_from(SCOPES)
writings = st.tuples(scopes, batches, writers)
readings = st.tuples(scopes, keys)


def _row(entry: Entry | None) -> Row | None:
    if entry is None:
        return None
    return Row(entry.value, entry.expires_at, entry.revision, entry.updated_at, entry.writer)


class StoreMachine(RuleBasedStateMachine):
    """A store next to a model of every scope."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        self.models: dict[Scope, Model] = {}
        self.dropped_until: Timestamp | None = None
        self.store = self.run(self.open())

    def run(self, work: Awaitable[T]) -> T:
        """Run something on this machine's event loop."""

        async def wait() -> T:
            return await work

        return self.loop.run_until_complete(wait())

    async def open(self) -> Store:
        """Return the store, open and empty."""
        return MemoryStore(clock=self.clock, options=OPTIONS)

    @override
    def teardown(self) -> None:
        self.run(self.store.close())
        self.loop.close()

    def expect(self, scope: Scope, operations: Sequence[Operation], writer: Writer | None) -> Answer:
        """Write to the model, and return what the store should answer."""
        model = self.models.get(scope)
        now = self.clock.now
        if model is None:
            nothing = Model(0, now, OPTIONS)
            try:
                results = nothing.apply(operations, now, writer)
            except FullError:
                return ScopeFullError
            if not nothing.log:
                return results
            if isinstance(scope, TaskScope) and self.dropped_until is not None and now < self.dropped_until:
                return NotFoundError
            self.models[scope] = model = Model(now, now, OPTIONS)
        try:
            return model.apply_or_sweep(operations, now, writer)
        except FullError:
            return ScopeFullError

    @rule(writes=st.lists(writings, min_size=1, max_size=12), reads=st.lists(readings, max_size=4), step=steps)
    def write_and_read_at_once(self, writes: list[Writing], reads: list[tuple[Scope, str]], step: int) -> None:
        """Writes that come together are done in their order; a read sees a moment before, between or after them."""
        self.clock.advance(step)
        now = self.clock.now
        seen: dict[tuple[Scope, str], list[Row | None]] = {read: [self.live(*read)] for read in reads}
        expected: list[Answer] = []
        for scope, operations, writer in writes:
            expected.append(self.expect(scope, operations, writer))
            for read in reads:
                seen[read].append(self.live(*read))

        async def at_once() -> tuple[list[Outcome | BaseException], list[Entry | None]]:
            return await asyncio.gather(
                asyncio.gather(
                    *(self.store.apply(scope, operations, writer=writer) for scope, operations, writer in writes),
                    return_exceptions=True,
                ),
                asyncio.gather(*(self.store.read(scope, key) for scope, key in reads)),
            )

        answers, found = self.run(at_once())
        for answer, wanted in zip(answers, expected, strict=True):
            if isinstance(wanted, type):
                assert isinstance(answer, wanted)
            else:
                assert isinstance(answer, Outcome)
                assert list(answer.results) == wanted
        for read, entry in zip(reads, found, strict=True):
            assert entry is None or (entry.key == read[1] and (entry.expires_at is None or entry.expires_at > now))
            assert _row(entry) in seen[read]

    def live(self, scope: Scope, key: str) -> Row | None:
        """Return what a read should find now."""
        model = self.models.get(scope)
        return None if model is None else model.live(self.clock.now).get(key)

    @rule(step=steps)
    def sweep(self, step: int) -> None:
        """Sweeps at once remove what is expired, once."""
        self.clock.advance(step)
        expected = sum(model.sweep(self.clock.now) for model in self.models.values())

        async def at_once() -> Sequence[int]:
            return await asyncio.gather(self.store.sweep(), self.store.sweep())

        assert sum(self.run(at_once())) == expected
        assert self.run(self.store.count_expired()) == 0
        if self.dropped_until is not None and self.dropped_until <= self.clock.now:
            self.dropped_until = None  # it is forgotten, also should the clock go back

    @rule(seconds=st.integers(0, 6))
    def trim(self, seconds: int) -> None:
        """Trims at once remove old lines of the log, once."""
        before = self.clock.now - seconds * SECOND
        expected = sum(model.trim(before) for model in self.models.values())
        assert self.run(self.store.count_changes(before=before)) == expected

        async def at_once() -> Sequence[int]:
            return await asyncio.gather(*(self.store.trim(before=before) for _ in range(2)))

        assert sum(self.run(at_once())) == expected
        assert self.run(self.store.count_changes(before=before)) == 0

    @rule(writer=writers, clear=st.sampled_from([Clear(), Clear(purge=True)]))
    def clear_task(self, writer: Writer | None, clear: Clear) -> None:
        """Clearing a task clears every map index of it that holds something."""
        outcome = self.run(self.store.apply(TASK, [clear], writer=writer))
        models = [model for scope, model in self.models.items() if isinstance(scope, TaskScope)]
        results = [model.apply([clear], self.clock.now, writer)[0].status for model in models]
        assert outcome.results == (Result("changed" if "changed" in results else "unchanged", 0),)

    @precondition(lambda self: self.models)
    @rule()
    def drop(self) -> None:
        """A dropped run takes its scopes with it, and comes back only after a while."""
        self.run(self.store.drop(RUN))
        self.dropped_until = self.clock.now + OPTIONS.tombstone_seconds * SECOND
        self.models = {scope: model for scope, model in self.models.items() if isinstance(scope, AssetScope)}

    @invariant()
    def agrees(self) -> None:
        """What can be read of every scope, and its log, is the model's."""
        now = self.clock.now
        for scope in SCOPES:
            page = self.run(self.store.list(scope, limit=100))
            log = self.run(self.store.changes(scope))
            model = self.models.get(scope)
            if model is None:
                assert (page.entries, page.total, page.revision, list(log)) == ((), 0, 0, [])
                continue
            live = model.live(now)
            assert [(entry.key, _row(entry)) for entry in page.entries] == list(live.items())
            assert (page.total, page.revision) == (len(live), model.revision)
            assert without_order_of_expiries([Line.of(change) for change in log]) == without_order_of_expiries(
                model.log
            )
            history = self.run(self.store.history(scope))
            assert history == History(tuple(reversed(log)), model.revision, model.trimmed == 0)
            for change in log:
                assert change.value is None or isinstance(scope, AssetScope)
                if change.kind == "set" and isinstance(scope, AssetScope):
                    row = model.seen[change.revision][1][str(change.key)]
                    assert change.value == (row.value if model.has_logged(str(change.key), row) else None)
            for key in KEYS:
                assert _row(self.run(self.store.read(scope, key))) == live.get(key)


class DatabaseMachine(StoreMachine):
    """The same, in tables."""

    @override
    async def open(self) -> Store:
        self.connections = Connections(DatabaseUrl("sqlite://"))
        await self.connections.open()
        await Schema(self.connections, TableNames(), auto_upgrade=True).open()
        store = DatabaseStore(self.connections, tables=TableNames(), clock=self.clock, options=OPTIONS)
        await store.open()
        return store

    @override
    def teardown(self) -> None:
        self.run(self.store.close())
        self.run(self.connections.close())
        self.loop.close()


_SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck))

TestMemoryStore = StoreMachine.TestCase
TestMemoryStore.settings = settings(_SETTINGS, max_examples=30, stateful_step_count=15)
TestDatabaseStore = DatabaseMachine.TestCase
TestDatabaseStore.settings = settings(_SETTINGS, max_examples=20, stateful_step_count=15)
