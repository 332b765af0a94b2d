"""Work that waits together is done together: the queue behind group commit and group read."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from statemount.errors import (
    LockedError,
    OverloadedError,
    StateMountError,
    UnavailableError,
    WriteOutcomeUnknownError,
)
from statemount.observer import SILENT, Observer, WorkKind

RequestT = TypeVar("RequestT")
AnswerT = TypeVar("AnswerT")


class Ticket(Generic[RequestT, AnswerT]):
    """A request, and the future that its asker waits on."""

    __slots__ = ("answer", "count", "request", "size")

    def __init__(self, request: RequestT, answer: asyncio.Future[AnswerT], size: int = 0, count: int = 1) -> None:
        self.request: RequestT = request
        self.answer: asyncio.Future[AnswerT] = answer
        self.size: int = size
        self.count: int = count

    def succeed(self, answer: AnswerT) -> None:
        """Give the answer, if somebody still waits for it."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: BaseException) -> None:
        """Give an error instead."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Lane(Generic[RequestT, AnswerT]):
    """One worker that takes whatever waits, up to a limit, and does it as a group; the next group waits meanwhile.

    The worker is a task with an empty context, so that nothing of a request (its span, user or transaction) leaks into
    it, and a request that is cancelled leaves it alone.

    Args:
        work: Does a group: it must answer or fail every ticket.
        max_operations: Most operations in a group; a single request may have more.
        max_bytes: Most bytes in a group; a single request may be larger.
        max_waiting: Most requests that may wait; one more is refused.
        long_seconds: A group that fails after so long has waited for a database that does not answer.
        kind: What the work is, for the observer.
        observer: Is told of groups, and can ask how many wait.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Ticket[RequestT, AnswerT]]], Awaitable[None]],
        *,
        max_operations: int = 256,
        max_bytes: int = 1024 * 1024,
        max_waiting: int = 10_000,
        long_seconds: float = 2.0,
        kind: WorkKind = "write",
        observer: Observer = SILENT,
    ) -> None:
        self._work = work
        self._kind = kind
        self._observer = observer
        self._max_operations = max_operations
        self._max_bytes = max_bytes
        self._max_waiting = max_waiting
        self._long_seconds = long_seconds
        self._waiting: deque[Ticket[RequestT, AnswerT]] = deque()
        self._woken: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._worker: asyncio.Task[None] | None = None
        self._is_closing = False

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def start(self) -> None:
        """Start the worker on the running event loop."""
        self._observer.queue(self._kind, self)
        self._loop = asyncio.get_running_loop()
        self._worker = contextvars.Context().run(self._loop.create_task, self._run(self._loop))
        # A loop that is closed with its tasks pending is no fault of this one.
        self._worker._log_destroy_pending = False  # type: ignore[attr-defined]

    async def stop(self) -> None:
        """Do what was accepted, and end. What is asked from now on is refused."""
        self._is_closing = True
        if self._worker is not None:
            self._wake()
            await asyncio.wait([self._worker])  # which does not end it when this is cancelled, nor fail if it was

    def ask(self, request: RequestT, *, size: int = 0, count: int = 1) -> asyncio.Future[AnswerT]:
        """Queue a request, and return the future of its answer.

        Args:
            size: How many bytes it counts for.
            count: How many operations it counts for.

        Raises:
            OverloadedError: Too much waits already.
            UnavailableError: The lane is not running.
        """
        ticket: Ticket[RequestT, AnswerT] = Ticket(request, self._open_loop().create_future(), size, count)
        self._waiting.append(ticket)
        self._wake()
        return ticket.answer

    def take_over(self, ticket: Ticket[RequestT, AnswerT]) -> None:
        """Queue a request that somebody waits for already; it fails where :meth:`ask` would raise."""
        try:
            self._open_loop()
        except StateMountError as error:
            ticket.fail(error)
            return
        self._waiting.append(ticket)
        self._wake()

    def _open_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop of the worker, if one more may wait for it."""
        if self._loop is None or self._is_closing or self._worker is None or self._worker.done():
            raise UnavailableError("the store is closing")
        if len(self._waiting) >= self._max_waiting:
            raise OverloadedError(f"{self._max_waiting} requests wait for the database already")
        return self._loop

    def _wake(self) -> None:
        woken = self._woken
        if woken is not None and not woken.done():
            woken.set_result(None)

    async def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while True:
                group = self._take()
                if group:
                    await self._do(group)
                elif self._is_closing:
                    return
                else:
                    self._woken = loop.create_future()
                    await self._woken
        finally:
            for ticket in self._waiting:
                ticket.fail(UnavailableError("the store was closed"))
            self._waiting.clear()

    def _take(self) -> list[Ticket[RequestT, AnswerT]]:
        group: list[Ticket[RequestT, AnswerT]] = []
        size = count = 0
        while self._waiting:
            ticket = self._waiting[0]
            if group and (size + ticket.size > self._max_bytes or count + ticket.count > self._max_operations):
                break
            self._waiting.popleft()
            if not ticket.answer.done():  # its asker may have gone away
                group.append(ticket)
                size += ticket.size
                count += ticket.count
        if group:
            self._observer.group(self._kind, count)
        return group

    async def _do(self, group: Sequence[Ticket[RequestT, AnswerT]]) -> None:
        began = time.monotonic()
        try:
            await self._work(group)
        except asyncio.CancelledError:
            for ticket in group:
                ticket.fail(UnavailableError("the store was closed"))
            raise
        except Exception as error:
            for ticket in group:
                ticket.fail(error)
            if isinstance(error, UnavailableError) and time.monotonic() - began >= self._long_seconds:
                self._give_up(error)

    def _give_up(self, error: UnavailableError) -> None:
        """Fail what has waited meanwhile, too: it would only find out the same, one group after the other."""
        if isinstance(error, LockedError):  # which says nothing of the others
            return
        if isinstance(error, WriteOutcomeUnknownError):  # theirs is known
            error = UnavailableError(str(error))
        for ticket in self._waiting:
            ticket.fail(error)
        self._waiting.clear()
