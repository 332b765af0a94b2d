"""A claim through the client, in threads. Its async twin has the same names."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Protocol, TypeVar

from typing_extensions import Self

from statemount.client.errors import ClaimLostError
from statemount.client.leases import Lease, LeaseHolder
from statemount.client.scripts import THROWN, Look, Pause, Put, Remove, Script, Step
from statemount.client.values import StateEntry, StateValue
from statemount.errors import KeyNotFoundError, StateMountError
from statemount.model import JsonValue

_logger = logging.getLogger("statemount.client")

T = TypeVar("T")


class Leasable(Protocol):
    """State whose entries expire: a task instance's, on either route set."""

    def get_entry(self, key: str) -> StateValue | StateEntry: ...
    def set(self, key: str, value: JsonValue, *, expires_at: datetime, if_revision: int) -> int | None: ...
    def delete(self, key: str, *, if_revision: int) -> None: ...


class Claim(LeaseHolder):
    """A key that one holder has at a time, for a limited time: a lease. Made by ``claim`` of a task's state.

    A ``with`` block takes it, and gives it up at its end. Who needs it for longer renews it in time. A holder that was
    asleep may not know that it is over, so hand ``token`` to whatever the claim protects, and let that refuse a smaller
    one than it has seen.

    Args:
        sleep: Waits so many seconds.
    """

    def __init__(self, state: Leasable, lease: Lease, sleep: Callable[[float], None]) -> None:
        super().__init__(lease)
        self._state = state
        self._sleep = sleep

    def take(self) -> Self:
        """Take it, at once or when somebody else's is over.

        Raises:
            ClaimedError: Somebody else holds it, for longer than this one waits.
            ValueError: It is taken already.
        """
        self._check_free()
        self._held = self._run(self._lease.taking())
        return self

    def renew(self) -> None:
        """Hold it for as long as before, from now on.

        Raises:
            ClaimLostError: Its time is over, or somebody has removed it.
        """
        held = self._current()
        try:
            self._held = self._run(self._lease.renewing(held))
        except ClaimLostError:
            self._held = None
            raise

    def release(self) -> None:
        """Give it up.

        Raises:
            ClaimLostError: Its time was over already, or somebody has removed it.
        """
        held, self._held = self._current(), None
        self._run(self._lease.releasing(held))

    def __enter__(self) -> Self:
        return self.take()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._held is None:  # it is known to be lost
            return
        try:
            self.release()
        except StateMountError as failure:
            if error is None:
                raise
            _logger.warning("after an error the claim of key %r could not be released: %s", self.key, failure)

    def _run(self, script: Script[T]) -> T:
        try:
            step = next(script)
            while True:
                try:
                    outcome = self._perform(step)
                except THROWN as error:
                    step = script.throw(error)
                else:
                    step = script.send(outcome)
        except StopIteration as end:
            result: T = end.value
            return result

    def _perform(self, step: Step) -> object:
        match step:
            case Look(key):
                try:
                    return self._state.get_entry(key)
                except KeyNotFoundError:
                    return None
            case Put(key, value, expires_at, if_revision):
                return self._state.set(key, value, expires_at=expires_at, if_revision=if_revision)
            case Remove(key, if_revision):
                self._state.delete(key, if_revision=if_revision)
            case Pause(seconds):
                self._sleep(seconds)
        return None
