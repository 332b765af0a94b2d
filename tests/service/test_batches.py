"""Batches and merge patches in process: the rules that stand before and behind the store."""

from __future__ import annotations

from datetime import timedelta

import pytest

from statemount.errors import (
    FailedOperation,
    InvalidInputError,
    KeyNotFoundError,
    PreconditionFailedError,
    ScopeFullError,
    TooLargeError,
    UpdateFailedError,
)
from statemount.model import TaskScope, Writer
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
    Operation,
    Set,
)
from statemount.service.batches import actions_of, permissions_of
from statemount.service.expiry import Retention
from statemount.service.limits import ValueLimits
from statemount.service.tasks import TaskStates
from statemount.store.memory import MemoryStore
from statemount.store.options import StoreOptions
from tests.clock import SECOND, FakeClock

pytestmark = pytest.mark.anyio

TASK = TaskScope("dag", "run", "task")
WORKER = Writer.of_task(TASK)
THERE, MISSING = Condition(exists=True), Condition(exists=False)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that is moved by hand."""
    return FakeClock()


@pytest.fixture
def tasks(clock: FakeClock) -> TaskStates:
    """Return the rules of task state over a store in memory, with small limits."""
    store = MemoryStore(clock=clock, options=StoreOptions(max_entries=3))
    limits = ValueLimits(max_value_bytes=20, max_body_bytes=40)
    return TaskStates(store, limits, Retention(timedelta(seconds=10)), clock)


async def test_a_batch_is_one_change(tasks: TaskStates, clock: FakeClock) -> None:
    """Operations are done in their order; the outcome has a result for each, and the revision afterwards."""
    operations: list[Operation] = [Set("a", "1"), Increment("a"), Get("a"), Check("b", MISSING), Delete("a"), Clear()]
    outcome = await tasks.batch(TASK, operations, writer=WORKER)
    assert [result.status for result in outcome.results] == ["changed"] * 2 + ["unchanged"] * 2 + [
        "changed",
        "unchanged",
    ]
    assert outcome.results[2].entry is not None
    assert outcome.results[2].entry.load() == 2
    assert outcome.revision == clock.now + 3


async def test_a_condition_on_the_whole_is_no_result(tasks: TaskStates) -> None:
    """A condition on the scope's revision comes first, counts as no operation, and tells that revision."""
    first = await tasks.batch(TASK, [Set("a", "1")], condition=Condition(revisions=frozenset({0})))
    assert len(first.results) == 1
    with pytest.raises(PreconditionFailedError, match="^the condition does not hold: the revision is") as caught:
        await tasks.batch(TASK, [Set("a", "2")], condition=Condition(revisions=frozenset({0})))
    assert (caught.value.revision, caught.value.operation) == (first.revision, None)
    with pytest.raises(PreconditionFailedError, match=r"^operation 0 \(check 'b'\)"):
        await tasks.batch(TASK, [Check("b", THERE)], condition=Condition(revisions=frozenset({first.revision})))


@pytest.mark.parametrize(
    ("operation", "op", "key"),
    [
        (Check("k", MISSING), "check", "k"),
        (Get("k", MISSING), "get", "k"),
        (Set("k", "1", condition=MISSING), "set", "k"),
        (Delete("k", MISSING), "delete", "k"),
        (Merge("k", "{}", condition=MISSING), "merge", "k"),
        (Increment("k", condition=MISSING), "increment", "k"),
        (Maximum("k", 1, condition=MISSING), "max", "k"),
        (Clear(Condition(revisions=frozenset({1}))), "clear", ""),
        (CheckScope(Condition(revisions=frozenset({1}))), "check_scope", ""),
    ],
)
async def test_a_failed_condition_says_whose_it_is(
    tasks: TaskStates, clock: FakeClock, operation: Operation, op: str, key: str
) -> None:
    """The error has the place, the name and the key of the operation, and the revisions as they stay."""
    await tasks.batch(TASK, [Set("a", "1"), Set("k", "1")])
    with pytest.raises(PreconditionFailedError) as caught:
        await tasks.batch(TASK, [Set("a", "2"), operation, Set("a", "3")])
    revision = clock.now + 2 if key else clock.now + 3  # a condition on the scope sees what was done before it
    assert caught.value.revision == revision
    assert caught.value.operation == FailedOperation(1, op, key, clock.now + 2)
    assert str(caught.value) == f"operation 1 ({op} {key!r}): the condition does not hold: the revision is {revision}"
    assert (await tasks.get(TASK, "a")).load() == 1


async def test_a_failed_update_says_why(tasks: TaskStates, clock: FakeClock) -> None:
    """The error has the reason, and where a text would be too long, how long."""
    await tasks.batch(TASK, [Set("k", '"x"')])
    with pytest.raises(
        UpdateFailedError, match=r"^operation 1 \(increment 'k'\): the stored value is no number$"
    ) as caught:
        await tasks.batch(TASK, [Get("k"), Increment("k")])
    assert (caught.value.revision, caught.value.length) == (clock.now + 1, None)
    assert caught.value.operation == FailedOperation(1, "increment", "k", clock.now + 1)
    with pytest.raises(UpdateFailedError, match="value exceeds 20 bytes") as caught:
        await tasks.batch(TASK, [Merge("new", '{"a": "xxxxxxxxxxxx"}')])
    assert (caught.value.revision, caught.value.length) == (None, 21)


async def test_the_limits_are_the_writers(tasks: TaskStates) -> None:
    """What a batch stores is held to the public limit, or for a worker to the body's; an update may have its own."""
    text = '"' + "x" * 28 + '"'
    with pytest.raises(InvalidInputError, match="max_value_storage_bytes") as refused:
        await tasks.batch(TASK, [Get("k"), Set("k", text)])
    assert refused.value.problems[0].loc == ("body", "operations", 1, "value")
    await tasks.batch(TASK, [Set("k", text)], writer=WORKER)
    with pytest.raises(TooLargeError):
        await tasks.batch(TASK, [Set("k", text * 2)], writer=WORKER)
    with pytest.raises(UpdateFailedError, match="exceeds 40 bytes"):
        await tasks.batch(TASK, [Merge("k", text[:-1] + text[1:])], writer=WORKER)
    with pytest.raises(UpdateFailedError, match="exceeds 2 bytes"):
        await tasks.batch(TASK, [Increment("n", 100, max_bytes=2)], writer=WORKER)


async def test_what_is_no_batch(tasks: TaskStates) -> None:
    """None and too many operations are refused, and keys that nothing can have; nothing is changed."""
    with pytest.raises(InvalidInputError, match="^a batch has at least 1 operation, not 0$"):
        await tasks.batch(TASK, [])
    with pytest.raises(InvalidInputError, match="^a batch has at most 100 operations, not 101$"):
        await tasks.batch(TASK, [Set("k", "1")] * 101)
    await tasks.batch(TASK, [Set("k", "1")] * 100)
    for key in ("", "a\0", "x" * 513, "\ud800"):
        for operation in (Get(key), Set(key, "1"), Delete(key), Check(key, MISSING), Increment(key)):
            with pytest.raises(InvalidInputError) as refused:
                await tasks.batch(TASK, [Delete("k"), operation])
            assert refused.value.problems[0].loc == ("body", "operations", 1, "key")
    with pytest.raises(ScopeFullError):
        await tasks.batch(TASK, [Set(key, "1") for key in "abcd"])
    assert [entry.key for entry in (await tasks.list(TASK)).entries] == ["k"]


async def test_a_merge_is_of_what_is_there(tasks: TaskStates, clock: FakeClock) -> None:
    """A merge patch changes the value of a live key, whose expiry stays; conditions are those of a patch."""
    end = clock.now + SECOND
    made = await tasks.set(TASK, "k", {"a": 1}, expires_at=end)
    result = await tasks.merge(TASK, "k", {"b": 2}, condition=Condition(revisions=frozenset({made.revision})))
    entry = await tasks.get(TASK, "k")
    assert (entry.load(), entry.expires_at, entry.revision) == ({"a": 1, "b": 2}, end, result.revision)
    with pytest.raises(PreconditionFailedError) as failed:
        await tasks.merge(TASK, "k", {}, condition=Condition(revisions=frozenset({made.revision})))
    assert failed.value.revision == result.revision
    for condition in (None, THERE, MISSING, Condition(revisions=frozenset({1}))):
        with pytest.raises(KeyNotFoundError):
            await tasks.merge(TASK, "other", {}, condition=condition)
    clock.advance(1)
    with pytest.raises(KeyNotFoundError):
        await tasks.merge(TASK, "k", {})


async def test_a_merge_is_held_to_the_limits(tasks: TaskStates) -> None:
    """A result that is too long is refused as a value is; the patch itself may be longer, if it removes enough."""
    await tasks.set(TASK, "k", {"a": 1, "b": 2})
    with pytest.raises(InvalidInputError, match="max_value_storage_bytes") as refused:
        await tasks.merge(TASK, "k", {"c": "xxx"})
    assert refused.value.problems[0].loc == ("body",)
    await tasks.merge(TASK, "k", {"c": "xxx"}, writer=WORKER)
    with pytest.raises(TooLargeError):
        await tasks.merge(TASK, "k", {"d": "x" * 30}, writer=WORKER)
    await tasks.merge(TASK, "k", {"a": None, "b": None, "c": None, "x" * 30: None, "d": 1})
    assert (await tasks.get(TASK, "k")).load() == {"d": 1}
    for patch in (None, float("nan"), {"a": "\ud800"}, object()):
        with pytest.raises(InvalidInputError) as refused:
            await tasks.merge(TASK, "k", patch)
        assert refused.value.problems[0].loc == ("body",)


async def test_a_part_of_a_list(tasks: TaskStates) -> None:
    """A list is by prefix, from a key on and without values if it is asked for so; what no key can have is refused."""
    await tasks.batch(TASK, [Set(key, "1") for key in ("a/1", "a/2", "b")])
    page = await tasks.list(TASK, prefix="a/", after="a/1", keys_only=True)
    assert [(entry.key, entry.value) for entry in page.entries] == [("a/2", "")]
    assert page.total == 2
    for text in ("x" * 513, "\0", "\ud800"):
        for name, asked in (("prefix", tasks.list(TASK, prefix=text)), ("after", tasks.list(TASK, after=text))):
            with pytest.raises(InvalidInputError) as refused:
                await asked
            assert refused.value.problems[0].loc == ("query", name)


def test_what_operations_need() -> None:
    """Each operation is a read, a write or a removal; on the public API a check needs no more than a write."""
    every: list[Operation] = [
        Check("k", THERE),
        Get("k"),
        Merge("k", "{}"),
        Set("k", "1"),
        Delete("k"),
        Clear(),
        Increment("k"),
    ]
    assert actions_of(every) == ["read", "write", "delete"]
    assert permissions_of(every) == ["state:read", "state:delete"]
    assert permissions_of([Check("k", THERE), CheckScope(THERE), Set("k", "1"), Maximum("k", 1)]) == []
    assert actions_of([CheckScope(THERE)]) == ["read"]
