"""The life of what is open on one event loop: begun at the first use, kept by one task, closed at its end.

A runtime belongs to one process and one event loop. Nothing that it holds is used from another: a forked child
and a second loop begin runtimes of their own.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

from statemount.errors import ConfigurationError, UnavailableError
from statemount.interfaces import Authenticator, Directory, Registry, Resource, Revocations, Store
from statemount.watching.hub import Hub

_logger = logging.getLogger(__name__)

_ResourceT = TypeVar("_ResourceT", bound=Resource)


@dataclass(frozen=True, slots=True)
class Runtime:
    """What is open on one event loop.

    Args:
        hub: Follows what is watched.
        registry: Where a host registers task instances and assets; None if it does not.
        revocations: Knows what is revoked; None = nothing is.
    """

    store: Store
    directory: Directory
    authenticator: Authenticator
    hub: Hub
    registry: Registry | None = None
    revocations: Revocations | None = None


@runtime_checkable
class Abandonable(Protocol):
    """A resource that holds something outside of the event loop: a thread, a file."""

    def abandon(self) -> None:
        """Give up what is held, at once and in any thread: the event loop is closed, nothing can be awaited."""


class Opened:
    """The resources of one runtime, in the order in which they were opened."""

    def __init__(self) -> None:
        self._resources: list[Resource] = []

    async def open(self, resource: _ResourceT) -> _ResourceT:
        """Open a resource, to be closed with the runtime; return it."""
        await resource.open()
        self._resources.append(resource)
        return resource

    async def close(self) -> None:
        """Close every resource, the last one first. An error is logged and does not stop the rest.

        Raises:
            asyncio.CancelledError: The task was cancelled meanwhile; the resources after that one were closed too.
        """
        cancelled: asyncio.CancelledError | None = None
        while self._resources:
            resource = self._resources.pop()
            try:
                await resource.close()
            except asyncio.CancelledError as error:
                cancelled = error
            except Exception:
                _logger.exception("%s could not be closed", type(resource).__name__)
        if cancelled is not None:
            raise cancelled

    def abandon(self) -> None:
        """Give up every resource without an event loop."""
        while self._resources:
            resource = self._resources.pop()
            if isinstance(resource, Abandonable):
                try:
                    resource.abandon()
                except Exception:
                    _logger.exception("%s could not be abandoned", type(resource).__name__)


Opener: TypeAlias = Callable[[Opened], Awaitable[Runtime]]
"""Opens what a runtime consists of."""

_process_id = os.getpid()


def _note_fork() -> None:
    global _process_id  # noqa: PLW0603 - asking the system at every request costs more than the rest of the look-up
    _process_id = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)

_alive: set[asyncio.Task[None]] = set()
"""The tasks of all keepers: an event loop holds its tasks weakly."""

_inherited: list[_Table] = []
"""What a forked child found: its parent's, never touched and never let go."""


class _Keeper:
    """Owns one runtime, in a task of its own: opens it, waits for the end, closes it.

    Args:
        loop: The running event loop.
        opener: Opens the runtime.
        table: Where the keeper shows itself while it lives, and its runtime while that may be used.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, opener: Opener, table: _Table) -> None:
        self.loop = loop
        self.is_ending = False
        self._table = table
        self._opened = Opened()
        self._started: asyncio.Future[Runtime] = loop.create_future()
        self._stop = asyncio.Event()
        table.keepers[loop] = self
        # In an empty context: nothing of whoever happens to be first (a span, a user) is kept.
        self._task: asyncio.Task[None] = contextvars.Context().run(
            partial(loop.create_task, self._keep(opener), name="statemount runtime")
        )
        self._task.add_done_callback(_alive.discard)
        _alive.add(self._task)
        # A loop that is closed with its tasks pending is no fault of this task, whose resources are abandoned.
        self._task._log_destroy_pending = False  # type: ignore[attr-defined]

    async def started(self) -> Runtime:
        """Wait for the start; cancelling the wait leaves the start alone."""
        await asyncio.wait([self._started])
        return self._started.result()

    async def stop(self) -> None:
        """Close the runtime and wait until it is closed; cancelling the wait leaves the closing alone."""
        self._hide()
        self._stop.set()
        await self.ended()

    async def ended(self) -> None:
        """Wait until everything is closed."""
        await asyncio.wait([self._task])

    def release(self) -> None:
        """Let the runtime go, from any thread: soon, or at once if its event loop is closed."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._stop.set)
            return
        self._hide()
        self._opened.abandon()
        self._table.keepers.pop(self.loop, None)
        _alive.discard(self._task)

    async def _keep(self, opener: Opener) -> None:
        try:
            runtime = await opener(self._opened)
            del opener  # it knows the app, which would live as long as this task
            self._table.running[self.loop] = runtime
            self._started.set_result(runtime)
            await self._stop.wait()
        except GeneratorExit:  # the event loop is gone, nothing can be awaited
            raise
        except BaseException as error:
            is_failure = isinstance(error, Exception)
            try:
                await self._close()
            finally:  # whoever waits may end the event loop next: everything is closed by then
                self._fail(error if is_failure else UnavailableError("the event loop ended during the start"))
            if not is_failure:
                raise
        else:
            await self._close()

    async def _close(self) -> None:
        self._hide()
        try:
            if self._table.is_ours:  # else this is the copy in a forked child
                await self._opened.close()
        finally:
            self._table.keepers.pop(self.loop, None)

    def _fail(self, error: BaseException) -> None:
        self._hide()
        if not self._started.done():
            self._started.set_exception(error)
            self._started.exception()  # whoever waited may be gone

    def _hide(self) -> None:
        self.is_ending = True
        self._table.running.pop(self.loop, None)


@dataclass(eq=False, slots=True)
class _Table:
    """What one process has open for one app, by event loop."""

    running: dict[asyncio.AbstractEventLoop, Runtime] = field(default_factory=dict)
    keepers: dict[asyncio.AbstractEventLoop, _Keeper] = field(default_factory=dict)
    process_id: int = field(default_factory=lambda: _process_id)

    @property
    def is_ours(self) -> bool:
        """Whether it was made in this process, not in the parent that forked it."""
        return self.process_id == _process_id

    def release(self, *, closed_only: bool = False) -> None:
        """Let every runtime go, or only those of event loops that are closed."""
        if self.is_ours:
            for loop, keeper in list(self.keepers.items()):
                if loop.is_closed() or not closed_only:
                    keeper.release()


class Runtimes:
    """The runtimes of one app, one for each event loop that uses it.

    Args:
        opener: Opens what a runtime consists of. It runs in the keeper's task, once for each start.
    """

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._table = _Table()
        self._finalizer = weakref.finalize(self, self._table.release)

    async def current(self) -> Runtime:
        """Return the runtime of this event loop; start it if need be. Concurrent first uses share one start.

        Raises:
            ConfigurationError: It can never start like this, or this is no asyncio event loop.
            UnavailableError: It cannot start now. The next call tries again.
        """
        loop = _running_loop()
        runtime = self._own_table().running.get(loop)
        return await self._start(loop) if runtime is None else runtime

    def running(self) -> Runtime | None:
        """Return the runtime of this event loop if it has started.

        Raises:
            ConfigurationError: This is no asyncio event loop.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = _running_loop()  # which says what is wrong
        table = self._table
        if table.process_id != _process_id:
            table = self._own_table()
        return table.running.get(loop)

    async def stop(self) -> None:
        """Close the runtime of this event loop, if there is one. A later use starts another.

        Raises:
            ConfigurationError: This is no asyncio event loop.
        """
        keeper = self._own_table().keepers.get(_running_loop())
        if keeper is not None:
            await keeper.stop()

    def _own_table(self) -> _Table:
        if not self._table.is_ours:
            _inherited.append(self._table)
            self._finalizer.detach()
            self._table = _Table()
            self._finalizer = weakref.finalize(self, self._table.release)
        return self._table

    async def _start(self, loop: asyncio.AbstractEventLoop) -> Runtime:
        while True:
            keeper = self._table.keepers.get(loop)
            if keeper is not None and keeper.is_ending:
                await keeper.ended()
                continue
            if keeper is None:
                self._table.release(closed_only=True)
                keeper = _Keeper(loop, self._opener, self._table)
            runtime = await keeper.started()
            if not keeper.is_ending:
                return runtime


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError as error:
        raise ConfigurationError(
            "statemount runs on asyncio alone, and no asyncio event loop is running here "
            "(trio and other event loops are not supported)"
        ) from error
