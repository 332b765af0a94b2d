"""Whole requests; each round is 64 of them, one by one or at once."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from tests.benchmarks.jobs import Job
from tests.benchmarks.micro.conftest import SMALL
from tests.benchmarks.micro.driving import Call, Driver
from tests.benchmarks.operations import OPERATIONS
from tests.benchmarks.requests import prepare, tails
from tests.benchmarks.tokens import Issuer

_CALLS = 64


def _calls(name: str, issuer: Issuer) -> list[Call]:
    job = Job(name, SMALL, issuer, port=0, connections=1, seconds=1, seed=1, fresh_share=0, most=_CALLS)
    operation, ends = OPERATIONS[name], tails(job)
    return [
        Call.of(
            request + (b"" if ends is None else next(ends)), operation.status, b"" if operation.writes else expected
        )
        for request, expected in islice(prepare(job), _CALLS)
    ]


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_one_by_one(name: str, driver: Driver, issuer: Issuer, benchmark: Any) -> None:
    """One request after the other."""
    benchmark(driver.one_by_one, _calls(name, issuer))


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_at_once(name: str, driver: Driver, issuer: Issuer, benchmark: Any) -> None:
    """Requests that wait together."""
    benchmark(driver.at_once, _calls(name, issuer))
