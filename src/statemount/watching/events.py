"""What a watch is told: one event for each change, and two that are none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from statemount.model import Change, ChangeKind

EventKind: TypeAlias = Literal["ready", "reset"] | ChangeKind
"""``ready``: from here on. ``reset``: something is missing before it, so that the entries are to be listed again."""

_EVENT_BYTES = 600


class WatchEvent:
    """One thing that a watch is told. Everybody who watches is told it by the same object.

    Args:
        revision: Of the change; for an event that is none, that of the scope.
        change: None for ``ready`` and ``reset``.

    Attributes:
        text: What goes over the wire, once somebody has made it.
    """

    __slots__ = ("change", "kind", "revision", "text")

    def __init__(self, kind: EventKind, revision: int, change: Change | None = None) -> None:
        self.kind: EventKind = kind
        self.revision: int = revision
        self.change: Change | None = change
        self.text: bytes | None = None

    def __repr__(self) -> str:
        return f"WatchEvent({self.kind!r}, {self.revision}, {self.change!r})"

    @classmethod
    def of(cls, change: Change) -> WatchEvent:
        """Return the event of a change."""
        return cls(change.kind, change.revision, change)

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory."""
        change = self.change
        if change is None:
            return _EVENT_BYTES
        return _EVENT_BYTES + 2 * len(change.value or "") + 2 * len(change.key or "")

    @property
    def key(self) -> str | None:
        """The key that it concerns; None = all of them."""
        return None if self.change is None else self.change.key

    def concerns(self, key: str | None) -> bool:
        """Tell whether somebody wants to know who watches a key; None = who watches all of them."""
        return key is None or self.key is None or self.key == key


class SharedEvents(list[WatchEvent]):
    """Some events that several are told, who all are at the same place.

    Attributes:
        parts: What goes over the wire, once somebody has made it.
    """

    __slots__ = ("parts",)

    def __init__(self, events: Iterable[WatchEvent]) -> None:
        super().__init__(events)
        self.parts: Sequence[bytes] | None = None
