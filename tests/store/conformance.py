"""The contract of a store as tests. A backend supplies the fixture ``store``, and nothing here asks which it is."""

from __future__ import annotations

import asyncio

import pytest

from statemount.errors import AssetNotFoundError, ScopeFullError, TaskInstanceNotFoundError
from statemount.interfaces import Store
from statemount.model import AssetScope, Entry, LogTail, MappedTask, Run, Scope, TaskScope, Writer
from statemount.operations import KEEP, Clear, Condition, Delete, Outcome, Result, Set
from tests.clock import SECOND, FakeClock

TASK = TaskScope("etl", "run-1", "load")
ASSET = AssetScope(7)
WORKER = Writer.of_task(TASK)
API = Writer("api", subject="alice")
MAX_ENTRIES = 20
MAX_BYTES = 2000


async def put(store: Store, scope: Scope, key: str, value: str = "1", *, expires_at: int | None = None) -> int:
    """Write one key; return its revision."""
    outcome = await store.apply(scope, [Set(key, value, expires_at)], writer=WORKER)
    return outcome.results[0].revision


async def value_of(store: Store, scope: Scope, key: str) -> str | None:
    """Return the stored text of a key."""
    entry = await store.read(scope, key)
    return None if entry is None else entry.value


async def keys_of(store: Store, scope: Scope) -> list[str]:
    """Return every live key."""
    page = await store.list(scope, limit=1000)
    return [entry.key for entry in page.entries]


class StoreConformance:
    """What every store promises. Its fixture makes it with the ``clock`` and the limits named above."""

    async def test_what_was_set_is_read(self, store: Store, clock: FakeClock) -> None:
        """An entry comes back with its value, time, expiry, revision and writer."""
        end = clock.now + 5 * SECOND
        revision = await put(store, TASK, "job", '{"id": "\\u00e9"}', expires_at=end)
        assert await store.read(TASK, "job") == Entry("job", '{"id": "\\u00e9"}', clock.now, revision, end, WORKER)

    async def test_a_missing_key_and_a_missing_scope_are_none(self, store: Store) -> None:
        """What was never written is absent."""
        assert await store.read(TASK, "job") is None
        await put(store, TASK, "other")
        assert await store.read(TASK, "job") is None
        assert await store.read(TaskScope("etl", "run-1", "load", 0), "other") is None
        assert await store.read(ASSET, "other") is None

    async def test_set_overwrites_everything_about_an_entry(self, store: Store, clock: FakeClock) -> None:
        """A second set replaces value, time, expiry, revision and writer."""
        first = await put(store, TASK, "job", "1", expires_at=clock.now + SECOND)
        clock.advance(0.5)
        await store.apply(TASK, [Set("job", "2")], writer=API)
        entry = await store.read(TASK, "job")
        assert entry is not None
        assert entry.revision > first
        assert entry._replace(revision=0) == Entry("job", "2", clock.now, 0, None, API)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("a", "A"),
            ("a", "a "),
            ("a", " a"),
            ("\u00e9", "e\u0301"),
            ("\u00df", "ss"),
            ("a/b", "a//b"),
            ("0", "00"),
            ("%", "_"),
            ("\ufeffa", "a"),
            ("a\n", "a"),
            ("\U0001f600", "\ufffd"),
        ],
    )
    async def test_keys_are_equal_only_if_their_bytes_are(self, store: Store, one: str, other: str) -> None:
        """Case, spaces and Unicode forms tell keys apart."""
        await put(store, TASK, one, '"one"')
        assert await store.read(TASK, other) is None
        await put(store, TASK, other, '"other"')
        assert await value_of(store, TASK, one) == '"one"'
        assert await value_of(store, TASK, other) == '"other"'

    @pytest.mark.parametrize(
        "other",
        [
            TaskScope("ETL", "run-1", "load"),
            TaskScope("etl", "run-2", "load"),
            TaskScope("etl", "run-1", "load "),
            TaskScope("etl", "run-1", "load", 0),
            TaskScope("etlrun-1", "", "load"),
            AssetScope(1),
        ],
    )
    async def test_scopes_do_not_meet(self, store: Store, other: Scope) -> None:
        """Each scope has entries of its own."""
        await put(store, TASK, "k", '"mine"')
        assert await store.read(other, "k") is None
        await put(store, other, "k", '"theirs"')
        await store.apply(other, [Clear()], writer=WORKER)
        assert await value_of(store, TASK, "k") == '"mine"'

    async def test_long_and_odd_texts_come_back_as_they_are(self, store: Store) -> None:
        """The longest key of the widest characters, quotes, percent signs and escapes are only text."""
        key = "\U0001f600" * 512
        value = '"%s %(a)s \\\\ \\" \' ; -- \\u0000 ? $1 :x"'
        await put(store, TASK, key, value)
        assert await value_of(store, TASK, key) == value
        await put(store, TASK, "'; DROP TABLE entry; --\\", value)
        assert sorted(await keys_of(store, TASK)) == sorted([key, "'; DROP TABLE entry; --\\"])

    async def test_delete_removes_one_key(self, store: Store) -> None:
        """A deleted key is absent, the others stay, and a second delete changes nothing."""
        await put(store, TASK, "a")
        await put(store, TASK, "b")
        deleted = await store.apply(TASK, [Delete("a")], writer=WORKER)
        assert deleted.results[0].status == "changed"
        assert await keys_of(store, TASK) == ["b"]
        again = await store.apply(TASK, [Delete("a")], writer=WORKER)
        assert again.results[0].status == "unchanged"
        assert again.revision == deleted.revision

    async def test_delete_and_clear_of_nothing_make_nothing(self, store: Store) -> None:
        """Removing from a scope that was never written is no change and leaves no trace."""
        for operation in (Delete("a"), Clear()):
            outcome = await store.apply(TASK, [operation], writer=WORKER)
            assert outcome.results[0].status == "unchanged"
            assert outcome.revision == 0
        assert await store.list(TASK, limit=10) == (await store.list(ASSET, limit=10))
        assert (await store.list(TASK, limit=10)).revision == 0
        assert list(await store.changes(TASK)) == []

    async def test_clear_removes_every_key(self, store: Store) -> None:
        """A clear empties the scope as one change; a second one changes nothing."""
        for key in "abc":
            await put(store, TASK, key)
        before = (await store.list(TASK, limit=0)).revision
        outcome = await store.apply(TASK, [Clear()], writer=WORKER)
        assert outcome.revision == before + 1
        assert await keys_of(store, TASK) == []
        assert (await store.apply(TASK, [Clear()], writer=WORKER)).revision == before + 1

    async def test_clear_of_a_mapped_task_reaches_every_map_index(self, store: Store) -> None:
        """Every map index of the task is cleared, and nothing else."""
        scopes = [TaskScope("etl", "run-1", "load", index) for index in (-1, 0, 1, 17)]
        others = [TaskScope("etl", "run-1", "other"), TaskScope("etl", "run-2", "load")]
        for scope in scopes + others:
            await put(store, scope, "k")
        outcome = await store.apply(MappedTask("etl", "run-1", "load"), [Clear()], writer=API)
        assert outcome.results[0].status == "changed"
        assert [await keys_of(store, scope) for scope in scopes] == [[]] * 4
        assert [await keys_of(store, scope) for scope in others] == [["k"]] * 2
        again = await store.apply(MappedTask("etl", "run-1", "load"), [Clear()], writer=API)
        assert again.results[0].status == "unchanged"
        nothing = await store.apply(MappedTask("etl", "run-9", "load"), [Clear()], writer=API)
        assert nothing.results[0].status == "unchanged"

    async def test_every_change_takes_the_next_revision(self, store: Store) -> None:
        """Revisions of a scope grow by one with each change, batches take consecutive ones."""
        first = await put(store, TASK, "a")
        assert await put(store, TASK, "b") == first + 1
        batch = await store.apply(TASK, [Set("c", "1"), Delete("a"), Delete("a"), Set("a", "2")], writer=WORKER)
        assert [result.revision for result in batch.results] == [first + 2, 0, 0, first + 4]
        assert batch.revision == first + 4
        assert [change.revision for change in await store.changes(TASK)] == list(range(first, first + 5))

    async def test_a_new_scope_begins_at_its_time(self, store: Store, clock: FakeClock) -> None:
        """The first revision lies just after the creation time in microseconds, so that it never repeats."""
        assert await put(store, TASK, "a") == clock.now + 1

    async def test_the_log_names_every_change(self, store: Store, clock: FakeClock) -> None:
        """Kind, key, writer, time, size and expiry of each change are in the log, oldest first."""
        first = await put(store, TASK, "a", '"xyz"', expires_at=clock.now + SECOND)
        clock.advance(0.5)
        await store.apply(TASK, [Delete("a")], writer=API)
        await put(store, TASK, "b")
        await store.apply(TASK, [Clear()], writer=None)
        log = list(await store.changes(TASK))
        assert [(change.kind, change.key) for change in log] == [
            ("set", "a"),
            ("delete", "a"),
            ("set", "b"),
            ("clear", None),
        ]
        assert (log[0].writer, log[0].size, log[0].at, log[0].expires_at) == (
            WORKER,
            5,
            clock.now - SECOND // 2,
            clock.now + SECOND // 2,
        )
        assert (log[1].writer, log[1].size, log[1].at) == (API, 0, clock.now)
        assert log[3].writer is None
        assert [change.revision for change in await store.changes(TASK, after=first + 1)] == [first + 2, first + 3]
        assert len(await store.changes(TASK, limit=2)) == 2

    async def test_revisions_of_many_scopes(self, store: Store) -> None:
        """The revisions of any number of scopes are to be had at once; it is 0 for one that was never written."""
        missing: list[Scope] = [TaskScope("etl", "run-1", "load", index) for index in range(1100)]
        assert await store.revisions([]) == {}
        assert await store.revisions([TASK]) == {TASK: 0}
        asset = await put(store, ASSET, "k")
        await put(store, TASK, "k")
        task = await put(store, TASK, "k")
        found = await store.revisions([TASK, *missing, ASSET])
        assert found == {TASK: task, ASSET: asset, **dict.fromkeys(missing, 0)}
        assert await Store.revisions(store, [TASK, ASSET, missing[0]]) == {TASK: task, ASSET: asset, missing[0]: 0}

    async def test_the_tails_of_logs(self, store: Store, clock: FakeClock) -> None:
        """The log of each scope is read on from a revision, and says whether it reaches back that far."""
        first = await put(store, ASSET, "a", '"x\\u001f"', expires_at=clock.now + SECOND)
        await store.apply(ASSET, [Delete("a"), Set("b/\u00e9\n", "2")], writer=API)
        await store.apply(ASSET, [Clear()], writer=None)
        await put(store, TASK, "k", '"not kept"')
        log = tuple(await store.changes(ASSET))
        last = first + 3
        other = TaskScope("etl", "run-1", "load", 7)
        tasks = LogTail((await store.changes(TASK))[0].revision, tuple(await store.changes(TASK)))
        for after, limit, expected in [
            (0, 10, LogTail(last, log)),
            (0, 3, LogTail(last, log[:3])),
            (first, 10, LogTail(last, log[1:])),
            (first, 1, LogTail(last, log[1:2])),
            (last - 1, 10, LogTail(last, log[3:])),
            (last, 10, LogTail(last)),
            (last + 1, 10, LogTail(last, is_whole=False)),
            (first - 1, 10, LogTail(last, log)),
            (first - 2, 10, LogTail(last, log, is_whole=False)),
        ]:
            positions: dict[Scope, int] = {ASSET: after, other: after, TASK: 0}
            expected_of_other = LogTail(0, is_whole=after == 0)
            expected_tails = {ASSET: expected, other: expected_of_other, TASK: tasks}
            assert await store.tails(positions, limit=limit) == expected_tails
            assert await Store.tails(store, positions, limit=limit) == expected_tails
        assert await store.tails({}) == {}

    async def test_the_tail_of_another_scope_of_the_same_name(self, store: Store, clock: FakeClock) -> None:
        """A scope that was dropped and made again does not go on where it was."""
        await put(store, ASSET, "a")
        last = await put(store, ASSET, "a")
        await store.drop(ASSET)
        assert await store.tails({ASSET: last}) == {ASSET: LogTail(0, is_whole=False)}
        clock.advance(3600)
        await store.sweep()
        again = await put(store, ASSET, "b")
        assert await store.tails({ASSET: last}) == {
            ASSET: LogTail(again, tuple(await store.changes(ASSET)), is_whole=False)
        }

    async def test_tails_of_many_scopes(self, store: Store) -> None:
        """Tails that are read together are not mixed up."""
        scopes: list[Scope] = [TaskScope("etl", "run-1", "load", index) for index in range(12)]
        for number in range(3):
            await asyncio.gather(*(put(store, scope, f"k{number}") for scope in scopes))
        revisions = await store.revisions(scopes)
        tails = await store.tails({scope: revisions[scope] - index % 4 for index, scope in enumerate(scopes)})
        for index, scope in enumerate(scopes):
            keys = [f"k{number}" for number in range(3 - index % 4, 3)]
            assert [change.key for change in tails[scope].changes] == keys
            assert (tails[scope].revision, tails[scope].is_whole) == (revisions[scope], True)

    async def test_a_pulse_is_felt(self, store: Store, clock: FakeClock) -> None:
        """Where there is a pulse, it stays for as long as nothing is written, and no longer."""

        async def write() -> None:
            await put(store, TASK, "k", expires_at=clock.now + SECOND)

        async def sweep() -> None:
            clock.advance(2)
            assert await store.sweep() == 1

        async def clear() -> None:
            await store.apply(ASSET, [Clear()], writer=None)

        await put(store, ASSET, "k")
        for change in (write, sweep, clear, write, lambda: store.drop(Run("etl", "run-1"))):
            before = store.pulse()
            await store.read(TASK, "k")
            assert store.pulse() == before
            await change()
            assert before is None or store.pulse() != before

    async def test_the_log_keeps_values_of_assets_up_to_a_length(self, store: Store) -> None:
        """An asset's values are in the log unless they are long; a task's are not."""
        await put(store, ASSET, "short", '"v"')
        await put(store, ASSET, "long", '"' + "v" * 500 + '"')
        await put(store, TASK, "short", '"v"')
        assert [change.value for change in await store.changes(ASSET)] == ['"v"', None]
        assert [change.value for change in await store.changes(TASK)] == [None]

    async def test_a_list_is_in_byte_order(self, store: Store) -> None:
        """Lists are ordered by the UTF-8 bytes of the keys, whatever the database's collation."""
        keys = ["b", "a", "B", "_", "a ", "\u00e9", "e", "\U0001f600", "\uffee", "10", "9", ""][:-1]
        for key in keys:
            await put(store, TASK, key)
        assert await keys_of(store, TASK) == sorted(keys, key=str.encode)

    async def test_a_list_has_pages(self, store: Store) -> None:
        """Limit and offset cut the list; the total and the revision are the scope's, whatever the page."""
        for key in "abcde":
            revision = await put(store, TASK, key)
        for limit, offset, expected in [
            (2, 0, "ab"),
            (2, 2, "cd"),
            (2, 4, "e"),
            (2, 5, ""),
            (0, 0, ""),
            (9, 1, "bcde"),
        ]:
            page = await store.list(TASK, limit=limit, offset=offset)
            assert "".join(entry.key for entry in page.entries) == expected
            assert (page.total, page.revision) == (5, revision)
        assert (await store.list(TASK, limit=10, offset=2**63 - 1)).entries == ()
        entry = (await store.list(TASK, limit=1)).entries[0]
        assert entry == await store.read(TASK, "a")

    @pytest.mark.parametrize("keys_only", [False, True])
    async def test_a_list_by_prefix(self, store: Store, *, keys_only: bool) -> None:
        """A prefix means bytes, nothing stands for another character in it, and what it leaves out is not counted."""
        keys = [
            "a",
            "a/",
            "a/1",
            "a/2",
            "a0",
            "A/1",
            "a%",
            "a_",
            "ab",
            "\u00e9",
            "\u00ea",
            "\U0010ffff",
            "\x7f",
            "\x7fz",
        ]
        await store.apply(TASK, [Set(key, '"v"') for key in keys], writer=WORKER)
        await put(store, ASSET, "a/9")
        revision = (await store.list(TASK, limit=0)).revision
        for prefix in [
            "",
            "a",
            "a/",
            "a/1",
            "a/1x",
            "%",
            "a%",
            "a_",
            "_",
            "A",
            "b",
            "\u00e9",
            "\U0010ffff",
            "\x7f",
            "/",
        ]:
            expected = sorted((key for key in keys if key.startswith(prefix)), key=str.encode)
            page = await store.list(TASK, limit=100, prefix=prefix, keys_only=keys_only)
            assert [entry.key for entry in page.entries] == expected, prefix
            assert {entry.value for entry in page.entries} <= {"" if keys_only else '"v"'}
            assert (page.total, page.revision) == (len(expected), revision)
            part = await store.list(TASK, limit=2, offset=1, prefix=prefix, keys_only=keys_only)
            assert (part.entries, part.total) == (page.entries[1:3], len(expected))
        assert (await store.list(TaskScope("etl", "run-9", "load"), limit=9, prefix="a")).total == 0

    @pytest.mark.parametrize("prefix", ["", "k", "k1", "\u00e9"])
    async def test_a_list_goes_on_after_a_key(self, store: Store, clock: FakeClock, prefix: str) -> None:
        """A walk from key to key meets each once, whatever is written and removed behind it; the total is of all."""
        keys = [*(f"k{number}" for number in range(12)), "j", "l", "k\u00e9", "\u00e9", "\u00e9\u00e9", "k1 "]
        await store.apply(TASK, [Set(key, "1") for key in keys], writer=WORKER)
        await put(store, TASK, "k5", expires_at=clock.now + SECOND)
        clock.advance(1)
        wanted = sorted((key for key in keys if key.startswith(prefix) and key != "k5"), key=str.encode)
        found: list[str] = []
        after: str | None = None
        while step := (await store.list(TASK, limit=3, prefix=prefix, after=after)).entries:
            found += [entry.key for entry in step]
            after = found[-1]
            await store.apply(TASK, [Delete(found[0]), Set(found[0], "2")], writer=WORKER)
        assert found == wanted
        for after in ["", "k1", "k1 ", "k1x", "\u00e9", "\U0010ffff"]:
            page = await store.list(TASK, limit=100, prefix=prefix, after=after)
            assert [entry.key for entry in page.entries] == [key for key in wanted if key.encode() > after.encode()]
            assert page.total == len(wanted)
            rest = await store.list(TASK, limit=2, offset=2, prefix=prefix, after=after)
            assert rest.entries == page.entries[2:4]

    async def test_a_list_of_keys_alone(self, store: Store, clock: FakeClock) -> None:
        """Where only keys are wanted the values stay away, and everything else about the entries is there."""
        end = clock.now + SECOND
        await store.apply(TASK, [Set("a", '"' + "x" * 900 + '"', end), Set("b", "[]")], writer=API)
        await put(store, TASK, "c")
        page = await store.list(TASK, limit=2)
        assert (await store.list(TASK, limit=2, keys_only=True)).entries == tuple(
            entry._replace(value="") for entry in page.entries
        )

    async def test_an_expired_entry_is_gone_from_that_moment(self, store: Store, clock: FakeClock) -> None:
        """Reads, lists and counts do not see an entry from its ``expires_at`` on, swept or not."""
        await put(store, TASK, "a", expires_at=clock.now + 2 * SECOND)
        await put(store, TASK, "b")
        clock.advance(1.999_999)
        assert await keys_of(store, TASK) == ["a", "b"]
        clock.advance(0.000_001)
        assert await store.read(TASK, "a") is None
        page = await store.list(TASK, limit=10)
        assert ([entry.key for entry in page.entries], page.total) == (["b"], 1)

    async def test_an_entry_may_be_born_expired(self, store: Store, clock: FakeClock) -> None:
        """An expiry in the past is written, and the entry is already gone."""
        await put(store, TASK, "a", "1")
        revision = await put(store, TASK, "a", "2", expires_at=clock.now)
        assert await store.read(TASK, "a") is None
        assert [change.revision for change in await store.changes(TASK)] == [revision - 1, revision]

    async def test_writing_over_an_expired_entry_logs_its_expiry_first(self, store: Store, clock: FakeClock) -> None:
        """The expiry is a change of its own, made by the next write to the key."""
        await put(store, TASK, "a", expires_at=clock.now + SECOND)
        await put(store, TASK, "b", expires_at=clock.now + SECOND)
        clock.advance(1)
        await put(store, TASK, "a", "2")
        deleted = await store.apply(TASK, [Delete("b")], writer=WORKER)
        assert deleted.results[0].status == "unchanged"
        log = [(change.kind, change.key) for change in await store.changes(TASK)]
        assert log == [("set", "a"), ("set", "b"), ("expire", "a"), ("set", "a"), ("expire", "b")]
        assert await value_of(store, TASK, "a") == "2"

    async def test_clear_of_expired_entries_alone_is_no_change(self, store: Store, clock: FakeClock) -> None:
        """What is gone already cannot be cleared."""
        await put(store, TASK, "a", expires_at=clock.now + SECOND)
        clock.advance(1)
        assert (await store.apply(TASK, [Clear()], writer=WORKER)).results[0].status == "unchanged"
        await put(store, TASK, "b")
        assert (await store.apply(TASK, [Clear()], writer=WORKER)).results[0].status == "changed"
        assert await store.sweep() == 0

    async def test_a_clear_is_judged_at_the_time_of_the_last_change(self, store: Store, clock: FakeClock) -> None:
        """When the clock is set back, a write still counts as gone what was gone at the scope's last change."""
        await put(store, TASK, "a", expires_at=clock.now + 2 * SECOND)
        clock.advance(3)
        await put(store, TASK, "b")
        await store.apply(TASK, [Delete("b")], writer=WORKER)
        clock.advance(-2)
        assert (await store.apply(TASK, [Clear()], writer=WORKER)).results[0].status == "unchanged"
        claim = await store.apply(TASK, [Set("a", "2", condition=Condition(exists=False))], writer=WORKER)
        assert claim.applied

    async def test_keep_leaves_the_expiry(self, store: Store, clock: FakeClock) -> None:
        """A set that keeps the expiry changes the value alone; on a new key it never expires."""
        end = clock.now + SECOND
        await put(store, TASK, "a", expires_at=end)
        await store.apply(TASK, [Set("a", "2", KEEP), Set("b", "2", KEEP)], writer=WORKER)
        page = await store.list(TASK, limit=10)
        assert [(entry.value, entry.expires_at) for entry in page.entries] == [("2", end), ("2", None)]

    @pytest.mark.parametrize(
        ("condition", "on_live", "on_missing"),
        [
            (Condition(exists=True), True, False),
            (Condition(exists=False), False, True),
            (Condition(revisions=frozenset({-1})), False, False),
            (Condition(), True, True),
        ],
    )
    async def test_conditions(
        self, store: Store, clock: FakeClock, condition: Condition, on_live: bool, on_missing: bool
    ) -> None:
        """A condition is judged on the live entry; an expired one counts as missing; a failure changes nothing."""
        await put(store, TASK, "live")
        await put(store, TASK, "expired", expires_at=clock.now + SECOND)
        clock.advance(1)
        before = await store.list(TASK, limit=10)
        for key, holds in [("live", on_live), ("missing", on_missing), ("expired", on_missing)]:
            outcome = await store.apply(TASK, [Set(key, "2", condition=condition)], writer=WORKER)
            assert outcome.applied is holds
            if not holds:
                assert await store.list(TASK, limit=10) == before
            before = await store.list(TASK, limit=10)
        elsewhere = await store.apply(ASSET, [Set("k", "2", condition=condition)], writer=WORKER)
        assert elsewhere.applied is on_missing

    @pytest.mark.parametrize("is_written", [True, False])
    async def test_a_clear_has_a_condition_on_the_scope(self, store: Store, *, is_written: bool) -> None:
        """A clear goes ahead at the scope's revision, 0 if it was never written, and else names the current one."""
        now = await put(store, TASK, "a") if is_written else 0
        await put(store, ASSET, "a")
        before = await store.list(TASK, limit=10)
        for condition in (
            Condition(revisions=frozenset({now + 1, now - 1})),
            Condition(revisions=frozenset()),
            Condition(excluded=frozenset({5, now})),
            Condition(exists=False),
            Condition(exists=True, revisions=frozenset({now}), excluded=frozenset({now})),
        ):
            failed = await store.apply(TASK, [Clear(condition)], writer=WORKER)
            assert failed == Outcome((Result("failed", now),), now)
            assert await store.list(TASK, limit=10) == before
        condition = Condition(exists=True, revisions=frozenset({now, now + 5}), excluded=frozenset({now + 1}))
        done = await store.apply(TASK, [Clear(condition)], writer=WORKER)
        assert done == Outcome((Result("changed" if is_written else "unchanged", 0),), now + is_written)
        late = await store.apply(TASK, [Delete("a"), Clear(condition)], writer=WORKER)
        assert late.applied is not is_written
        assert await value_of(store, ASSET, "a") == "1"

    async def test_of_two_conditional_clears_one_wins(self, store: Store) -> None:
        """Clears at one revision, at the same time as a set: what has lost has changed nothing."""
        for _ in range(20):
            revision = await put(store, TASK, "a")
            clear = Clear(Condition(revisions=frozenset({revision})))
            outcomes = await asyncio.gather(*(store.apply(TASK, [clear], writer=WORKER) for _ in range(3)))
            assert sorted(outcome.applied for outcome in outcomes) == [False, False, True]

    async def test_excluded_revisions(self, store: Store) -> None:
        """An entry with none of the revisions goes ahead, and so does one that is not there."""
        first = await put(store, TASK, "a")
        not_first = Condition(excluded=frozenset({first, 5}))
        failed = await store.apply(TASK, [Set("a", "2", condition=not_first)], writer=WORKER)
        assert failed.results == (Result("failed", first),)
        assert (await store.apply(TASK, [Set("b", "2", condition=not_first)], writer=WORKER)).applied
        await put(store, TASK, "a")
        assert (await store.apply(TASK, [Delete("a", not_first)], writer=WORKER)).applied

    async def test_a_condition_on_the_revision(self, store: Store) -> None:
        """Compare and set: it goes ahead at the revision that was read, and fails with the current one otherwise."""
        first = await put(store, TASK, "a")
        done = await store.apply(
            TASK, [Set("a", "2", condition=Condition(revisions=frozenset({first})))], writer=WORKER
        )
        assert done.applied
        late = await store.apply(TASK, [Delete("a", condition=Condition(revisions=frozenset({first})))], writer=WORKER)
        assert (late.results[0].status, late.results[0].revision) == ("failed", first + 1)
        assert await value_of(store, TASK, "a") == "2"

    async def test_a_batch_is_all_or_nothing(self, store: Store) -> None:
        """A failed condition in the middle undoes what stands before it, and uses up no revision."""
        first = await put(store, TASK, "a")
        outcome = await store.apply(
            TASK,
            [Set("b", "1"), Delete("a"), Clear(), Set("c", "1", condition=Condition(exists=True)), Set("d", "1")],
            writer=WORKER,
        )
        assert [result.status for result in outcome.results] == ["changed", "changed", "changed", "failed"]
        assert await keys_of(store, TASK) == ["a"]
        assert await put(store, TASK, "a") == first + 1

    async def test_a_batch_sees_its_own_writes(self, store: Store) -> None:
        """Later operations of a batch are judged on what the earlier ones did."""
        await put(store, TASK, "old")
        outcome = await store.apply(
            TASK,
            [
                Set("a", "1", condition=Condition(exists=False)),
                Set("a", "2", condition=Condition(exists=True)),
                Clear(),
                Set("a", "3", condition=Condition(exists=False)),
                Delete("old", condition=Condition(exists=False)),
            ],
            writer=WORKER,
        )
        assert [result.status for result in outcome.results] == ["changed"] * 4 + ["unchanged"]
        assert await keys_of(store, TASK) == ["a"]
        assert await value_of(store, TASK, "a") == "3"

    async def test_a_scope_holds_so_many_entries(self, store: Store) -> None:
        """One entry too many is refused and changes nothing; overwriting and deleting still work."""
        for number in range(MAX_ENTRIES):
            await put(store, TASK, str(number))
        with pytest.raises(ScopeFullError):
            await put(store, TASK, "more")
        assert len(await keys_of(store, TASK)) == MAX_ENTRIES
        await put(store, TASK, "3", "2")
        await store.apply(TASK, [Delete("4"), Set("more", "1")], writer=WORKER)
        assert "more" in await keys_of(store, TASK)

    async def test_a_scope_holds_so_many_bytes(self, store: Store) -> None:
        """More text than the limit is refused; writing less is not."""
        half = '"' + "x" * (MAX_BYTES // 2) + '"'
        await put(store, TASK, "a", half)
        with pytest.raises(ScopeFullError):
            await put(store, TASK, "b", half)
        with pytest.raises(ScopeFullError):
            await store.apply(TASK, [Set("a", half + half)], writer=WORKER)
        await put(store, TASK, "a", "1")
        await put(store, TASK, "b", half)
        await store.apply(TASK, [Clear()], writer=WORKER)
        await put(store, TASK, "c", half)

    async def test_expired_entries_make_room(self, store: Store, clock: FakeClock) -> None:
        """A scope that is full of expired entries takes a new one."""
        for number in range(MAX_ENTRIES):
            await put(store, TASK, str(number), expires_at=clock.now + SECOND)
        clock.advance(1)
        await put(store, TASK, "new")
        assert await keys_of(store, TASK) == ["new"]

    async def test_sweep_removes_what_is_expired(self, store: Store, clock: FakeClock) -> None:
        """Expired entries go, in bounded steps, each as a change; live ones stay."""
        for number in range(5):
            await put(store, TASK, f"old-{number}", expires_at=clock.now + SECOND)
        await put(store, ASSET, "old", expires_at=clock.now + SECOND)
        await put(store, TASK, "young", expires_at=clock.now + 3 * SECOND)
        await put(store, TASK, "eternal")
        assert await store.sweep() == 0
        clock.advance(1)
        before = (await store.list(TASK, limit=0)).revision
        assert await store.sweep(limit=4) == 4
        assert await store.sweep(limit=4) == 2
        assert await store.sweep(limit=4) == 0
        assert await keys_of(store, TASK) == ["eternal", "young"]
        expiries = [change for change in await store.changes(TASK, after=before) if change.kind == "expire"]
        assert sorted(str(change.key) for change in expiries) == [f"old-{number}" for number in range(5)]
        assert (await store.list(TASK, limit=0)).revision == before + 5

    async def test_a_key_written_again_is_not_swept(self, store: Store, clock: FakeClock) -> None:
        """An entry that was renewed before its end stays."""
        await put(store, TASK, "a", expires_at=clock.now + SECOND)
        await put(store, TASK, "a", "2", expires_at=clock.now + 5 * SECOND)
        clock.advance(1)
        assert await store.sweep() == 0
        assert await value_of(store, TASK, "a") == "2"

    async def test_expired_entries_are_counted(self, store: Store, clock: FakeClock) -> None:
        """What is expired and not yet swept is counted; nothing is removed by that."""
        assert await store.count_expired() == 0
        for number in range(3):
            await put(store, TASK, f"k{number}", expires_at=clock.now + (number + 1) * SECOND)
        await put(store, ASSET, "eternal")
        clock.advance(2)
        assert await store.count_expired() == await store.count_expired() == 2
        await store.sweep(limit=1)
        assert await store.count_expired() == 1

    async def test_sweeps_at_once_remove_each_entry_once(self, store: Store, clock: FakeClock) -> None:
        """Several sweeps at once, while others write, remove what is expired once each, and nothing that lives."""
        scopes = [TaskScope("etl", "run-1", "load", index) for index in range(10)]
        for scope in scopes:
            entries = [Set(f"k{number}", "1", clock.now + SECOND) for number in range(10)]
            await store.apply(scope, entries, writer=WORKER)
        clock.advance(1)
        revisions = [(await store.list(scope, limit=0)).revision for scope in scopes]
        removed, _ = await asyncio.gather(
            asyncio.gather(*(store.sweep(limit=15) for _ in range(10))),
            asyncio.gather(
                *(put(store, scope, "k3", "2", expires_at=clock.now + SECOND) for scope in scopes),
                *(put(store, scope, "k4", "2") for scope in scopes),
                *(store.apply(scope, [Delete("k5")], writer=WORKER) for scope in scopes),
            ),
        )
        assert await store.sweep() == 0
        assert await store.count_expired() == 0
        swept = 0
        for scope, revision in zip(scopes, revisions, strict=True):
            log = await store.changes(scope, after=revision)
            assert await keys_of(store, scope) == ["k3", "k4"]
            expired = [change.key for change in log if change.kind == "expire"]
            assert sorted(map(str, expired)) == [f"k{number}" for number in range(10)]
            assert [change.revision for change in log] == list(range(revision + 1, revision + 13))
            swept += len(expired)
        # Some of the 100 expiries were logged by the writes, which came first.
        assert 70 <= sum(removed) <= swept == 100

    async def test_a_sweep_that_is_not_full_leaves_nothing(self, store: Store, clock: FakeClock) -> None:
        """Of sweeps at once each one that removes less than it may has left nothing behind."""
        for index in range(8):
            entries = [Set(f"k{number}", "1", clock.now + SECOND) for number in range(10)]
            await store.apply(TaskScope("etl", "run-1", "load", index), entries, writer=WORKER)
        clock.advance(1)

        async def sweep_all() -> int:
            total = 0
            while (removed := await store.sweep(limit=20)) == 20:
                total += removed
            assert await store.count_expired() == 0
            return total + removed

        assert sum(await asyncio.gather(*(sweep_all() for _ in range(3)))) == 80

    async def test_drop_removes_a_run(self, store: Store, clock: FakeClock) -> None:
        """Every scope of the run goes with its log, other runs stay, and its writes are refused for a while."""
        scopes = [TaskScope("etl", "run-1", "load", 3), TASK, TaskScope("etl", "run-1", "other")]
        kept: list[Scope] = [TaskScope("etl", "run-2", "load"), TaskScope("etl2", "run-1", "load"), ASSET]
        for each in (*scopes, *kept):
            last = await put(store, each, "k")
        await store.drop(Run("etl", "run-1"))
        for scope in scopes:
            assert await store.read(scope, "k") is None
            assert (await store.list(scope, limit=1)).total == 0
            assert list(await store.changes(scope)) == []
            with pytest.raises(TaskInstanceNotFoundError):
                await put(store, scope, "k")
            assert (await store.apply(scope, [Delete("k")], writer=WORKER)).results[0].status == "unchanged"
        for other in kept:
            assert await value_of(store, other, "k") == "1"
            await put(store, other, "k2")
        clock.advance(61)
        assert await put(store, TASK, "k", "2") > last
        assert await value_of(store, TASK, "k") == "2"
        await store.drop(Run("no", "such"))

    async def test_drop_removes_an_asset(self, store: Store, clock: FakeClock) -> None:
        """An asset's scope goes with its log, other assets stay, and its writes are refused for a while."""
        await put(store, ASSET, "k")
        await put(store, AssetScope(8), "k")
        await store.drop(ASSET)
        assert await store.read(ASSET, "k") is None
        assert list(await store.changes(ASSET)) == []
        with pytest.raises(AssetNotFoundError):
            await put(store, ASSET, "k")
        assert await value_of(store, AssetScope(8), "k") == "1"
        clock.advance(61)
        await put(store, ASSET, "k")

    async def test_time_that_steps_back_moves_nothing_back(self, store: Store, clock: FakeClock) -> None:
        """Revisions grow and a scope's time stands still when the clock is set back."""
        revision = await put(store, TASK, "a")
        at = clock.now
        clock.advance(-3600)
        assert await put(store, TASK, "b") == revision + 1
        assert [change.at for change in await store.changes(TASK)] == [at, at]

    async def test_writes_at_once_all_happen(self, store: Store) -> None:
        """Many writes at the same time, to one key and to many, are each done once and in the order they came."""
        scopes = [TaskScope("etl", "run-1", "load", index) for index in range(8)]
        writes = [
            store.apply(scope, [Set(f"k{number % 4}", str(number))], writer=WORKER)
            for number in range(40)
            for scope in scopes
        ]
        outcomes: list[Outcome] = await asyncio.gather(*writes)
        assert all(outcome.applied for outcome in outcomes)
        for scope in scopes:
            page = await store.list(scope, limit=100)
            assert [(entry.key, entry.value) for entry in page.entries] == [
                ("k0", "36"),
                ("k1", "37"),
                ("k2", "38"),
                ("k3", "39"),
            ]
            log = await store.changes(scope)
            assert len(log) == 40
            assert [change.revision for change in log] == list(range(log[0].revision, log[0].revision + 40))

    async def test_one_claim_wins(self, store: Store) -> None:
        """Of many create-only writes at once exactly one goes ahead."""
        claim = Set("lock", "1", condition=Condition(exists=False))
        outcomes = await asyncio.gather(*(store.apply(ASSET, [claim], writer=WORKER) for _ in range(50)))
        assert sum(outcome.applied for outcome in outcomes) == 1

    async def test_writes_of_a_group_do_not_harm_each_other(self, store: Store) -> None:
        """A write that is refused leaves the others that came with it alone."""
        await put(store, TASK, "a", '"' + "x" * (MAX_BYTES - 10) + '"')
        answers = await asyncio.gather(
            put(store, TASK, "big", '"' + "x" * 100 + '"'),
            put(store, ASSET, "b"),
            store.apply(TASK, [Set("c", "1", condition=Condition(exists=True))], writer=WORKER),
            put(store, TASK, "d"),
            return_exceptions=True,
        )
        assert isinstance(answers[0], ScopeFullError)
        assert not isinstance(answers[1], BaseException)
        assert isinstance(answers[2], Outcome)
        assert not answers[2].applied
        assert await keys_of(store, TASK) == ["a", "d"]

    async def test_reads_at_once_get_their_own_answers(self, store: Store) -> None:
        """Gets that are answered together are not mixed up."""
        scopes: list[Scope] = [ASSET, TASK, TaskScope("x", "y", "z")]
        for index, scope in enumerate(scopes):
            for key in "abc":
                await put(store, scope, key, f'"{index}{key}"')
        wanted = [(index, scope, key) for index, scope in enumerate(scopes) for key in "abcd"] * 3
        found = await asyncio.gather(*(value_of(store, scope, key) for _, scope, key in wanted))
        assert found == [None if key == "d" else f'"{index}{key}"' for index, _, key in wanted]

    async def test_check_passes(self, store: Store) -> None:
        """A store that works says so."""
        await store.check()
