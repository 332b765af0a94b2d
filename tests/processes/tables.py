"""The tables as they are, and what must always hold of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from statemount.database.connections import Connections
from statemount.database.query import Query, Script
from statemount.database.rows import ChangeRow, EntryRow
from statemount.database.schema import TableNames
from statemount.database.url import DatabaseUrl

_TABLES = TableNames()


class Written(NamedTuple):
    """What a replay knows of an entry."""

    revision: int
    size: int


@dataclass(frozen=True)
class Scope:
    """One scope with everything in it.

    Args:
        changes: Its log, oldest first.
    """

    id: int
    name: str
    map_index: int | None
    revision: int
    counted_entries: int
    counted_size: int
    entries: dict[str, EntryRow]
    changes: list[ChangeRow]

    def check(self) -> None:
        """Check that the log leads to the entries by steps of one, and that the counters are right."""
        live: dict[str, Written] = {}
        revisions = [change.revision for change in self.changes]
        if revisions:
            assert revisions == list(range(revisions[0], self.revision + 1)), self.name
        for change in self.changes:
            key = "" if change.key is None else change.key.decode()
            if change.kind == "set":
                live[key] = Written(change.revision, change.size)
            elif change.kind == "clear":
                assert live, f"{self.name}: a clear of nothing is in the log"
                live.clear()
            else:
                assert live.pop(key, None), f"{self.name}: {change} removes what is not there"
        stored = {key: Written(entry.revision, len(entry.value)) for key, entry in self.entries.items()}
        assert stored == live, self.name
        assert (self.counted_entries, self.counted_size) == (len(stored), sum(one.size for one in stored.values()))


async def read_scopes(url: str) -> dict[tuple[str, int | None], Scope]:
    """Return every scope by its task's or asset's name and its map index, checked."""
    connections = Connections(DatabaseUrl(url))
    await connections.open()
    try:
        scope_rows, entry_rows, change_rows, asset_rows = await connections.read(_read_everything)
    finally:
        await connections.close()
    names = {row[0]: row[1] for row in asset_rows}
    entries: dict[int, dict[str, EntryRow]] = defaultdict(dict)
    for row in entry_rows:
        entries[row[0]][bytes(row[1]).decode()] = EntryRow(*row[:7])
    changes: dict[int, list[ChangeRow]] = defaultdict(list)
    for row in change_rows:
        changes[row[0]].append(ChangeRow(*row[:9]))
    scopes = {}
    for scope_id, task_id, map_index, asset_id, revision, counted, size in scope_rows:
        name = names[asset_id] if task_id is None else task_id
        log = sorted(changes.pop(scope_id, []), key=lambda change: change.revision)
        scope = Scope(scope_id, name, map_index, revision, counted, size, entries.pop(scope_id, {}), log)
        scope.check()
        scopes[name, map_index] = scope
    assert (changes, entries) == ({}, {}), "there are rows of scopes that do not exist"
    return scopes


def _read_everything() -> Script[Sequence[Sequence[Sequence[Any]]]]:
    scopes = yield Query(f"SELECT id, task_id, map_index, asset_id, revision, entries, size FROM {_TABLES.scope}")
    entries = yield Query(f"SELECT * FROM {_TABLES.entry}")
    changes = yield Query(f"SELECT * FROM {_TABLES.change}")
    assets = yield Query(f"SELECT id, name FROM {_TABLES.asset}")
    return scopes, entries, changes, assets
