"""Leases: one holder at a time, for a limited time, told apart by fencing tokens. No I/O."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import NamedTuple
from uuid import uuid4

from statemount.client.errors import ClaimedError, ClaimLostError
from statemount.client.retries import Retries
from statemount.client.scripts import Look, Pause, Put, Remove, Script
from statemount.errors import PreconditionFailedError, WriteOutcomeUnknownError
from statemount.model import JsonValue

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_DOUBTS = 3  # how often the outcome of one write may be unknown


class Held(NamedTuple):
    """A lease that is held.

    Args:
        token: Its fencing token: the revision with which it was taken, greater than those of all holders before.
        revision: Of the entry now; each renewal has another one.
        until: When it is over, by the clock that counts seconds, had the server set it at once.
    """

    token: int
    revision: int
    until: float


@dataclass(frozen=True, slots=True)
class Lease:
    """What somebody wants to hold.

    Args:
        ttl: For how long it is taken and renewed; the server ends it by its own clock.
        wait: Seconds for which to wait for somebody else's to end; 0 = it is refused at once.
        value: What stands in the entry: who holds it, and an id by which it is known again.
        now: Tells the time in seconds since the epoch.
    """

    key: str
    ttl: timedelta
    wait: float
    value: JsonValue
    retries: Retries = field(repr=False)
    now: Callable[[], float] = field(repr=False)

    def taking(self) -> Script[Held]:
        """Take it.

        Raises:
            ClaimedError: Somebody else holds it, all the time.
        """
        clock = self.retries.clock
        deadline = clock() + self.wait
        rounds = doubts = 0
        while True:
            began = clock()
            try:
                revision = yield Put(self.key, self.value, self._end(), 0)
                return self._held(revision, revision, began)
            except PreconditionFailedError as error:
                holder = error.revision
            except WriteOutcomeUnknownError:
                seen = yield Look(self.key)
                if seen is not None and seen.value == self.value:
                    return self._held(seen.revision, seen.revision, began)
                doubts += 1
                if doubts > _DOUBTS:
                    raise
                if seen is None:
                    continue
                holder = seen.revision
            remaining = deadline - clock()
            if remaining <= 0:
                raise ClaimedError(self.key, holder)
            longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(rounds, 16))
            yield Pause(min(remaining, longest * (1 + self.retries.random()) / 2))
            rounds += 1

    def renewing(self, held: Held) -> Script[Held]:
        """Hold it for as long again, from now on.

        Raises:
            ClaimLostError: It is over, or somebody else has it.
        """
        began = self.retries.clock()
        doubts = 0
        while True:
            try:
                revision = yield Put(self.key, self.value, self._end(), held.revision)
                return self._held(held.token, revision, began)
            except PreconditionFailedError as error:
                raise ClaimLostError(self.key) from error
            except WriteOutcomeUnknownError as error:
                seen = yield Look(self.key)
                if seen is None or seen.value != self.value:
                    raise ClaimLostError(self.key) from error
                if seen.revision != held.revision:
                    return self._held(held.token, seen.revision, began)
                doubts += 1
                if doubts > _DOUBTS:
                    raise

    def releasing(self, held: Held) -> Script[None]:
        """Give it up.

        Raises:
            ClaimLostError: It was over, or somebody else has it.
        """
        doubts = 0
        while True:
            try:
                yield Remove(self.key, held.revision)
                return
            except PreconditionFailedError as error:
                raise ClaimLostError(self.key) from error
            except WriteOutcomeUnknownError:
                seen = yield Look(self.key)
                if seen is None or seen.revision != held.revision:
                    return
                doubts += 1
                if doubts > _DOUBTS:
                    raise

    def _end(self) -> datetime:
        return datetime.fromtimestamp(self.now(), timezone.utc) + self.ttl

    def _held(self, token: int, revision: int, began: float) -> Held:
        return Held(token, revision, began + self.ttl.total_seconds())


def lease_of(
    key: str,
    ttl: timedelta | float,
    wait: float,
    holder: JsonValue,
    *,
    retries: Retries,
    now: Callable[[], float] | None = None,
) -> Lease:
    """Return what somebody wants to hold.

    Args:
        ttl: A duration, or seconds.
        holder: Who that is, for people who look; None = host and process.

    Raises:
        ValueError: The time is not positive, or the wait negative.
    """
    duration = ttl if isinstance(ttl, timedelta) else timedelta(seconds=ttl)
    if duration <= timedelta(0) or wait < 0:
        raise ValueError(f"a claim has a positive ttl and no negative wait, not {duration} and {wait}")
    holder = f"{socket.gethostname()}:{os.getpid()}" if holder is None else holder
    return Lease(key, duration, wait, {"holder": holder, "claim": uuid4().hex}, retries, now or retries.now)


class LeaseHolder:
    """Who wants to hold a lease, and perhaps does: what is the same in threads and on event loops."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._held: Held | None = None

    @property
    def key(self) -> str:
        """What is claimed."""
        return self._lease.key

    @property
    def token(self) -> int:
        """The fencing token, which grows from holder to holder and stays the same for one.

        Raises:
            ClaimLostError: It is not held.
        """
        return self._current().token

    @property
    def remaining(self) -> float:
        """Seconds for which it is held yet, by this machine's clock; not more than 0 = it is over.

        Raises:
            ClaimLostError: It is not held.
        """
        return self._current().until - self._lease.retries.clock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key!r}, {'not held' if self._held is None else self._held.token}>"

    def _current(self) -> Held:
        if self._held is None:
            raise ClaimLostError(self.key)
        return self._held

    def _check_free(self) -> None:
        if self._held is not None:
            raise ValueError(f"the claim of key {self.key!r} is taken already")
