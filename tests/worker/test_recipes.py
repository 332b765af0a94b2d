"""Recipes, against a real server. What becomes of them when workers are killed is in ``tests/processes``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest

from statemount.errors import AuthenticationError, PreconditionFailedError, WriteOutcomeUnknownError
from statemount.worker import (
    JobInDoubtError,
    JobTakenOverError,
    StateAccessor,
    acheckpoint,
    aresumable_job,
    awatermark,
    checkpoint,
    resumable_job,
    watermark,
)
from tests.client.meanwhile import Meanwhile, late
from tests.client.support import AUTH
from tests.worker.accessors import FORMS, Site, site

pytestmark = pytest.mark.anyio

MARKER = "__statemount_submitting__"


@pytest.fixture(params=FORMS)
async def here(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """Return a server in memory."""
    async with site("memory://", request.param) as found:
        yield found


@pytest.fixture
async def state(here: Site) -> AsyncIterator[StateAccessor]:
    """Return the state of a task instance."""
    async with here.worker() as worker:
        yield worker.task_state


class OutsideSystem:
    """Runs jobs; ``fails`` says when a submission fails: before the job is taken, or after.

    Args:
        job_id: The id of every job, in place of its own.
    """

    def __init__(self, *job_id: Any) -> None:
        self.job_id = job_id
        self.jobs: dict[str, str] = {}
        self.submissions = 0
        self.fails = ""

    def submit(self, label: str) -> Any:
        """Take a job; return its id."""
        if self.job_id:
            return self.job_id[0]
        self.submissions += 1
        if self.fails == "before":
            raise ConnectionError("refused")
        self.jobs[label] = f"job-{self.submissions}"
        if self.fails == "after":
            raise TimeoutError("no answer")
        return self.jobs[label]

    def find(self, label: str) -> str | None:
        """Return the id of the job with a label."""
        return self.jobs.get(label)


def awaited(function: Callable[[Any], Any]) -> Callable[[Any], Awaitable[Any]]:
    """Return the asynchronous form of a function."""

    async def call(argument: Any) -> Any:
        return function(argument)

    return call


async def job_of(
    here: Site, state: StateAccessor, outside: OutsideSystem, *, asks: bool = False, wait: float = 0, **options: Any
) -> Any:
    """Want a job, in the form that is tested."""
    if here.form == "sync":
        find = outside.find if asks else None
        want = partial(resumable_job, state, outside.submit, find=find, wait=wait, **options)
        return await asyncio.to_thread(want)
    afind = awaited(outside.find) if asks else None
    if "sleep" in options:
        options["sleep"] = awaited(options["sleep"])
    return await aresumable_job(state, awaited(outside.submit), find=afind, wait=wait, **options)


async def test_a_job_is_submitted_once(here: Site, state: StateAccessor) -> None:
    """The first call submits the job, all others give its id, which the key holds as it is."""
    outside = OutsideSystem()
    for _ in range(3):
        assert await job_of(here, state, outside) == "job-1"
    assert await state.aget("job_id") == "job-1"
    assert await job_of(here, state, outside, key="other") == "job-2"
    assert outside.submissions == 2


async def test_an_id_that_was_saved_otherwise(here: Site, state: StateAccessor) -> None:
    """An id that is under the key is a job's, whoever wrote it and whatever JSON it is."""
    outside = OutsideSystem()
    for job_id in ("job-7", 0, {"run": 1}):
        await state.aset("job_id", job_id)
        assert await job_of(here, state, outside) == job_id
    assert outside.submissions == 0


@pytest.mark.parametrize("fails", ["before", "after"])
async def test_a_job_in_doubt(here: Site, state: StateAccessor, fails: str) -> None:
    """A submission that was cut off is a question, which names key and label, until find answers it."""
    outside = OutsideSystem()
    outside.fails = fails
    with pytest.raises((ConnectionError, TimeoutError)):
        await job_of(here, state, outside)
    outside.fails = ""
    for _ in range(2):
        with pytest.raises(JobInDoubtError, match="job_id") as raised:
            await job_of(here, state, outside)
    assert raised.value.key == "job_id"
    assert list(outside.jobs) in ([], [raised.value.label])
    job_id = await job_of(here, state, outside, asks=True)
    assert outside.jobs == {raised.value.label: job_id}
    assert outside.submissions == (2 if fails == "before" else 1)
    assert await job_of(here, state, outside) == job_id


async def test_a_job_whose_worker_cannot_mark_it(here: Site) -> None:
    """If the server does not take the marker, nothing is submitted."""
    outside = OutsideSystem()
    async with here.worker(token="no.valid.token") as worker:
        with pytest.raises(AuthenticationError):
            await job_of(here, worker.task_state, outside)
    assert outside.submissions == 0


@pytest.mark.parametrize("job_id", [None, {MARKER: "x"}])
async def test_a_job_without_an_id(here: Site, state: StateAccessor, job_id: Any) -> None:
    """A submission that returns nothing that can be an id is an error, and leaves a question."""
    outside = OutsideSystem(job_id)
    with pytest.raises(ValueError, match="in doubt"):
        await job_of(here, state, outside)
    with pytest.raises(JobInDoubtError):
        await job_of(here, state, outside)


class Seconds:
    """A clock that a test sets, or that sleep moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Sleep in no time."""
        self.now += seconds


async def test_the_marker_of_another_worker(here: Site, state: StateAccessor) -> None:
    """Who finds the marker of another worker waits for the id, asking again less and less often, and gets it."""
    clock, outside = Seconds(), OutsideSystem()
    await state.aset("job_id", {MARKER: "theirs"})

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        pauses.append(round(seconds, 3))
        if len(pauses) == 4:
            rival.task_state.set("job_id", "job-7")

    pauses: list[float] = []
    with here.worker() as rival:
        assert await job_of(here, state, outside, wait=60, clock=clock, sleep=sleep) == "job-7"
    assert pauses == [0.1, 0.15, 0.225, 0.338]
    assert outside.submissions == 0


@pytest.mark.parametrize("asks", [False, True])
async def test_a_worker_that_is_taken_for_dead(here: Site, state: StateAccessor, asks: bool) -> None:
    """A marker that stays for the whole wait is a question; who can ask does so at once, and before it submits."""
    clock, outside = Seconds(), OutsideSystem()
    await state.aset("job_id", {MARKER: "theirs"})
    questions: list[float] = []

    class Asked(OutsideSystem):
        def find(self, label: str) -> str | None:
            questions.append(clock.now - 1000)
            return super().find(label)

    outside = Asked()
    options: dict[str, Any] = {"wait": 20, "clock": clock, "sleep": clock.sleep}
    if asks:
        assert await job_of(here, state, outside, asks=True, **options) == "job-1"
        assert (questions, outside.jobs) == ([0, 20], {"theirs": "job-1"})
    else:
        with pytest.raises(JobInDoubtError, match="theirs"):
            await job_of(here, state, outside, **options)
        assert outside.submissions == 0
    assert clock.now == 1020


async def test_a_marker_that_changes_hands(here: Site, state: StateAccessor) -> None:
    """Whoever takes a marker over has as much time as its first worker had."""
    clock, outside = Seconds(), OutsideSystem()
    await state.aset("job_id", {MARKER: "theirs"})
    taken = [1005.0]

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if taken and clock.now > taken[0]:
            taken.clear()
            rival.task_state.set("job_id", {MARKER: "theirs"})

    with here.worker() as rival, pytest.raises(JobInDoubtError):
        await job_of(here, state, outside, wait=10, clock=clock, sleep=sleep)
    assert clock.now > 1015


@pytest.mark.parametrize("asks", [False, True])
async def test_two_workers_at_once(here: Site, asks: bool) -> None:
    """Of several workers at once one submits, and the others get its job."""

    class Slow(OutsideSystem):
        def submit(self, label: str) -> Any:
            assert self.submissions == 0
            return super().submit(label)

    outside = Slow()
    async with here.worker() as worker:
        wanted = (job_of(here, worker.task_state, outside, asks=asks, wait=60) for _ in range(5))
        assert set(await asyncio.gather(*wanted)) == {"job-1"}
    assert outside.submissions == 1


async def test_the_late_marker_of_a_killed_worker(here: Site, meanwhile: Meanwhile) -> None:
    """A marker that arrives when its worker's successor has the job changes nothing, and is not followed."""
    outside = OutsideSystem()
    async with here.worker(**late(meanwhile)) as worker, here.worker() as successor:
        with meanwhile.before("PUT", lambda: resumable_job(successor.task_state, outside.submit)):
            assert await job_of(here, worker.task_state, outside) == "job-1"
        assert await worker.task_state.aget("job_id") == "job-1"
    assert outside.submissions == 1


async def test_the_late_id_of_a_killed_worker(here: Site, meanwhile: Meanwhile) -> None:
    """An id that arrives when another worker was told that there is no job does not take the place of its job."""

    class Twice(OutsideSystem):
        def submit(self, label: str) -> Any:
            job_id = super().submit(label)
            if self.submissions == 1:
                todo.append(label)
            return job_id

        def find(self, label: str) -> None:
            return None

    outside, todo = Twice(), list[str]()
    async with here.worker(**late(meanwhile)) as worker, here.worker() as successor:

        def take_over() -> None:
            if todo:
                resumable_job(successor.task_state, outside.submit, find=outside.find, wait=0)

        first, then = meanwhile.before("PUT", lambda: None), meanwhile.before("PUT", take_over)
        with first, then, pytest.raises(JobTakenOverError, match="job-1") as caught:
            await job_of(here, worker.task_state, outside)
        assert (caught.value.key, caught.value.job_id, [caught.value.label]) == ("job_id", "job-1", todo)
        assert await worker.task_state.aget("job_id") == "job-2"
        assert outside.jobs == {todo[0]: "job-2"}


async def test_a_job_that_another_worker_has_found(here: Site, meanwhile: Meanwhile) -> None:
    """Where another worker finds the job and saves its id first, both have it."""
    outside = OutsideSystem()
    async with here.worker(**late(meanwhile)) as worker, here.worker() as successor:

        def find() -> None:
            assert resumable_job(successor.task_state, outside.submit, find=outside.find) == "job-1"

        with meanwhile.before("PUT", lambda: None), meanwhile.before("PUT", find):
            assert await job_of(here, worker.task_state, outside) == "job-1"
    assert outside.submissions == 1


async def test_an_answer_that_comes_too_late(here: Site, meanwhile: Meanwhile) -> None:
    """An id that was found for a marker is not saved over what its worker has saved meanwhile; that is returned."""
    outside = OutsideSystem()
    outside.jobs["theirs"] = "found"
    async with here.worker(**late(meanwhile)) as worker, here.worker() as other:
        await other.task_state.aset("job_id", {MARKER: "theirs"})
        with meanwhile.before("PUT", lambda: other.task_state.set("job_id", "saved")):
            assert await job_of(here, worker.task_state, outside, asks=True) == "saved"
        await other.task_state.aset("job_id", {MARKER: "nowhere"})
        with meanwhile.before("PUT", lambda: other.task_state.set("job_id", "saved")):
            assert await job_of(here, worker.task_state, outside, asks=True) == "saved"
    assert outside.submissions == 0


@pytest.mark.parametrize("is_done", [True, False])
@pytest.mark.parametrize("lost", [1, 2])
async def test_a_job_whose_writes_are_lost(here: Site, meanwhile: Meanwhile, lost: int, is_done: bool) -> None:
    """Where the answer to the marker or the id is lost, the recipe looks what became of it, and submits once."""
    outside = OutsideSystem()
    async with here.worker(**late(meanwhile)) as worker:
        meanwhile.lose("PUT", lost, is_done=is_done)
        assert await job_of(here, worker.task_state, outside) == "job-1"
        assert await worker.task_state.aget("job_id") == "job-1"
    assert outside.submissions == 1


async def test_a_server_that_loses_every_write(here: Site, meanwhile: Meanwhile) -> None:
    """Where it stays unknown what becomes of the writes, the worker is told, and nothing was submitted."""
    outside = OutsideSystem()
    async with here.worker(**late(meanwhile)) as worker:
        for number in range(1, 21):
            meanwhile.lose("PUT", number, is_done=False)
        with pytest.raises(WriteOutcomeUnknownError):
            await job_of(here, worker.task_state, outside)
        mark = await watermark_of(here, worker.task_state, default=0)
        with pytest.raises(WriteOutcomeUnknownError):
            await here.call(mark, "advance", 5)
        progress = await checkpoint_of(here, worker.task_state)
        with pytest.raises(WriteOutcomeUnknownError):
            await here.call(progress, "save", 5)
    assert outside.submissions == 0


async def test_what_submit_and_find_raise(here: Site, state: StateAccessor) -> None:
    """An error of the caller's own functions reaches the caller, whatever it is."""

    class Strange(OutsideSystem):
        def submit(self, label: str) -> Any:
            raise PreconditionFailedError(7)

        def find(self, label: str) -> Any:
            raise PreconditionFailedError(7)

    with pytest.raises(PreconditionFailedError, match="7"):
        await job_of(here, state, Strange())
    with pytest.raises(PreconditionFailedError, match="7"):
        await job_of(here, state, Strange(), asks=True)


async def checkpoint_of(here: Site, state: StateAccessor, **options: Any) -> Any:
    """Return a checkpoint, made in the form that is tested."""
    if here.form == "sync":
        return await asyncio.to_thread(lambda: checkpoint(state, **options))
    return await acheckpoint(state, **options)


async def test_a_checkpoint_saves_now_and_then(here: Site, state: StateAccessor) -> None:
    """The first report is saved, and then those that come an interval or more after the last save began."""
    clock = Seconds()
    progress = await checkpoint_of(here, state, every=10, clock=clock)
    assert (progress.value,) == (None,)
    saved = []
    for number, now in enumerate([0, 1, 9.99, 10, 19, 20.5, 25, 30.4, 30.5]):
        clock.now = 1000.0 + now
        saved.append(await here.call(progress, "save", number))
        assert progress.value == number
        assert await state.aget("checkpoint") == max(index for index, is_saved in enumerate(saved) if is_saved)
    assert saved == [True, False, False, True, False, True, False, False, True]


async def test_a_checkpoint_is_resumed(here: Site, state: StateAccessor) -> None:
    """The next attempt begins where the last one has saved, the first one at the default."""
    first = await checkpoint_of(here, state, default={"row": 0})
    assert first.value == {"row": 0}
    await here.call(first, "save", {"row": 5})
    await here.call(first, "save", {"row": 6})
    assert (await checkpoint_of(here, state, default={"row": 0})).value == {"row": 5}
    assert (await checkpoint_of(here, state, key="other", default=1)).value == 1


async def report_and_fail(here: Site, progress: Any, number: int) -> None:
    """Report twice in a block that fails."""
    async with AsyncExitStack() as stack:
        if here.form == "sync":
            stack.enter_context(progress)
        else:
            await stack.enter_async_context(progress)
        assert await here.call(progress, "save", number)
        assert not await here.call(progress, "save", number * 10)
        raise ZeroDivisionError


async def test_a_block_saves_at_its_end(here: Site, state: StateAccessor) -> None:
    """At the end of a block, also of one that fails, what was reported last is saved, and nothing if it is already."""
    for number in (1, 2):
        progress = await checkpoint_of(here, state, every=3600)
        with pytest.raises(ZeroDivisionError):
            await report_and_fail(here, progress, number)
        assert await state.aget("checkpoint") == number * 10
    here.calls.clear()
    await here.call(progress, "flush")
    async with progress:
        pass
    with progress:
        pass
    assert here.calls == []


async def test_a_report_is_a_copy(here: Site, state: StateAccessor) -> None:
    """What is changed after it was reported is not saved before it is reported."""
    progress = await checkpoint_of(here, state, every=3600)
    rows = [1]
    await here.call(progress, "save", rows)
    rows.append(2)
    await here.call(progress, "save", rows)
    rows.append(3)
    await here.call(progress, "flush")
    assert await state.aget("checkpoint") == [1, 2]


async def test_a_report_that_cannot_be_saved(here: Site) -> None:
    """None is refused; where saving fails the error reaches the task, and the next report tries again."""
    tokens = [AUTH.tokens.worker(here.world.ti_id)]
    async with here.worker(token=lambda: tokens[-1]) as worker:
        progress = await checkpoint_of(here, worker.task_state, every=3600)
        with pytest.raises(ValueError, match="None"):
            await here.call(progress, "save", None)
        tokens.append("no.valid.token")
        for method, arguments in (("save", [1]), ("save", [2]), ("flush", [])):
            with pytest.raises(AuthenticationError):
                await here.call(progress, method, *arguments)
        tokens.pop()
        assert await here.call(progress, "save", 3)
        assert await worker.task_state.aget("checkpoint") == 3


async def watermark_of(here: Site, state: StateAccessor, **options: Any) -> Any:
    """Return a watermark, read in the form that is tested."""
    if here.form == "sync":
        return await asyncio.to_thread(lambda: watermark(state, **options))
    return await awatermark(state, **options)


async def test_a_watermark_advances(here: Site) -> None:
    """A watermark moves forward only, and stays until the next run."""
    async with here.worker() as worker:
        assets = worker.asset_states(outlets=[here.world.asset_name])
        mark = await watermark_of(here, assets)
        assert (mark.value,) == (None,)
        dates = ("2026-01-02", "2026-01-01", "2026-01-02", "2026-02")
        moved = [await here.call(mark, "advance", date) for date in dates]
        assert moved == [True, False, False, True]
        assert mark.value == "2026-02"
        assert (await watermark_of(here, assets)).value == "2026-02"
        numbers = await watermark_of(here, assets, key="offset", default=0)
        assert numbers.value == 0
        assert [await here.call(numbers, "advance", value) for value in (0, -1, 9, 10)] == [False, False, True, True]


async def test_a_watermark_that_somebody_else_moved(here: Site, state: StateAccessor) -> None:
    """A watermark is read again before it moves: it is not set back to before what somebody else has written."""
    mark = await watermark_of(here, state, default=0)
    await state.aset("watermark", 7)
    assert not await here.call(mark, "advance", 5)
    assert mark.value == 7
    assert await here.call(mark, "advance", 8)
    assert await state.aget("watermark") == 8


async def test_a_watermark_of_another_kind(here: Site, state: StateAccessor) -> None:
    """What cannot be compared with the watermark is an error, and None as well; it stays."""
    mark = await watermark_of(here, state)
    with pytest.raises(ValueError, match="None"):
        await here.call(mark, "advance", None)
    await here.call(mark, "advance", 7)
    with pytest.raises(TypeError):
        await here.call(mark, "advance", "2026-01-01")
    assert await state.aget("watermark") == 7


async def test_a_watermark_that_is_overtaken(here: Site, meanwhile: Meanwhile) -> None:
    """Who is overtaken between the look and the write looks again: the watermark is never set back."""
    async with here.worker(**late(meanwhile)) as worker, here.worker() as other:
        mark = await watermark_of(here, worker.task_state, default=0)
        with meanwhile.before("PUT", lambda: other.task_state.set("watermark", 7)):
            assert not await here.call(mark, "advance", 5)
        assert mark.value == 7
        with meanwhile.before("PUT", lambda: other.task_state.set("watermark", 8)):
            assert await here.call(mark, "advance", 9)
        assert await worker.task_state.aget("watermark") == 9


@pytest.mark.parametrize("is_done", [True, False])
async def test_a_watermark_whose_write_is_lost(here: Site, meanwhile: Meanwhile, is_done: bool) -> None:
    """Where the answer is lost the watermark is looked at again, and has moved in the end."""
    async with here.worker(**late(meanwhile)) as worker:
        mark = await watermark_of(here, worker.task_state, default=0)
        meanwhile.lose("PUT", 1, is_done=is_done)
        assert await here.call(mark, "advance", 5)
        assert mark.value == await worker.task_state.aget("watermark") == 5


async def test_watermarks_at_once(here: Site, state: StateAccessor) -> None:
    """Of several that advance one watermark at once the furthest stays."""
    mark = await watermark_of(here, state, default=0)
    moved = await asyncio.gather(*(here.call(mark, "advance", value) for value in (3, 9, 1, 7, 5)))
    assert moved[1]
    assert await state.aget("watermark") == 9


async def test_a_checkpoint_that_somebody_else_saved(here: Site, meanwhile: Meanwhile) -> None:
    """The late save of an earlier attempt is replaced by the next save, and one that comes after that is refused."""
    async with here.worker(**late(meanwhile)) as worker, here.worker() as former:
        early = checkpoint(former.task_state, every=0)
        early.save(1)
        progress = await checkpoint_of(here, worker.task_state, every=0)
        with meanwhile.before("PUT", lambda: early.save(2)):
            await here.call(progress, "save", 10)
        assert await worker.task_state.aget("checkpoint") == 10
    revision = await state_revision(here)
    with here.worker() as former, pytest.raises(PreconditionFailedError):
        former.task_state.set("checkpoint", 3, if_revision=revision - 1)


async def state_revision(here: Site) -> int:
    """Return the revision of the checkpoint."""
    entry = await here.task_entry("checkpoint")
    assert entry is not None
    assert entry.revision is not None
    return entry.revision


@pytest.mark.parametrize("is_done", [True, False])
async def test_a_checkpoint_whose_save_is_lost(here: Site, meanwhile: Meanwhile, is_done: bool) -> None:
    """Where the answer is lost the checkpoint is saved again."""
    async with here.worker(**late(meanwhile)) as worker:
        progress = await checkpoint_of(here, worker.task_state, every=0)
        meanwhile.lose("PUT", 1, is_done=is_done)
        for number in (1, 2):
            assert await here.call(progress, "save", number)
            assert await worker.task_state.aget("checkpoint") == number
