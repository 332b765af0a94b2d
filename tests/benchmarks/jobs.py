"""What the load generator is asked to do, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.dataset import Dataset
from tests.benchmarks.tokens import Issuer


@dataclass(frozen=True)
class Job:
    """Load for one app.

    Args:
        operation: Its name.
        port: Where the app listens.
        connections: Kept open, with one request at a time on each.
        seconds: How long.
        rate: Requests/s that become due, whatever the app does; None = each connection asks again when it is answered.
        seed: Unlike that of every other job: the tokens that are not seen before are told apart by it.
        fresh_share: Part of the requests with a token not seen before.
        expected: What every answer must have, in place of what the operation says; for an app that always answers
            the same.
        most: Highest rate that requests are prepared for, in requests/s: what is faster ends early.
        requests: End after so many, and not after a time.
    """

    operation: str
    dataset: Dataset
    issuer: Issuer
    port: int
    connections: int
    seconds: float
    seed: int
    rate: float | None = None
    fresh_share: float = 0.1
    expected: bytes | None = None
    most: int = 40_000
    requests: int | None = None


@dataclass(frozen=True)
class Latencies:
    """How long answers took from the moment when their request was due, in milliseconds."""

    p50: float
    p99: float
    p99_9: float
    longest: float


@dataclass(frozen=True)
class Told:
    """What came of a job.

    Args:
        answers: How many there were.
        seconds: From the first request to the last answer.
        busy_seconds: CPU time of the generator.
        latencies: None without a rate.
    """

    answers: int
    seconds: float
    busy_seconds: float
    latencies: Latencies | None = None

    @property
    def per_second(self) -> float:
        """Answers/s."""
        return self.answers / self.seconds

    @property
    def busy(self) -> float:
        """Part of the time in which the generator was busy: near 1, it is the generator that was measured."""
        return self.busy_seconds / self.seconds


class VoidRunError(Exception):
    """An answer was not what it must be, or load was not what was asked for: the run says nothing."""
