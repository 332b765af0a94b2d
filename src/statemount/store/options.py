"""What a store is told when it is made: limits of a scope, and what the log keeps."""

from __future__ import annotations

from dataclasses import dataclass

from statemount.model import AssetScope, Scope

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Limits and the log's policy, the same for every store.

    Args:
        max_entries: Most entries in one scope.
        max_bytes: Most bytes of stored text in one scope.
        log_values: Whose values the log keeps: ``assets``, ``all`` or ``none``. Key, operation, revision, writer and
            time are always kept.
        max_logged_value_bytes: Longest value that the log keeps.
        max_changes: So many of a scope's newest changes the log keeps, and up to a tenth and ten more; 0 = all.
        tombstone_seconds: How long writes to a dropped run are refused: as long as a cache may still know it.
    """

    max_entries: int = 10_000
    max_bytes: int = 64 * MEBIBYTE
    log_values: str = "assets"
    max_logged_value_bytes: int = 8192
    max_changes: int = 1000
    tombstone_seconds: int = 60

    def logs_values_of(self, scope: Scope) -> bool:
        """Tell whether the log keeps the values written to this scope."""
        return self.log_values == "all" or (self.log_values == "assets" and isinstance(scope, AssetScope))
