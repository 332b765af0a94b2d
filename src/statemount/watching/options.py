"""What a hub is told when it is made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How watches are served.

    Args:
        poll_seconds: From one question for the revisions of all watched scopes to the next.
        heartbeat_seconds: From one sign of life to the next; a reader may take as long for what is sent.
        max_watches: Most of them at once.
        max_watches_per_owner: Most of them at once that count for the same owner.
    """

    poll_seconds: float = 0.25
    heartbeat_seconds: float = 15.0
    max_watches: int = 10_000
    max_watches_per_owner: int = 1000
