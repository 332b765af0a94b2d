"""What is found wrong with counters, claims and times."""

from __future__ import annotations

import pytest

from tests.clusters.tallies import Counted, Hold, claim_faults, longest_gap


@pytest.mark.parametrize(
    ("counted", "logged", "faults"),
    [
        (Counted([1, 2, 3]), [1, 2, 3], []),
        (Counted([3, 1], unknown=1), [1, 2, 3], []),
        (Counted([1, 2], unknown=1), [1, 2], []),
        (Counted([1, 2, 3]), [1, 2], ["1 acknowledged increments are lost: [3]"]),
        (Counted([1, 1]), [1, 2], ["1 increments gave a sum that another one gave, too"]),
        (Counted([1, 2]), [1, 2, 2], ["does not grow by one", "3 increments are counted, of 2 and 0 unknown ones"]),
        (Counted([1, 3]), [1, 3], ["does not grow by one"]),
    ],
)
def test_counters(counted: Counted, logged: list[int], faults: list[str]) -> None:
    """Each acknowledged increment is in the log once, with its own sum, and no more than were asked for."""
    found = counted.faults(logged)
    assert len(found) == len(faults)
    assert all(fault in one for fault, one in zip(faults, found, strict=True))


@pytest.mark.parametrize(
    ("holds", "faults"),
    [
        ([], []),
        ([Hold(5, 0, 1), Hold(9, 2, 3)], []),
        ([Hold(9, 2, 3), Hold(5, 0, 1)], []),
        ([Hold(5, 0, 2), Hold(9, 1, 3)], ["1 claims were won while"]),
        ([Hold(9, 0, 1), Hold(9, 2, 3)], ["1 claims have a token"]),
        ([Hold(9, 0, 9), Hold(5, 1, 2)], ["1 claims were won while", "1 claims have a token"]),
    ],
)
def test_claims(holds: list[Hold], faults: list[str]) -> None:
    """One holder at a time, each with a greater token."""
    found = claim_faults(holds)
    assert [one[: len(fault)] for fault, one in zip(faults, found, strict=True)] == faults


def test_gaps() -> None:
    """The longest time between two moments is found in whatever order they come."""
    assert longest_gap([3.0, 0.0, 1.0]) == 2.0
    assert longest_gap([1.0]) == longest_gap([]) == 0.0
