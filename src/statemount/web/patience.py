"""A limit on how long a request is waited for, which costs nothing where nothing is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class InTime(Generic[T]):
    """Awaits a coroutine, for so long at most. One that ends without ever waiting sets no timer.

    Args:
        coroutine: Not yet begun.
        seconds: From its first wait on.

    Raises:
        asyncio.TimeoutError: It took longer, and was cancelled.
    """

    __slots__ = ("_coroutine", "_seconds")

    def __init__(self, coroutine: Coroutine[Any, Any, T], seconds: float) -> None:
        self._coroutine = coroutine
        self._seconds = seconds

    def __await__(self) -> Generator[Any, Any, T]:
        coroutine = self._coroutine
        try:
            waits_for = coroutine.send(None)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        limit = _Limit(self._seconds)
        try:
            while True:
                try:
                    yield waits_for
                except BaseException as error:
                    waits_for = coroutine.throw(error)
                else:
                    waits_for = coroutine.send(None)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        except asyncio.CancelledError:
            if limit.is_the_reason():
                raise asyncio.TimeoutError from None
            raise
        finally:
            limit.lift()


class _Limit:
    """Cancels the running task after a while."""

    def __init__(self, seconds: float) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a limit is one of a task's")
        self._task = task
        self._is_over = False
        self._cancellations = self._count()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._end)

    def _count(self) -> int:
        """Return how often somebody has asked the task to end, which Python counts from 3.11 on."""
        count = getattr(self._task, "cancelling", None)
        return 0 if count is None else count()

    def _end(self) -> None:
        self._is_over = True
        self._task.cancel()

    def is_the_reason(self) -> bool:
        """Tell whether the task was cancelled by this alone; that is then taken back."""
        if not self._is_over:
            return False
        uncancel = getattr(self._task, "uncancel", None)
        return uncancel is None or uncancel() <= self._cancellations

    def lift(self) -> None:
        """Let the task go on."""
        self._timer.cancel()
