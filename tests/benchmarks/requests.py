"""Requests, prepared before the clock runs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, cycle, islice

from tests.benchmarks.dataset import Dataset
from tests.benchmarks.jobs import Job
from tests.benchmarks.operations import operation_named
from tests.benchmarks.tokens import Issuer

_USED_AGAIN = 100_000

Prepared = tuple[bytes, bytes]
"""A request, up to the end of its body if it writes, and what its answer must have."""


@lru_cache(maxsize=2)
def _used_again(operation: str, dataset: Dataset, issuer: Issuer) -> list[Prepared]:
    return list(islice(operation_named(operation).heads(dataset, issuer, 0), _USED_AGAIN))


def prepare(job: Job) -> Iterator[Prepared]:
    """Return the requests of a job, which end when there are no more fresh tokens."""
    count = (job.requests or int((job.rate or job.most) * job.seconds)) + 2 * job.connections
    used_again = cycle(_used_again(job.operation, job.dataset, job.issuer))
    if job.fresh_share == 0:
        return islice(used_again, count)
    every = round(1 / job.fresh_share)
    fresh_ones = operation_named(job.operation).fresh_heads(job.dataset, job.issuer, job.seed)
    fresh = list(islice(fresh_ones, count // every + 1))
    return chain.from_iterable(zip(*[used_again] * (every - 1), fresh, strict=False))


def tails(job: Job) -> Iterator[bytes] | None:
    """Return what requests that write end with; None for others."""
    ends = operation_named(job.operation).tails(job.dataset, job.seed)
    return cycle(ends) if ends else None
