"""How much is removed in one transaction."""

from __future__ import annotations

from statemount.store.step_size import StepSize


def test_slow_transactions_become_smaller() -> None:
    """Each half as large as the one before, down to a size that is worth its round trips."""
    step_size = StepSize(1000)
    sizes = []
    for _ in range(6):
        step_size.note(step_size.size, 0.3)
        sizes.append(step_size.size)
    assert sizes == [500, 250, 125, 62, 50, 50]


def test_fast_transactions_become_larger() -> None:
    """Twice as large, if they were as large as they might be."""
    step_size = StepSize(100)
    step_size.note(100, 0.01)
    assert step_size.size == 200
    step_size.note(199, 0.01)
    assert step_size.size == 200


def test_what_takes_its_time_stays() -> None:
    """Between a quarter of the time that is allowed and all of it, nothing changes."""
    step_size = StepSize(100)
    step_size.note(100, 0.1)
    assert step_size.size == 100
