"""A watermark: up to where data was processed. It only moves forward."""

from __future__ import annotations

from statemount.model import JsonValue
from statemount.worker.accessor import StateAccessor


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
        """Move it forward; return whether it has moved. It is read again before, as somebody else may have moved it.

        Args:
            value: Up to where data is processed now. Numbers are compared as numbers, texts as texts: write times in
                one form and one time zone, such as ISO 8601 in UTC.

        Raises:
            TypeError: It cannot be compared with what is there.
        """
        self.value = self._state.get(self._key, self._default)
        # With conditional writes this is one step: two workers at once cannot move it back either.
        is_ahead = self._is_ahead(value)
        if is_ahead:
            self._state.set(self._key, value)
            self.value = value
        return is_ahead

    async def aadvance(self, value: JsonValue) -> bool:
        """Do what ``advance`` does."""
        self.value = await self._state.aget(self._key, self._default)
        is_ahead = self._is_ahead(value)
        if is_ahead:
            await self._state.aset(self._key, value)
            self.value = value
        return is_ahead

    def _is_ahead(self, value: JsonValue) -> bool:
        return self.value is None or bool(value > self.value)


def watermark(state: StateAccessor, *, key: str = "watermark", default: JsonValue = None) -> Watermark:
    """Return up to where data was processed.

    One worker at a time advances it: of two at once, the slower may set it back to its own value.

    Args:
        key: Under which it is kept.
        default: What it is before it was ever advanced.
    """
    return Watermark(state, key, state.get(key, default), default)


async def awatermark(state: StateAccessor, *, key: str = "watermark", default: JsonValue = None) -> Watermark:
    """Do what :func:`watermark` does, to be advanced with ``aadvance``."""
    return Watermark(state, key, await state.aget(key, default), default)
