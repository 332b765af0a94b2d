"""Whose turn it is to give a sign of life: one timer for all, in place of one for each."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statemount.watching.watch import Watch


class Wheel:
    """Gives each watch its turn once in a round. They are spread over it at random.

    Args:
        slots: How many turns a round has.
        choose: Returns a number below another one.
    """

    def __init__(self, slots: int, *, choose: Callable[[int], int] = random.randrange) -> None:
        self._slots: list[set[Watch]] = [set() for _ in range(slots)]
        self._choose = choose
        self._now = 0

    def add(self, watch: Watch) -> int:
        """Take in a watch; return the number of its slot."""
        number = self._choose(len(self._slots))
        self._slots[number].add(watch)
        return number

    def remove(self, watch: Watch, number: int) -> None:
        """Let a watch go that has this slot."""
        self._slots[number].discard(watch)

    def turn(self) -> list[Watch]:
        """Move on by one slot, and return whose turn it is."""
        self._now = (self._now + 1) % len(self._slots)
        return list(self._slots[self._now])
