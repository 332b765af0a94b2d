"""What every store promises of the history: as :mod:`tests.store.conformance`."""

from __future__ import annotations

import asyncio

import pytest

from statemount.interfaces import Store
from statemount.model import AssetScope, Change, Entry, History, LogTail, MappedTask, Past, Run, Scope, TaskScope
from statemount.operations import Clear, Condition, Delete, Set
from statemount.store.options import StoreOptions
from tests.clock import SECOND, FakeClock
from tests.store.conformance import API, ASSET, MAX_BYTES, MAX_ENTRIES, TASK, WORKER, keys_of, put, value_of
from tests.store.walks import Walk

OPTIONS = StoreOptions(max_entries=MAX_ENTRIES, max_bytes=MAX_BYTES)
MOST = 1000
SLACK = MOST // 10 + 9


async def lines_of(store: Store, scope: Scope, key: str | None = None, before: int | None = None) -> list[Change]:
    """Return lines of the log, newest first."""
    return [*(await store.history(scope, key=key, before=before)).changes]


def shown(lines: list[Change]) -> list[tuple[str, str | None]]:
    """Return kind and key of each line."""
    return [(line.kind, line.key) for line in lines]


async def write_many(store: Store, scope: Scope, count: int) -> int:
    """Change a scope so many times; return the last revision."""
    revision = 0
    while count:
        batch = min(count, 250)
        outcome = await store.apply(scope, [Set("k", str(number)) for number in range(batch)], writer=WORKER)
        revision, count = outcome.revision, count - batch
    return revision


class HistoryConformance:
    """Its fixtures are those of the store's conformance."""

    async def test_a_scope_that_was_never_written_has_no_history(self, store: Store) -> None:
        """Nothing happened, and nothing was ever removed."""
        await put(store, TASK, "k")
        for scope in (ASSET, TaskScope("etl", "run-1", "load", 0)):
            assert await store.history(scope) == await store.history(scope, key="k") == History((), 0, True)
            assert await store.past(scope, "k", revision=5) == await store.past(scope, "k", at=0) == Past(None, True, 0)

    async def test_the_newest_change_comes_first(self, store: Store, clock: FakeClock) -> None:
        """The lines are those of the log, backwards, with the scope's revision."""
        first = await put(store, ASSET, "a", '"v"')
        await store.apply(ASSET, [Delete("a")], writer=API)
        await store.apply(ASSET, [Set("b", "1", clock.now + SECOND), Clear()], writer=None)
        history = await store.history(ASSET)
        assert [*history.changes] == [*reversed(await store.changes(ASSET))]
        assert (history.revision, history.complete) == (first + 3, True)
        assert history.changes[3] == Change(first, "set", "a", clock.now, WORKER, 3, '"v"')
        assert history.changes[1] == Change(first + 2, "set", "b", clock.now, None, 1, "1", clock.now + SECOND)

    async def test_a_history_has_pages(self, store: Store) -> None:
        """A page begins below a revision, and has so many lines; the revision is always the scope's."""
        revisions = [await put(store, TASK, key) for key in "abcde"]
        for before, limit, expected in [
            (None, 2, revisions[:2:-1]),
            (revisions[3], 2, [revisions[2], revisions[1]]),
            (revisions[1], 2, revisions[:1]),
            (revisions[0], 2, []),
            (0, 2, []),
            (None, 0, []),
            (2**63 - 1, 9, revisions[::-1]),
        ]:
            history = await store.history(TASK, before=before, limit=limit)
            assert [line.revision for line in history.changes] == expected
            assert (history.revision, history.complete) == (revisions[-1], True)

    async def test_the_history_of_a_key_has_clears_too(self, store: Store) -> None:
        """Of one key there are its own lines and every clear, and no line of a key that is spelt otherwise."""
        for key in ("a", "A", "a ", "b", "a"):
            await put(store, TASK, key)
        await store.apply(TASK, [Clear()], writer=API)
        last = await put(store, TASK, "b")
        await store.apply(TASK, [Delete("b")], writer=API)
        assert shown(await lines_of(store, TASK, "a")) == [("clear", None), ("set", "a"), ("set", "a")]
        assert shown(await lines_of(store, TASK, "a ")) == [("clear", None), ("set", "a ")]
        assert shown(await lines_of(store, TASK, "none")) == [("clear", None)]
        assert shown(await lines_of(store, TASK, "b", last)) == [("clear", None), ("set", "b")]
        history = await store.history(TASK, key="a", limit=1)
        assert (shown([*history.changes]), history.revision) == ([("clear", None)], last + 1)

    async def test_an_asset_as_of_a_revision(self, store: Store, clock: FakeClock) -> None:
        """The entry comes back as it was right after that change, whoever changed what since then."""
        first = await put(store, ASSET, "a", "1")
        clock.advance(1)
        await put(store, ASSET, "b", "0")
        await store.apply(ASSET, [Set("a", "2")], writer=API)
        await store.apply(ASSET, [Delete("a")], writer=API)
        await store.apply(ASSET, [Set("a", "3"), Clear(), Set("a", "4")], writer=API)
        one = Entry("a", "1", clock.now - SECOND, first, None, WORKER)
        two = Entry("a", "2", clock.now, first + 2, None, API)
        three, four = two._replace(value="3", revision=first + 4), two._replace(value="4", revision=first + 6)
        expected = [None, None, one, one, two, None, three, None, four, four]
        found = [await store.past(ASSET, "a", revision=first + step) for step in range(-2, 8)]
        assert found == [Past(entry, True, first + 6) for entry in expected]
        assert await store.past(ASSET, "a", revision=2**63 - 1) == Past(four, True, first + 6)
        assert await store.past(ASSET, "A", revision=first) == Past(None, True, first + 6)

    async def test_an_asset_as_of_a_time(self, store: Store, clock: FakeClock) -> None:
        """The last change up to a time counts, to the microsecond."""
        first = await put(store, ASSET, "a", "1")
        clock.advance(1)
        await store.apply(ASSET, [Set("a", "2"), Set("a", "3")], writer=WORKER)
        clock.advance(1)
        await store.apply(ASSET, [Delete("a")], writer=WORKER)
        for seconds, value in [(-2, "1"), (-1.000_001, "1"), (-1, "3"), (-0.000_001, "3"), (0, None), (100, None)]:
            past = await store.past(ASSET, "a", at=clock.now + round(seconds * SECOND))
            assert (None if past.entry is None else past.entry.value, past.is_known) == (value, True)
        assert await store.past(ASSET, "a", at=clock.now - 2 * SECOND - 1) == Past(None, True, first + 3)

    async def test_an_entry_that_had_ended_was_not_there(self, store: Store, clock: FakeClock) -> None:
        """Its end is judged by the time that is asked for, or by that of the revision; swept or not."""
        first = await put(store, ASSET, "a", "1", expires_at=clock.now + 2 * SECOND)
        clock.advance(1)
        await put(store, ASSET, "b")
        clock.advance(1)
        await put(store, ASSET, "b")
        for _ in range(2):
            known = [await store.past(ASSET, "a", revision=first + step) for step in range(3)]
            assert [past.entry is not None for past in known] == [True, True, False]
            times = [await store.past(ASSET, "a", at=clock.now - age) for age in (2 * SECOND, 1, 0, -SECOND)]
            assert [past.entry is not None for past in times] == [True, True, False, False]
            assert all(past.is_known for past in known + times)
            await store.sweep()
        assert (await store.past(ASSET, "a", revision=first + 3)).entry is None

    async def test_a_task_as_of_a_revision(self, store: Store) -> None:
        """Where the log keeps no values, the entry that is stored tells what it was since it was written."""
        first = await put(store, TASK, "a", "1")
        last = await put(store, TASK, "a", "2")
        await put(store, TASK, "b")
        current = await store.read(TASK, "a")
        assert await store.past(TASK, "a", revision=last) == Past(current, True, last + 1)
        assert await store.past(TASK, "a", revision=last + 1) == Past(current, True, last + 1)
        assert await store.past(TASK, "a", revision=first) == Past(None, False, last + 1)
        assert await store.past(TASK, "a", revision=first - 1) == Past(None, True, last + 1)
        await store.apply(TASK, [Delete("a")], writer=WORKER)
        assert await store.past(TASK, "a", revision=last) == Past(None, False, last + 2)
        assert await store.past(TASK, "a", revision=last + 2) == Past(None, True, last + 2)

    async def test_a_value_that_is_too_long_for_the_log(self, store: Store) -> None:
        """What the log did not keep is not known, until it is the entry that is stored."""
        long = '"' + "v" * 500 + '"'
        first = await put(store, ASSET, "a", long)
        past = await store.past(ASSET, "a", revision=first)
        assert past.entry is not None
        assert past.entry.value == long
        await put(store, ASSET, "a", "1")
        assert await store.past(ASSET, "a", revision=first) == Past(None, False, first + 1)

    async def test_one_moment_has_to_be_named(self, store: Store) -> None:
        """Neither no moment nor two can be asked for."""
        await put(store, TASK, "a")
        with pytest.raises(ValueError, match="a revision or a time"):
            await store.past(TASK, "a")
        with pytest.raises(ValueError, match="a revision or a time"):
            await store.past(TASK, "a", revision=1, at=1)

    @pytest.mark.parametrize("seed", range(4))
    async def test_a_random_walk(self, store: Store, clock: FakeClock, seed: int) -> None:
        """Whatever happened, what is told of the past is true, and what is left tells it."""
        scope: Scope = ASSET if seed % 2 else TASK
        walk = Walk(store, clock, scope, OPTIONS, seed)
        for _ in range(2):
            await walk.go(25)
            await walk.look_back()
        assert all(walk.told[what] for what in ("there", "not there", "unknown, there"))

    async def test_purge_of_a_key(self, store: Store) -> None:
        """A delete with purge takes the key's values out of the log, and nothing else; what comes later is kept."""
        first = await put(store, ASSET, "a", '"secret"')
        await put(store, ASSET, "a ", '"other"')
        await put(store, ASSET, "a", '"too"')
        before = [*await store.changes(ASSET)]
        outcome = await store.apply(ASSET, [Delete("a", purge=True)], writer=API)
        assert outcome.results[0].status == "changed"
        await put(store, ASSET, "a", '"new"')
        log = [*await store.changes(ASSET)]
        assert log[:3] == [before[0]._replace(value=None), before[1], before[2]._replace(value=None)]
        assert shown(log[3:]) == [("delete", "a"), ("set", "a")]
        assert log[4].value == '"new"'
        assert await store.past(ASSET, "a", revision=first) == Past(None, False, first + 4)
        assert (await store.past(ASSET, "a ", revision=first + 2)).entry == await store.read(ASSET, "a ")

    async def test_purge_of_a_key_that_is_gone_already(self, store: Store, clock: FakeClock) -> None:
        """Values go although there is nothing to delete, which is no change; an expired entry goes with its value."""
        await put(store, ASSET, "a", '"secret"')
        await store.apply(ASSET, [Delete("a")], writer=API)
        await put(store, ASSET, "b", '"secret"', expires_at=clock.now + SECOND)
        clock.advance(1)
        revision = (await store.history(ASSET)).revision
        outcome = await store.apply(ASSET, [Delete("a", purge=True)], writer=API)
        assert (outcome.results[0].status, outcome.revision) == ("unchanged", revision)
        outcome = await store.apply(ASSET, [Delete("b", purge=True)], writer=API)
        assert (outcome.results[0].status, outcome.revision) == ("unchanged", revision + 1)
        assert [line.value for line in await store.changes(ASSET)] == [None] * 4
        assert shown(await lines_of(store, ASSET))[0] == ("expire", "b")
        assert not (await store.past(ASSET, "b", revision=revision)).is_known
        await store.apply(AssetScope(99), [Delete("a", purge=True)], writer=API)

    async def test_purge_of_everything(self, store: Store, clock: FakeClock) -> None:
        """A clear with purge takes all values out of the log; an expired entry goes with its value even alone."""
        for key in "ab":
            await put(store, ASSET, key, '"secret"')
        await put(store, AssetScope(8), "a", '"theirs"')
        await store.apply(ASSET, [Clear(purge=True)], writer=API)
        await put(store, ASSET, "c", '"secret"', expires_at=clock.now + SECOND)
        clock.advance(1)
        outcome = await store.apply(ASSET, [Clear(purge=True)], writer=API)
        assert outcome.results[0].status == "changed"
        assert await store.count_expired() == 0
        again = await store.apply(ASSET, [Clear(purge=True)], writer=API)
        assert (again.results[0].status, again.revision) == ("unchanged", outcome.revision)
        log = await lines_of(store, ASSET)
        assert [line.value for line in log] == [None] * 5
        assert [line.size for line in log] == [0, 8, 0, 8, 8]
        assert [line.value for line in await lines_of(store, AssetScope(8))] == ['"theirs"']

    async def test_purge_in_a_batch(self, store: Store) -> None:
        """What stands before a purge in its own batch loses its values, what stands behind it does not."""
        await store.apply(ASSET, [Set("a", "1"), Set("b", "2"), Delete("a", purge=True), Set("a", "3")], writer=API)
        assert [line.value for line in await lines_of(store, ASSET)] == ["3", None, "2", None]
        await store.apply(ASSET, [Set("b", "4"), Clear(purge=True), Set("b", "5"), Set("a", "6")], writer=API)
        assert [line.value for line in await lines_of(store, ASSET)] == ["6", "5", *[None] * 6]

    async def test_purges_at_once_with_writes(self, store: Store) -> None:
        """Of writes and purges that come together each purge takes what came before it, and no more."""
        writes = [store.apply(ASSET, [Set("a", str(number))], writer=API) for number in range(3)]
        writes += [store.apply(ASSET, [Delete("a", purge=True)], writer=API)]
        writes += [store.apply(ASSET, [Set("a", "3"), Set("b", "4")], writer=API)]
        writes += [store.apply(ASSET, [Delete("b", purge=True)], writer=API)]
        await asyncio.gather(*writes)
        assert [line.value for line in await lines_of(store, ASSET)] == [None, None, "3", None, None, None, None]

    async def test_a_purge_whose_condition_fails(self, store: Store) -> None:
        """Nothing goes from the log, neither with a key nor with everything."""
        revision = await put(store, ASSET, "a", '"kept"')
        late = Condition(revisions=frozenset({revision - 1}))
        for operations in (
            [Delete("a", late, purge=True)],
            [Clear(late, purge=True)],
            [Delete("a", purge=True), Delete("b", Condition(exists=True))],
        ):
            assert not (await store.apply(ASSET, operations, writer=API)).applied
        assert [line.value for line in await lines_of(store, ASSET)] == ['"kept"']

    async def test_purge_of_every_map_index(self, store: Store) -> None:
        """Clearing a mapped task with purge reaches every map index; a condition cannot be put to them all."""
        scopes = [TaskScope("etl", "run-1", "load", index) for index in (-1, 0)]
        for scope in scopes:
            await put(store, scope, "k")
        task = MappedTask("etl", "run-1", "load")
        outcome = await store.apply(task, [Clear(purge=True)], writer=API)
        assert outcome.results[0].status == "changed"
        for scope in scopes:
            assert shown(await lines_of(store, scope)) == [("clear", None), ("set", "k")]
        for operations in ([Delete("k")], [Clear(Condition(exists=True), purge=True)], [Clear(), Clear()], []):
            with pytest.raises(ValueError, match="can only be cleared"):
                await store.apply(task, operations, writer=API)

    async def test_a_log_has_so_many_lines(self, store: Store) -> None:
        """The newest lines are kept, and up to a tenth more; what is left is whole, and says that something is gone."""
        await put(store, AssetScope(8), "k")
        first = await put(store, ASSET, "old", '"value"')
        last = await write_many(store, ASSET, MOST - 1)
        assert (await store.history(ASSET, limit=1)).complete
        last = await write_many(store, ASSET, 300)
        lines = await lines_of(store, ASSET)  # at most 1,000
        oldest = (await store.changes(ASSET, limit=1))[0].revision
        assert MOST <= last - oldest + 1 <= MOST + SLACK
        assert [line.revision for line in lines] == list(range(last, last - MOST, -1))
        assert not (await store.history(ASSET, limit=1)).complete
        assert (await store.past(ASSET, "old", revision=first)).entry == await store.read(ASSET, "old")
        assert await store.past(ASSET, "k", revision=first + 1) == Past(None, False, last)
        assert await store.past(ASSET, "k", revision=oldest - 1) == Past(None, False, last)
        assert (await store.past(ASSET, "k", revision=oldest)).is_known
        assert await store.past(ASSET, "none", revision=oldest) == Past(None, True, last)
        assert (await store.history(AssetScope(8))).complete

    async def test_sweeping_keeps_a_log_short(self, store: Store, clock: FakeClock) -> None:
        """The lines that a sweep writes count as any other."""
        revision = await write_many(store, TASK, MOST)
        step = SLACK + 1
        until = revision + 2 * step - revision % step
        await write_many(store, TASK, until - 20 - revision)
        entries = [Set(f"k{number}", "1", clock.now + SECOND) for number in range(15)]
        await store.apply(TASK, entries, writer=WORKER)
        clock.advance(1)
        before = (await store.changes(TASK, limit=1))[0].revision
        for _ in range(15):
            assert await store.sweep(limit=1) == 1
        newest, oldest = (await store.history(TASK)).revision, (await store.changes(TASK, limit=1))[0].revision
        assert newest - MOST - 15 <= oldest - 1 <= newest - MOST
        assert oldest > before

    async def test_old_lines_are_trimmed(self, store: Store, clock: FakeClock) -> None:
        """Lines from before a time go, the oldest of each scope first, in bounded steps; entries stay."""
        scopes: list[Scope] = [ASSET, TASK, TaskScope("etl", "run-1", "load", 1)]
        for _ in range(3):
            for scope in scopes:
                await store.apply(scope, [Set("a", "1"), Set("b", "2")], writer=WORKER)
            clock.advance(10)
        before = clock.now - 20 * SECOND + 1  # two of three rounds
        assert await store.count_changes(before=before) == 12
        assert await store.trim(before=before - 20 * SECOND) == 0
        removed: list[int] = []
        while not removed or removed[-1] == 5:
            removed.append(await store.trim(before=before, limit=5))
            for scope in scopes:
                history = await store.history(scope)
                revisions = [line.revision for line in history.changes]
                assert revisions == list(range(history.revision, history.revision - len(revisions), -1))
                assert history.complete is (len(revisions) == 6)
        assert removed == [5, 5, 2]
        assert await store.count_changes(before=before) == await store.trim(before=before) == 0
        for scope in scopes:
            assert await keys_of(store, scope) == ["a", "b"]
            assert len(await lines_of(store, scope)) == 2

    async def test_a_log_that_is_empty(self, store: Store, clock: FakeClock) -> None:
        """When every line is gone, the entry that is stored is known, since when it was written, and no more."""
        first = await put(store, ASSET, "gone")
        await store.apply(ASSET, [Delete("gone")], writer=WORKER)
        last = await put(store, ASSET, "a", '"v"')
        clock.advance(1)
        assert await store.trim(before=clock.now) == 3
        assert await store.history(ASSET) == History((), last, False)
        entry = await store.read(ASSET, "a")
        assert await store.past(ASSET, "a", revision=last) == Past(entry, True, last)
        assert await store.past(ASSET, "a", at=clock.now) == Past(entry, True, last)
        assert await store.past(ASSET, "a", revision=last - 1) == Past(None, False, last)
        assert await store.past(ASSET, "a", at=clock.now - SECOND - 1) == Past(None, False, last)
        assert await store.past(ASSET, "gone", revision=last) == Past(None, True, last)
        assert await store.past(ASSET, "gone", revision=first) == Past(None, False, last)
        await put(store, ASSET, "b")
        assert shown(await lines_of(store, ASSET)) == [("set", "b")]
        assert not (await store.history(ASSET)).complete

    async def test_the_tail_of_a_trimmed_log(self, store: Store, clock: FakeClock) -> None:
        """Whoever follows a log is told that it lacks something, from the very beginning on, too."""
        first = await put(store, ASSET, "a")
        clock.advance(1)
        last = await put(store, ASSET, "a")
        assert (await store.tails({ASSET: 0}))[ASSET].is_whole
        await store.trim(before=clock.now)
        (line,) = await store.changes(ASSET)
        for after, is_whole in ((0, False), (first - 1, False), (first, True)):
            assert (await store.tails({ASSET: after}))[ASSET] == LogTail(last, (line,), is_whole)
        clock.advance(1)
        await store.trim(before=clock.now)
        for after, is_whole in ((0, False), (first, False), (last, True)):
            assert (await store.tails({ASSET: after}))[ASSET] == LogTail(last, (), is_whole)

    async def test_what_may_have_been(self, store: Store, clock: FakeClock) -> None:
        """Behind a trimmed log nothing is guessed: neither whether an entry had ended, nor what a clear removed."""
        first = await put(store, TASK, "short", expires_at=clock.now + 2 * SECOND)
        await put(store, TASK, "long", expires_at=clock.now + 9 * SECOND)
        await put(store, TASK, "gone", expires_at=clock.now + SECOND)
        clock.advance(3)
        left = await put(store, TASK, "b")
        assert await store.trim(before=clock.now) == 3
        assert not (await store.past(TASK, "short", revision=first)).is_known  # the time of that revision is gone
        for seconds, is_there in ((-2, True), (-1, False), (0, False)):
            past = await store.past(TASK, "short", at=clock.now + seconds * SECOND)
            assert (past.entry is not None, past.is_known) == (is_there, True)
        for revision in (first + 1, left):
            assert (await store.past(TASK, "long", revision=revision)).entry == await store.read(TASK, "long")
        assert not (await store.past(TASK, "long", revision=first)).is_known
        await store.apply(TASK, [Clear()], writer=API)
        for key in ("long", "gone", "never"):
            assert not (await store.past(TASK, key, revision=left)).is_known
            assert (await store.past(TASK, key, revision=left + 1)) == Past(None, True, left + 1)

    async def test_trims_at_once_remove_each_line_once(self, store: Store, clock: FakeClock) -> None:
        """Several trims at once, while others write, remove what is old once, and leave no hole."""
        scopes = [TaskScope("etl", "run-1", "load", index) for index in range(10)]
        for scope in scopes:
            await store.apply(scope, [Set("k", str(number)) for number in range(20)], writer=WORKER)
        clock.advance(1)
        before = clock.now
        removed, _ = await asyncio.gather(
            asyncio.gather(*(store.trim(before=before, limit=30) for _ in range(10))),
            asyncio.gather(*(put(store, scope, "k") for scope in scopes for _ in range(3))),
        )
        assert sum(removed) == 200
        assert await store.count_changes(before=before) == await store.trim(before=before) == 0
        for scope in scopes:
            history = await store.history(scope)
            assert [line.revision for line in history.changes] == [history.revision - step for step in range(3)]
            assert await value_of(store, scope, "k") == "1"

    async def test_the_history_goes_with_its_scope(self, store: Store, clock: FakeClock) -> None:
        """A dropped run leaves no history, and a scope that is made again has one of its own."""
        old = await put(store, TASK, "k")
        clock.advance(1)
        await store.trim(before=clock.now)
        await store.drop(Run("etl", "run-1"))
        assert await store.history(TASK) == History((), 0, True)
        clock.advance(61)
        new = await put(store, TASK, "k")
        history = await store.history(TASK)
        assert ([line.revision for line in history.changes], history.complete) == ([new], True)
        assert await store.past(TASK, "k", revision=old) == Past(None, True, new)
