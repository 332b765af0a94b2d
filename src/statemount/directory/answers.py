"""Answers that are remembered for a while, and looked up once however many wait for them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextvars import Context
from datetime import timedelta
from typing import Generic, TypeVar

from statemount.errors import ConfigurationError, UnavailableError
from statemount.interfaces import Clock
from statemount.model import Timestamp
from statemount.observer import SILENT, Observer

_KeyT = TypeVar("_KeyT", bound=Hashable)
_AnswerT = TypeVar("_AnswerT")


class _LookUp(Generic[_AnswerT]):
    """A look-up under way."""

    __slots__ = ("began", "loop", "task")

    def __init__(self, began: Timestamp, loop: asyncio.AbstractEventLoop) -> None:
        self.began = began
        self.loop = loop
        self.task: asyncio.Task[_AnswerT]


class Answers(Generic[_KeyT, _AnswerT]):
    """A cache of one kind of question, bounded in number and in age.

    Each new answer takes the place of those that are too old, two at a time: nobody has to wait until thousands are
    dropped at once. An answer's age is counted from when its look-up began: what it says held at that moment or later.

    A look-up runs in a task of its own, in an empty context: it belongs to none of those who wait for it.

    Args:
        clock: Only differences between its times count.
        max_age: Zero = nothing is remembered.
        max_answers: Two or more.
        label: Names an answer in another way than its key, for :meth:`forget`.
        observer: Is told whether an answer is known.

    Attributes:
        era: Another object after each :meth:`forget`: what was looked up before it is not to be learned after it.

    Raises:
        ConfigurationError: A bound makes no sense.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        max_age: timedelta,
        max_answers: int,
        label: Callable[[_AnswerT], Hashable] | None = None,
        observer: Observer = SILENT,
    ) -> None:
        if max_age < timedelta(0):
            raise ConfigurationError(f"the age of the directory's answers must not be negative, but is {max_age}")
        if max_answers < 2:
            raise ConfigurationError(f"the directory must remember two answers or more, not {max_answers}")
        self.clock: Clock = clock
        self._max_age = max_age // timedelta(microseconds=1)
        self._max_answers = max_answers
        self._label = label
        self._observer = observer
        self._known: OrderedDict[_KeyT, tuple[Timestamp, _AnswerT]] = OrderedDict()  # in the order of their arrival
        self._labels: dict[Hashable, _KeyT] = {}
        self._look_ups: dict[_KeyT, _LookUp[_AnswerT]] = {}
        self.era: object = object()
        self._tasks: set[asyncio.Task[_AnswerT]] = set()

    def __len__(self) -> int:
        return len(self._known)

    def known(self, key: _KeyT) -> tuple[Timestamp, _AnswerT] | None:
        """Return a fresh answer with the time when its look-up began, or None if there is none."""
        known = self._known.get(key)
        if known is not None and 0 <= self.clock() - known[0] < self._max_age:
            self._observer.looked_up(is_hit=True)
            return known
        self._observer.looked_up(is_hit=False)
        return None

    async def ask(self, key: _KeyT, look_up: Callable[[], Awaitable[_AnswerT]]) -> _AnswerT:
        """Return the answer of a look-up that began just now, or that is fresh and still under way.

        Raises:
            Exception: What the look-up raised; it is not remembered.
        """
        loop = asyncio.get_running_loop()
        now = self.clock()
        pending = self._look_ups.get(key)
        if pending is None or pending.loop is not loop or not 0 <= now - pending.began < self._max_age:
            pending = self._begin(key, look_up, _LookUp(now, loop))
        task = pending.task
        await asyncio.wait([task])
        if task.cancelled():
            raise UnavailableError("the directory's look-up was cut off")
        return task.result()

    def learn(self, key: _KeyT, began: Timestamp, answer: _AnswerT) -> None:
        """Remember an answer that was looked up by whoever asked, in the present :attr:`era`.

        Args:
            began: When that began, by :attr:`clock`.
        """
        self._remember(key, began, answer)

    def _begin(
        self, key: _KeyT, look_up: Callable[[], Awaitable[_AnswerT]], pending: _LookUp[_AnswerT]
    ) -> _LookUp[_AnswerT]:
        self._look_ups[key] = pending
        pending.task = Context().run(pending.loop.create_task, self._run(key, look_up, pending))
        self._tasks.add(pending.task)
        pending.task.add_done_callback(self._ended)
        return pending

    async def _run(
        self, key: _KeyT, look_up: Callable[[], Awaitable[_AnswerT]], pending: _LookUp[_AnswerT]
    ) -> _AnswerT:
        try:
            answer = await look_up()
            if self._look_ups.get(key) is pending:
                self._remember(key, pending.began, answer)
        finally:
            if self._look_ups.get(key) is pending:
                del self._look_ups[key]
        return answer

    def _ended(self, task: asyncio.Task[_AnswerT]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # so that asyncio does not complain when nobody waits any more

    def _remember(self, key: _KeyT, began: Timestamp, answer: _AnswerT) -> None:
        self._drop(key)
        self._known[key] = began, answer
        if self._label is not None:
            label = self._label(answer)
            if label is not None:
                self._labels[label] = key
        now = self.clock()
        for _ in range(2):
            oldest = next(iter(self._known))
            if len(self._known) <= self._max_answers and 0 <= now - self._known[oldest][0] < self._max_age:
                break
            self._drop(oldest)
            if not self._known:
                break

    def forget(self, keys: Iterable[_KeyT], labels: Iterable[Hashable] = ()) -> None:
        """Forget these answers. Look-ups under way answer those who wait already, and nobody else."""
        self._look_ups = {}
        self.era = object()
        for key in keys:
            self._drop(key)
        for label in labels:
            named = self._labels.get(label)
            if named is not None:
                self._drop(named)

    def _drop(self, key: _KeyT) -> None:
        known = self._known.pop(key, None)
        if known is not None and self._label is not None:
            label = self._label(known[1])
            if label is not None and self._labels.get(label) == key:
                del self._labels[label]

    def forget_all(self) -> None:
        """Forget every answer, as :meth:`forget` does."""
        self._look_ups = {}
        self.era = object()
        self._known = OrderedDict()
        self._labels = {}

    async def settle(self) -> None:
        """Wait until no look-up of this event loop is under way."""
        loop = asyncio.get_running_loop()
        while tasks := [task for task in self._tasks if task.get_loop() is loop]:
            await asyncio.wait(tasks)
