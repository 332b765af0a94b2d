"""What clients were told of counters and claims, and what cannot be so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass
class Counted:
    """The increments of one counter, which begins at 0 and grows by one.

    Args:
        sums: Those that were acknowledged, each with the sum that the client was told.
        unknown: How many may have been done.
    """

    sums: list[int] = field(default_factory=list)
    unknown: int = 0

    def faults(self, logged: Sequence[int]) -> list[str]:
        """Return what is wrong.

        Args:
            logged: Every sum that the counter ever had, as its log has them.
        """
        faults = []
        if lost := sorted(set(self.sums) - set(logged)):
            faults.append(f"{len(lost)} acknowledged increments are lost: {lost[:5]}")
        if twice := len(self.sums) - len(set(self.sums)):
            faults.append(f"{twice} increments gave a sum that another one gave, too")
        if list(logged) != list(range(1, len(logged) + 1)):
            faults.append("the log of the counter does not grow by one")
        if len(logged) > len(self.sums) + self.unknown:
            faults.append(f"{len(logged)} increments are counted, of {len(self.sums)} and {self.unknown} unknown ones")
        return faults


@dataclass(frozen=True)
class Hold:
    """A claim that somebody held.

    Args:
        token: Its fencing token.
        began: When its holder knew of it, in an order of all such moments.
        ended: When its holder began to give it back.
    """

    token: int
    began: int
    ended: int


def claim_faults(holds: Iterable[Hold]) -> list[str]:
    """Return what is wrong with the holds of one key."""
    ordered = sorted(holds, key=lambda hold: hold.began)
    twice = sum(later.began < earlier.ended for earlier, later in pairwise(ordered))
    backwards = sum(later.token <= earlier.token for earlier, later in pairwise(ordered))
    faults = []
    if twice:
        faults.append(f"{twice} claims were won while somebody else held them")
    if backwards:
        faults.append(f"{backwards} claims have a token that is not greater than the one before")
    return faults


def longest_gap(moments: Sequence[float]) -> float:
    """Return the longest time between two moments that follow each other; 0 = there are not two."""
    return max((later - earlier for earlier, later in pairwise(sorted(moments))), default=0.0)
