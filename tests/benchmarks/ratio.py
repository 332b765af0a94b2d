"""Figures of several turns, in short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Ratio:
    """How two apps compare: the median of what each pair of turns gives, with the smallest and the largest."""

    median: float
    smallest: float
    largest: float

    @classmethod
    def of(cls, ours: Sequence[float], others: Sequence[float]) -> Ratio:
        """Compare turn by turn."""
        ratios = [one / other for one, other in zip(ours, others, strict=True)]
        return cls(median(ratios), min(ratios), max(ratios))

    @classmethod
    def difference(cls, ours: Sequence[float], others: Sequence[float]) -> Ratio:
        """Subtract turn by turn."""
        differences = [one - other for one, other in zip(ours, others, strict=True)]
        return cls(median(differences), min(differences), max(differences))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.smallest:.2f} to {self.largest:.2f})"


def spread(figures: Sequence[float], form: str = ",.0f") -> str:
    """Return the median, the smallest and the largest, as a ratio is shown.

    Args:
        form: Of one figure, as ``format`` takes it.
    """
    middle, smallest, largest = (format(pick(figures), form) for pick in (median, min, max))
    return f"{middle} ({smallest} to {largest})"
