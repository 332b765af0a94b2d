"""Which calls are repeated, when, and how often."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from tenacity import RetryCallState, retry_if_exception_type

from statemount.errors import ConfigurationError, UnavailableError, WriteOutcomeUnknownError

logger: logging.Logger = logging.getLogger("statemount.client")


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how long a call is repeated that could not be answered.

    Repeated are connection errors and the statuses 429, 502, 503 and 504; no other refusal, and no write whose request
    was sent and of which nobody can tell whether it was done. A write with a condition, and one that adds to what is
    there, is not repeated after a 502 or 504 either. The pause before repetition n is a random part of
    ``first * 2 ** (n - 1)`` seconds, at most ``longest``, and comes on top of what the server asks for by
    ``Retry-After``.

    Args:
        attempts: Of one call, the first one included; 1 = nothing is repeated.
        total: Seconds after the beginning of a call in which a repetition may begin. Where the next pause would end
            later, the call fails at once.
        first: Longest pause before the first repetition, in seconds.
        longest: Longest pause, without what the server asks for, in seconds.
        random: Gives numbers from 0 to 1.
        clock: Counts seconds.
        now: Tells the time in seconds since the epoch, for a ``Retry-After`` that is a date.

    Raises:
        ConfigurationError: There would be no attempt at all, or a time is negative.
    """

    attempts: int = 5
    total: float = 30.0
    first: float = 0.1
    longest: float = 5.0
    random: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigurationError(f"a call has at least 1 attempt, not {self.attempts}")
        if min(self.total, self.first, self.longest) < 0:
            raise ConfigurationError("the times of retries are not negative")


class RetryableError(Exception):
    """An attempt failed in a way that allows another one.

    Args:
        error: What the caller is told if there is none.
        retry_after: Seconds for which the server asks to wait; None = it does not.
    """

    def __init__(self, error: UnavailableError, retry_after: float | None = None) -> None:
        super().__init__(str(error))
        self.error: UnavailableError = error
        self.retry_after: float | None = retry_after


class Plan:
    """The repetitions of one call.

    Args:
        began: When, by the clock of ``retries``.
        failure: How its first attempt ended.
        correlation: The call's correlation id, for the log.
    """

    def __init__(self, retries: Retries, began: float, failure: RetryableError, correlation: str) -> None:
        self._retries = retries
        self._began = began
        self._first: RetryableError | None = failure
        self._correlation = correlation
        self._pauses: dict[int, float] = {}
        self._unknown: WriteOutcomeUnknownError | None = None

    def options(self) -> dict[str, Any]:
        """Return the strategies for tenacity, whose first attempt is the one that has failed already."""
        return {
            "stop": self._is_over,
            "wait": self._pause,
            "retry": retry_if_exception_type(RetryableError),
            "before_sleep": self._log,
            "reraise": True,
        }

    def begin(self) -> None:
        """Begin an attempt: the first one only fails again."""
        failure, self._first = self._first, None
        if failure is not None:
            raise failure

    def last(self, failure: RetryableError) -> UnavailableError:
        """Return what the caller is told once no attempt is left."""
        unknown = self._unknown
        if unknown is None or isinstance(failure.error, WriteOutcomeUnknownError):
            return failure.error
        return WriteOutcomeUnknownError(str(unknown), retry_after=failure.error.retry_after)

    def _is_over(self, state: RetryCallState) -> bool:
        failure = _failure(state)
        if isinstance(failure.error, WriteOutcomeUnknownError):
            self._unknown = failure.error
        elapsed = self._retries.clock() - self._began
        return state.attempt_number >= self._retries.attempts or elapsed + self._pause(state) > self._retries.total

    def _pause(self, state: RetryCallState) -> float:
        # Older versions of tenacity ask whether to stop before they ask how long to wait, newer ones after it.
        number = state.attempt_number
        if number not in self._pauses:
            retries = self._retries
            back_off = min(retries.longest, retries.first * 2.0 ** min(number - 1, 64))
            self._pauses[number] = (_failure(state).retry_after or 0.0) + retries.random() * back_off
        return self._pauses[number]

    def _log(self, state: RetryCallState) -> None:
        logger.info(
            "attempt %d failed (%s); the next one follows in %.2f s [correlation-id %s]",
            state.attempt_number,
            _failure(state),
            self._pause(state),
            self._correlation,
        )


def _failure(state: RetryCallState) -> RetryableError:
    outcome: Any = state.outcome
    return cast(RetryableError, outcome.exception())  # nothing else is repeated
