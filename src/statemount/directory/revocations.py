"""Which credentials are revoked: in memory, and remembered for a few seconds in front of whatever knows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from statemount.clock import system_clock
from statemount.directory.answers import Answers
from statemount.directory.cache import DEFAULT_MAX_AGE, DEFAULT_MAX_ANSWERS, monotonic
from statemount.interfaces import Clock, Credential, Revocations
from statemount.model import Timestamp

_SMALLEST_CROWD = 1000
"""How many are kept at least before anybody looks which of them are over."""


class MemoryRevocations(Revocations):
    """Keeps them in the object itself, whatever event loop it is called on.

    Args:
        clock: Microseconds since the epoch.
    """

    def __init__(self, *, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._until: dict[Credential, Timestamp] = {}
        self._crowd = _SMALLEST_CROWD

    def __len__(self) -> int:
        return len(self._until)

    async def revoke(self, credential: Credential, *, until: Timestamp) -> None:
        if len(self._until) >= self._crowd:
            self._forget_what_is_over()
        self._until[credential] = max(until, self._until.get(credential, until))

    async def are_any_revoked(self, credentials: Sequence[Credential]) -> bool:
        now = self._clock()
        return any(self._until.get(credential, now) > now for credential in credentials)

    async def is_empty(self) -> bool:
        now = self._clock()
        return all(end <= now for end in self._until.values())

    def _forget_what_is_over(self) -> None:
        now = self._clock()
        self._until = {credential: end for credential, end in self._until.items() if end > now}
        self._crowd = max(_SMALLEST_CROWD, 2 * len(self._until))


class CachedRevocations(Revocations):
    """Remembers what another one answers, so that a request asks nobody but this object nearly always.

    While nothing at all is revoked, that is the only question that is asked, once in ``max_age``. What is revoked
    through this object is refused by it at once.

    Args:
        revocations: Who is asked and changed.
        max_age: How long after its look-up began an answer is given; zero = not at all.
        max_answers: How many answers are remembered, two or more.
        clock: In microseconds; only differences count.

    Raises:
        ConfigurationError: A bound makes no sense.
    """

    def __init__(
        self,
        revocations: Revocations,
        *,
        max_age: timedelta = DEFAULT_MAX_AGE,
        max_answers: int = DEFAULT_MAX_ANSWERS,
        clock: Clock = monotonic,
    ) -> None:
        self._revocations = revocations
        self._emptiness = Answers[None, bool](clock=clock, max_age=max_age, max_answers=2)
        self._answers = Answers["tuple[Credential, ...]", bool](clock=clock, max_age=max_age, max_answers=max_answers)

    async def open(self) -> None:
        await self._revocations.open()

    async def close(self) -> None:
        await self._emptiness.settle()
        await self._answers.settle()
        await self._revocations.close()

    async def revoke(self, credential: Credential, *, until: Timestamp) -> None:
        try:
            await self._revocations.revoke(credential, until=until)
        finally:
            self._emptiness.forget_all()
            self._answers.forget_all()

    async def are_any_revoked(self, credentials: Sequence[Credential]) -> bool:
        key = tuple(credentials)
        known = self._answers.known(key)
        if known is not None:
            return known[1]
        return await self._answers.ask(key, lambda: self._revocations.are_any_revoked(key))

    def is_known_to_be_empty(self) -> bool:
        known = self._emptiness.known(None)
        return known is not None and known[1]

    async def is_empty(self) -> bool:
        known = self._emptiness.known(None)
        if known is not None:
            return known[1]
        return await self._emptiness.ask(None, self._revocations.is_empty)
