"""The cache in front of a directory: how old, how many, and who waits for what."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID, uuid4

import anyio
import pytest

from statemount.directory.cache import CachedDirectory, CachedRegistry, monotonic
from statemount.errors import AssetNotFoundError, ConfigurationError, UnavailableError
from statemount.interfaces import Directory, Identity
from statemount.model import Asset, MappedTask, TaskInstance, TaskScope
from tests.directory.conformance import SCOPE, task_instance
from tests.directory.watched import Clock, WatchedDirectory, request_context

pytestmark = pytest.mark.anyio

NEW = task_instance(id=UUID(int=7))
ORDERS = Asset(1, "orders", "s3://orders")

Question = Callable[[Directory], Awaitable[object]]

QUESTIONS: dict[str, Question] = {
    "task_scope": lambda directory: directory.task_scope(NEW.id),
    "has_task_instance": lambda directory: directory.has_task_instance(SCOPE),
    "has_mapped_task": lambda directory: directory.has_task_instance(
        MappedTask(SCOPE.dag_id, SCOPE.run_id, SCOPE.task_id)
    ),
    "asset": lambda directory: directory.asset(ORDERS.asset_id),
    "asset_by_name": lambda directory: directory.asset_by_name(ORDERS.name),
    "asset_by_uri": lambda directory: directory.asset_by_uri(ORDERS.uri),
    "access": lambda directory: directory.access(NEW.id, ORDERS),
    "try_number": lambda directory: directory.try_number(NEW.id),
}

any_question = pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def inner() -> WatchedDirectory:
    return WatchedDirectory()


@pytest.fixture(params=[CachedDirectory, CachedRegistry])
def cached(request: pytest.FixtureRequest, inner: WatchedDirectory, clock: Clock) -> CachedDirectory:
    directory: CachedDirectory = request.param(inner, clock=clock)
    return directory


@pytest.fixture
def registry(inner: WatchedDirectory, clock: Clock) -> CachedRegistry:
    return CachedRegistry(inner, clock=clock)


async def fill(inner: WatchedDirectory) -> None:
    """Register elsewhere, past the cache, what makes every question's answer another one."""
    asset = await inner.register_asset(name=ORDERS.name, uri=ORDERS.uri)
    await inner.register_task_instances([TaskInstance(NEW.id, SCOPE, outlets=frozenset({asset.asset_id}))])


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until the condition holds."""
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110  # any condition, not one event
            await asyncio.sleep(0)


@any_question
async def test_remembered(cached: CachedDirectory, inner: WatchedDirectory, clock: Clock, ask: Question) -> None:
    """An answer is looked up once, and given again until it is five seconds old."""
    await fill(inner)
    first = await ask(cached)
    clock.move(4.999999)
    assert await ask(cached) == first
    assert len(inner.asked) == 1
    clock.move(0.000001)
    assert await ask(cached) == first
    assert len(inner.asked) == 2


@any_question
async def test_absence_is_remembered(
    cached: CachedDirectory, inner: WatchedDirectory, clock: Clock, ask: Question
) -> None:
    """That something does not exist is remembered as long; what is made elsewhere is seen after that."""
    absent = await ask(cached)
    assert not absent
    await fill(inner)
    clock.move(4.999999)
    assert await ask(cached) == absent
    clock.move(0.000001)
    assert await ask(cached)


@any_question
async def test_removal_elsewhere(cached: CachedDirectory, inner: WatchedDirectory, clock: Clock, ask: Question) -> None:
    """What is removed elsewhere is refused here five seconds later at the latest."""
    await fill(inner)
    assert await ask(cached)
    await inner.remove_run(dag_id=SCOPE.dag_id, run_id=SCOPE.run_id)
    await inner.deactivate_asset(ORDERS.asset_id)
    expected = await ask(inner)
    clock.move(5)
    assert await ask(cached) == expected


@any_question
async def test_age_counts_from_the_question(
    cached: CachedDirectory, inner: WatchedDirectory, clock: Clock, ask: Question
) -> None:
    """A look-up that took four seconds gives an answer that is remembered for one more."""
    inner.gate = asyncio.Event()
    waiting = asyncio.ensure_future(ask(cached))
    await until(lambda: len(inner.asked) == 1)
    clock.move(4)
    inner.gate.set()
    await waiting
    clock.move(0.999999)
    await ask(cached)
    assert len(inner.asked) == 1
    clock.move(0.000001)
    await ask(cached)
    assert len(inner.asked) == 2


@any_question
async def test_one_look_up(cached: CachedDirectory, inner: WatchedDirectory, ask: Question) -> None:
    """A hundred who ask the same at once wait for one look-up."""
    await fill(inner)
    inner.gate = asyncio.Event()
    waiting = [asyncio.ensure_future(ask(cached)) for _ in range(100)]
    await until(lambda: len(inner.asked) == 1)
    inner.gate.set()
    answers = await asyncio.gather(*waiting)
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]
    assert len(inner.asked) == 1


async def test_other_questions_do_not_wait(cached: CachedDirectory, inner: WatchedDirectory) -> None:
    """Different questions are looked up side by side."""
    inner.gate = asyncio.Event()
    waiting = [asyncio.ensure_future(cached.task_scope(uuid4())) for _ in range(3)]
    waiting += [asyncio.ensure_future(cached.task_scope(NEW.id))]
    await until(lambda: len(inner.asked) == 4)
    inner.gate.set()
    assert await asyncio.gather(*waiting) == [None] * 4


async def test_cancelled_waiter(cached: CachedDirectory, inner: WatchedDirectory) -> None:
    """Whoever gives up waiting, the first one included, takes nothing from the others."""
    await fill(inner)
    inner.gate = asyncio.Event()
    waiting = [asyncio.ensure_future(cached.task_scope(NEW.id)) for _ in range(4)]
    await until(lambda: len(inner.asked) == 1)
    waiting[0].cancel()
    waiting[2].cancel()
    await until(lambda: waiting[0].done() and waiting[2].done())
    assert waiting[0].cancelled()
    assert waiting[2].cancelled()
    inner.gate.set()
    assert await waiting[1] == await waiting[3] == SCOPE
    assert len(inner.asked) == 1


async def test_every_waiter_cancelled(cached: CachedDirectory, inner: WatchedDirectory) -> None:
    """A look-up that nobody waits for any more still answers those who ask later."""
    await fill(inner)
    inner.gate = asyncio.Event()
    waiting = asyncio.ensure_future(cached.task_scope(NEW.id))
    await until(lambda: len(inner.asked) == 1)
    waiting.cancel()
    await until(waiting.done)
    inner.gate.set()
    assert await cached.task_scope(NEW.id) == SCOPE
    assert len(inner.asked) == 1


async def test_error(cached: CachedDirectory, inner: WatchedDirectory) -> None:
    """An error reaches everybody who waits, and is not remembered."""
    await fill(inner)
    inner.gate = asyncio.Event()
    inner.error = UnavailableError("the database is down")
    waiting = [asyncio.ensure_future(cached.task_scope(NEW.id)) for _ in range(3)]
    await until(lambda: len(inner.asked) == 1)
    inner.gate.set()
    assert await asyncio.gather(*waiting, return_exceptions=True) == [inner.error] * 3
    inner.error = None
    assert await cached.task_scope(NEW.id) == SCOPE
    assert len(inner.asked) == 2


async def test_error_that_nobody_waits_for(cached: CachedDirectory, inner: WatchedDirectory) -> None:
    """An error of a look-up whose waiters are gone bothers nobody."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    inner.gate = asyncio.Event()
    inner.error = UnavailableError("the database is down")
    waiting = asyncio.ensure_future(cached.task_scope(NEW.id))
    await until(lambda: len(inner.asked) == 1)
    waiting.cancel()
    await until(waiting.done)
    inner.gate.set()
    await cached.close()
    inner.error = None  # its traceback holds the look-up's task
    del waiting
    gc.collect()
    await asyncio.sleep(0)
    asyncio.get_running_loop().set_exception_handler(None)
    assert complaints == []


async def test_look_up_cut_off(cached: CachedDirectory, inner: WatchedDirectory) -> None:
    """If the look-up itself is cancelled, those who wait are told that it cannot be done now."""
    before = asyncio.all_tasks()
    inner.gate = asyncio.Event()
    waiting = asyncio.ensure_future(cached.task_scope(NEW.id))
    await until(lambda: len(inner.asked) == 1)
    (look_up,) = asyncio.all_tasks() - before - {waiting}
    look_up.cancel()
    with pytest.raises(UnavailableError, match="cut off"):
        await waiting


async def test_look_up_that_hangs(cached: CachedDirectory, inner: WatchedDirectory, clock: Clock) -> None:
    """After five seconds nobody new waits for a look-up that hangs."""
    inner.gate = hanging = asyncio.Event()
    old = asyncio.ensure_future(cached.task_scope(NEW.id))
    await until(lambda: len(inner.asked) == 1)
    clock.move(5)
    await fill(inner)
    inner.gate = None
    assert await asyncio.wait_for(cached.task_scope(NEW.id), 10) == SCOPE
    hanging.set()
    assert await old is None
    assert await cached.task_scope(NEW.id) == SCOPE
    assert len(inner.asked) == 2


async def test_context(cached: CachedDirectory, inner: WatchedDirectory) -> None:
    """A look-up sees nothing of the context of the request that caused it."""
    request_context.set("a request's")
    await cached.task_scope(NEW.id)
    assert inner.contexts == ["none"]


async def test_identity_is_not_passed_on(inner: WatchedDirectory, clock: Clock) -> None:
    """The directory behind is asked without the identity, since its answer is everybody's."""
    cached = CachedDirectory(inner, clock=clock)
    identity = Identity("somebody", task_instance_id=NEW.id)
    await cached.task_scope(NEW.id, identity)
    await cached.has_task_instance(SCOPE, identity)
    await cached.asset(1, identity)
    await cached.asset_by_name("a", identity)
    await cached.asset_by_uri("a", identity)
    await cached.access(NEW.id, ORDERS, identity)
    assert inner.identities == [None] * 6


async def test_questions_are_told_apart(cached: CachedDirectory, inner: WatchedDirectory) -> None:
    """An answer about one thing is not given for another of the same name, number or beginning."""
    await fill(inner)
    for scope in (SCOPE, TaskScope(SCOPE.dag_id, SCOPE.run_id, SCOPE.task_id, 0)):
        assert await cached.has_task_instance(scope) == (scope == SCOPE)
    assert await cached.has_task_instance(MappedTask(SCOPE.dag_id, SCOPE.run_id, SCOPE.task_id))
    assert await cached.asset(NEW.id.int) is None
    assert await cached.task_scope(NEW.id) == SCOPE
    assert await cached.asset_by_uri(ORDERS.name) is None
    assert await cached.asset_by_name(ORDERS.name) is not None
    assert await cached.access(NEW.id, Asset(2, "other", "other")) == frozenset()
    assert await cached.access(NEW.id, ORDERS) == {"outlet"}
    assert await cached.access(uuid4(), ORDERS) == frozenset()


async def test_number_of_answers(inner: WatchedDirectory, clock: Clock) -> None:
    """Never more answers than allowed are kept, and the newest half of them always."""
    cached = CachedDirectory(inner, max_answers=10, clock=clock)
    for asset_id in range(1000):
        await cached.asset(asset_id)
        clock.move(0.000001)
        assert len(cached._by_id) <= 10
    inner.asked.clear()
    for asset_id in range(999, 994, -1):
        await cached.asset(asset_id)
    assert inner.asked == []
    await cached.asset(0)
    assert inner.asked == ["asset"]


async def test_old_answers_are_dropped(inner: WatchedDirectory, clock: Clock) -> None:
    """Answers that are too old do not stay in memory while others come in."""
    cached = CachedDirectory(inner, clock=clock)
    for asset_id in range(100):
        await cached.asset(asset_id)
    clock.move(5)
    for asset_id in range(100, 160):
        await cached.asset(asset_id)
    assert len(cached._by_id) == 60


async def test_labels_are_dropped(registry: CachedRegistry, clock: Clock) -> None:
    """What is known of scopes goes with the answers that it belongs to."""
    for number in range(100):
        new = task_instance(TaskScope("d", "r", "t", number))
        await registry.register_task_instances([new])
        await registry.task_scope(new.id)
    clock.move(5)
    for _ in range(60):
        await registry.task_scope(uuid4())
    assert not registry._registrations._labels


async def test_clock_set_back(cached: CachedDirectory, inner: WatchedDirectory, clock: Clock) -> None:
    """An answer from the future is not believed."""
    await cached.task_scope(NEW.id)
    await fill(inner)
    clock.move(-3600)
    assert await cached.task_scope(NEW.id) == SCOPE
    clock.move(4)
    await cached.task_scope(NEW.id)
    assert len(inner.asked) == 2


async def test_own_clock_runs_forward() -> None:
    """The clock that is used without another one counts microseconds and is never set back."""
    times = [monotonic() for _ in range(1000)]
    assert times == sorted(times)
    loop = asyncio.get_running_loop()
    assert abs(monotonic() / 1_000_000 - loop.time()) < 5


async def test_no_cache(inner: WatchedDirectory, clock: Clock) -> None:
    """With an age of zero every question is looked up, by everybody who asks it."""
    cached = CachedRegistry(inner, max_age=timedelta(0), clock=clock)
    await cached.task_scope(NEW.id)
    await asyncio.gather(cached.task_scope(NEW.id), cached.task_scope(NEW.id))
    assert len(inner.asked) == 3


async def test_bounds_that_make_no_sense(inner: WatchedDirectory) -> None:
    """A negative age and a cache of less than two answers are refused."""
    with pytest.raises(ConfigurationError, match="must not be negative"):
        CachedDirectory(inner, max_age=timedelta(microseconds=-1))
    for max_answers in (1, 0, -5):
        with pytest.raises(ConfigurationError, match=f"two answers or more, not {max_answers}"):
            CachedRegistry(inner, max_answers=max_answers)


@any_question
async def test_life(cached: CachedDirectory, inner: WatchedDirectory, ask: Question) -> None:
    """The directory behind is opened with the cache, and closed with it once every look-up has ended."""
    await cached.open()
    assert inner.states == ["open"]
    inner.gate = asyncio.Event()
    waiting = asyncio.ensure_future(ask(cached))
    await until(lambda: len(inner.asked) == 1)
    closing = asyncio.ensure_future(cached.close())
    for _ in range(10):
        await asyncio.sleep(0)
    assert inner.states == ["open"]
    inner.gate.set()
    await closing
    assert inner.states == ["open", "closed"]
    assert waiting.done()


async def test_hit_does_not_wait(cached: CachedDirectory) -> None:
    """An answer that is known is given without letting the event loop turn."""
    await cached.task_scope(NEW.id)
    question = cached.task_scope(NEW.id)
    assert inspect.iscoroutine(question)
    with pytest.raises(StopIteration):
        question.send(None)


def test_next_event_loop(inner: WatchedDirectory, clock: Clock) -> None:
    """Answers stay known on the next event loop; a look-up that ended with its loop is begun again."""
    cached = CachedDirectory(inner, clock=clock)
    asyncio.run(cached.asset_by_name("a"))

    async def leave_look_up_behind() -> None:
        inner.gate = asyncio.Event()
        waiting = asyncio.ensure_future(cached.asset_by_name("b"))
        await until(lambda: len(inner.asked) == 2)
        waiting.cancel()

    asyncio.run(leave_look_up_behind())
    inner.gate = None
    assert asyncio.run(cached.asset_by_name("a")) is None
    assert len(inner.asked) == 2
    assert asyncio.run(cached.asset_by_name("b")) is None
    assert len(inner.asked) == 3
    asyncio.run(cached.close())


def test_two_event_loops_at_once(inner: WatchedDirectory, clock: Clock) -> None:
    """Nobody waits for the look-up of another event loop that is running."""
    cached = CachedDirectory(inner, clock=clock)
    begun = threading.Event()
    answers: list[object] = []

    async def hold() -> None:
        inner.gate = gate = asyncio.Event()
        waiting = asyncio.ensure_future(cached.asset_by_name("a"))
        await until(lambda: len(inner.asked) == 1)
        inner.gate = None
        loop = asyncio.get_running_loop()
        release.append(lambda: loop.call_soon_threadsafe(gate.set))
        begun.set()
        answers.append(await waiting)

    release: list[Callable[[], object]] = []
    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    assert begun.wait(10)
    try:
        answers.append(asyncio.run(asyncio.wait_for(cached.asset_by_name("a"), 10)))
    finally:
        release[0]()
        thread.join(10)
    assert answers == [None, None]
    assert inner.asked == ["asset_by_name", "asset_by_name"]


async def test_one_look_up_for_a_registration(registry: CachedRegistry, inner: WatchedDirectory) -> None:
    """A task instance's scope and its access to every asset are one look-up."""
    await fill(inner)
    assert await registry.task_scope(NEW.id) == SCOPE
    assert await registry.access(NEW.id, ORDERS) == {"outlet"}
    assert await registry.access(NEW.id, Asset(2, "other", "other")) == frozenset()
    assert inner.asked == ["task_instance"]


async def test_registrations_are_shown_as_they_are(registry: CachedRegistry, inner: WatchedDirectory) -> None:
    """What manages a registry sees it as it is, not as it was."""
    await fill(inner)
    assert await registry.task_instance(NEW.id) is not None
    assert len(await registry.assets()) == 1
    await inner.remove_task_instance(NEW.id)
    await inner.register_asset(name="other")
    assert await registry.task_instance(NEW.id) is None
    assert len(await registry.assets()) == 2


CHANGES: dict[str, tuple[Callable[[CachedRegistry], Awaitable[object]], list[str]]] = {
    "register_task_instances": (
        lambda registry: registry.register_task_instances([task_instance(try_number=2)]),
        ["task_scope", "access", "has_task_instance", "has_mapped_task"],
    ),
    "remove_task_instance": (
        lambda registry: registry.remove_task_instance(NEW.id),
        ["task_scope", "access", "has_task_instance", "has_mapped_task"],
    ),
    "remove_run": (
        lambda registry: registry.remove_run(dag_id=SCOPE.dag_id, run_id=SCOPE.run_id),
        ["task_scope", "access", "has_task_instance", "has_mapped_task"],
    ),
    "register_asset": (
        lambda registry: registry.register_asset(name=ORDERS.name, uri=ORDERS.uri, group="other"),
        ["asset", "asset_by_name", "asset_by_uri"],
    ),
    "deactivate_asset": (
        lambda registry: registry.deactivate_asset(ORDERS.asset_id),
        ["asset", "asset_by_name", "asset_by_uri"],
    ),
}


@pytest.mark.parametrize(
    ("change", "ask"),
    [
        pytest.param(change, QUESTIONS[question], id=f"{name}-{question}")
        for name, (change, questions) in CHANGES.items()
        for question in questions
    ],
)
async def test_change_during_a_look_up(
    registry: CachedRegistry,
    inner: WatchedDirectory,
    change: Callable[[CachedRegistry], Awaitable[object]],
    ask: Question,
) -> None:
    """The answer of a look-up that a change overtook is neither remembered nor waited for by those who come later."""
    await fill(inner)
    before = await ask(inner)
    inner.asked.clear()
    inner.gate = asyncio.Event()
    overtaken = asyncio.ensure_future(ask(registry))
    await until(lambda: len(inner.asked) == 1)
    await change(registry)
    later = asyncio.ensure_future(ask(registry))
    await until(lambda: len(inner.asked) == 2)
    inner.gate.set()
    assert await overtaken == before
    expected = await ask(inner)
    assert await later == expected
    inner.asked.clear()
    assert await ask(registry) == expected
    assert inner.asked == []


async def test_restore_during_a_look_up(registry: CachedRegistry, inner: WatchedDirectory) -> None:
    """An asset restored while somebody finds it missing is there for those who ask afterwards."""
    await fill(inner)
    await registry.deactivate_asset(ORDERS.asset_id)
    inner.gate = asyncio.Event()
    overtaken = asyncio.ensure_future(registry.asset_by_name(ORDERS.name))
    await until(lambda: len(inner.asked) == 1)
    restored = await registry.restore_asset(ORDERS.asset_id)
    inner.gate.set()
    assert await overtaken is None
    assert await registry.asset_by_name(ORDERS.name) == restored


async def test_retry_forgets_the_replaced_id_only(registry: CachedRegistry, inner: WatchedDirectory) -> None:
    """A registration leaves the answers about other task instances in memory."""
    others = [task_instance(TaskScope("d", "r", "t", number)) for number in range(10)]
    first, second = task_instance(), task_instance(try_number=2)
    await registry.register_task_instances([*others, first])
    for known in (*others, first):
        await registry.task_scope(known.id)
    inner.asked.clear()
    await registry.register_task_instances([second])
    for known in others:
        assert await registry.task_scope(known.id) == known.scope
    assert inner.asked == []
    assert await registry.task_scope(first.id) is None
    assert await registry.task_scope(second.id) == SCOPE


async def test_retry_forgets_an_answer_that_others_followed(inner: WatchedDirectory, clock: Clock) -> None:
    """A replaced task instance is unknown at once, however long ago its answer was remembered."""
    registry = CachedRegistry(inner, max_answers=4, clock=clock)
    first = task_instance()
    await registry.register_task_instances([first])
    await registry.task_scope(first.id)
    for _ in range(2):
        await registry.task_scope(uuid4())
    await registry.register_task_instances([task_instance(try_number=2)])
    assert await registry.task_scope(first.id) is None


async def test_failed_changes_are_forgotten_too(registry: CachedRegistry, inner: WatchedDirectory) -> None:
    """After a change that failed, whose outcome may be unknown, the registry is asked again."""
    await fill(inner)
    for ask in QUESTIONS.values():
        await ask(registry)
    inner.asked.clear()
    with pytest.raises(AssetNotFoundError):
        await registry.restore_asset(999)
    for ask in (QUESTIONS["asset"], QUESTIONS["asset_by_name"], QUESTIONS["asset_by_uri"]):
        await ask(registry)
    with pytest.raises(AssetNotFoundError):
        await registry.register_task_instances([task_instance(inlets=(Asset(999, "a", "a"),))])
    await registry.task_scope(NEW.id)
    assert inner.asked == ["asset", "asset_by_name", "asset_by_uri", "task_instance"]


class _LateDirectory(WatchedDirectory):
    """Gives its answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[asyncio.Future[TaskInstance | None]] = []

    def task_instance_soon(self, task_instance_id: UUID) -> asyncio.Future[TaskInstance | None]:
        self.late.append(asyncio.get_running_loop().create_future())
        return self.late[-1]


async def test_an_answer_from_before_a_change_is_not_remembered(clock: Clock) -> None:
    """Whoever asked before a task instance was registered may hear the old answer; nobody does who asks later."""
    inner = _LateDirectory()
    registry = CachedRegistry(inner, clock=clock)
    early = asyncio.ensure_future(registry.task_scope(NEW.id))
    await until(lambda: len(inner.late) == 1)
    await registry.register_task_instances([NEW])
    inner.late[0].set_result(None)
    assert await early is None
    later = asyncio.ensure_future(registry.task_scope(NEW.id))
    await until(lambda: len(inner.late) == 2)
    inner.late[1].set_result(NEW)
    assert await later == NEW.scope
    assert await registry.task_scope(NEW.id) == NEW.scope
    assert len(inner.late) == 2
