"""A watermark: up to where data was processed. It only moves forward, whoever else moves it."""

from __future__ import annotations

from statemount.client import StateValue
from statemount.model import JsonValue
from statemount.worker.accessor import StateAccessor
from statemount.worker.recipes.doubts import Doubts


class Watermark:
    """Up to where data was processed; made by :func:`watermark`.

    Attributes:
        value: As it was last read or advanced.
    """

    def __init__(self, state: StateAccessor, key: str, value: JsonValue, default: JsonValue) -> None:
        self.value: JsonValue = value
        self._state = state
        self._key = key
        self._default = default

    def advance(self, value: JsonValue) -> bool:
        """Move it forward; return whether it has moved.

        It is compared and written in one step: several workers may advance it at once, and the last request of one that
        was killed changes nothing once another has moved it.

        Args:
            value: Up to where data is processed now. Numbers are compared as numbers, texts as texts: write times in
                one form and one time zone, such as ISO 8601 in UTC.

        Raises:
            TypeError: It cannot be compared with what is there.
            PreconditionFailedError: Others were faster, a hundred times in a row.
            WriteOutcomeUnknownError: It may have moved; to advance it again is always safe.
        """
        doubts = Doubts()

        def attempt() -> bool:
            seen = self._state.get_entry(self._key, self._default)
            has_moved = self._has_moved(seen, value, doubts)
            if has_moved is None:
                with doubts.settled():
                    self._state.set(self._key, value, if_revision=seen.revision)
                self.value = value
            return has_moved is not False

        return self._state.contend(attempt)

    async def aadvance(self, value: JsonValue) -> bool:
        """Do what ``advance`` does."""
        doubts = Doubts()

        async def attempt() -> bool:
            seen = await self._state.aget_entry(self._key, self._default)
            has_moved = self._has_moved(seen, value, doubts)
            if has_moved is None:
                with doubts.settled():
                    await self._state.aset(self._key, value, if_revision=seen.revision)
                self.value = value
            return has_moved is not False

        return await self._state.acontend(attempt)

    def _has_moved(self, seen: StateValue, value: JsonValue, doubts: Doubts) -> bool | None:
        """Return what came of it; None = it is to be written."""
        self.value = seen.value
        if doubts.number and seen.value == value:
            return True  # it was done
        return None if seen.value is None or value > seen.value else False


def watermark(state: StateAccessor, *, key: str = "watermark", default: JsonValue = None) -> Watermark:
    """Return up to where data was processed.

    Args:
        key: Under which it is kept.
        default: What it is before it was ever advanced.
    """
    return Watermark(state, key, state.get(key, default), default)


async def awatermark(state: StateAccessor, *, key: str = "watermark", default: JsonValue = None) -> Watermark:
    """Do what :func:`watermark` does, to be advanced with ``aadvance``."""
    return Watermark(state, key, await state.aget(key, default), default)
