"""Whether the log of a database is what clients were told."""

from __future__ import annotations

from collections.abc import Sequence

from tests.processes.load import (
    CONTENDED_ASSETS,
    CONTENDED_TASK,
    OWN_MAP_INDICES,
    STABLE_ASSETS,
    Journal,
    Kind,
    Write,
    client_names,
)
from tests.processes.serving import Process
from tests.processes.tables import Scope

_Line = tuple[str, "str | None", int]
"""Kind, key and size of a write or of a change."""


def check_outcomes(journal: Journal, processes: Sequence[Process]) -> None:
    """Check that all writes were done and no server complains, where nothing has failed.

    But a write may wait for a lock for too long, and is not done then: another server holds it while its COMMIT waits
    for the disk, which stands still for seconds where much else is written. At most one in a hundred may meet that.
    """
    complaints = [line for process in processes for line in process.complaints]
    assert [line for line in complaints if "LockedError" not in line] == []
    outcomes = journal.outcomes
    assert outcomes["unknown"] == 0
    assert outcomes["not done"] <= min(len(complaints), len(journal.writes) // 100), complaints[:10]


def check_log(journal: Journal, scopes: dict[tuple[str, int | None], Scope], *, clients: int) -> None:
    """Check that nothing that was acknowledged is lost, and nothing is there that nobody asked for."""
    own = {(name, map_index) for name in client_names(clients) for map_index in OWN_MAP_INDICES}
    stable = {(name, None) for name in STABLE_ASSETS}
    contended = {(CONTENDED_TASK, -1), *((name, None) for name in CONTENDED_ASSETS)}
    assert set(scopes) <= own | stable | contended
    for place in own | stable | contended:
        writes = journal.of(*place)
        if place not in scopes:
            assert not any(write.kind == "set" and write.outcome == "done" for write in writes), place
            continue
        scope = scopes[place]
        _check_sets(scope, writes)
        if place in own:
            _check_sequence(scope, writes)
        elif place in stable:
            for key in {write.key for write in writes}:
                _check_sequence(scope, [write for write in writes if write.key == key], key)
        else:
            _check_count(scope, writes, "delete")
            _check_count(scope, writes, "clear")


def _check_sets(scope: Scope, writes: Sequence[Write]) -> None:
    """Check that each set is in the log once, no other is, and none stands before one that ended before it began."""
    lines = [(_key(change.key), change.size) for change in scope.changes if change.kind == "set"]
    sets = {(write.key, write.size): write for write in writes if write.kind == "set"}
    assert len(set(lines)) == len(lines), f"{scope.name}: a set is in the log twice"
    assert {line for line in lines if sets[line].outcome == "not done"} == set(), scope.name
    assert {line for line, write in sets.items() if write.outcome == "done"} <= set(lines), scope.name
    oldest_end_after = float("inf")
    for line in reversed(lines):
        assert sets[line].began < oldest_end_after, f"{scope.name}: {line} stands before what was done before it"
        oldest_end_after = min(oldest_end_after, sets[line].ended)


def _check_sequence(scope: Scope, writes: Sequence[Write], key: str | None = None) -> None:
    """Check that the log is what writes must leave that were made one after the other.

    Args:
        key: Look at this key alone.
    """
    logged = [(change.kind, _key(change.key), change.size) for change in scope.changes]
    lines = iter([line for line in logged if key is None or line[1] == key])
    line: _Line | None = next(lines, None)
    live: set[str | None] = set()
    for write in writes:
        changes = bool(live) if write.kind == "clear" else write.kind == "set" or write.key in live
        is_next = line == (write.kind, write.key, write.size)
        if write.outcome == "done" and changes:
            assert is_next, f"{scope.name}: {write} should come next, not {line}"
        if not changes or not is_next or write.outcome == "not done":
            continue
        line = next(lines, None)
        if write.kind == "set":
            live.add(write.key)
        elif write.kind == "delete":
            live.remove(write.key)
        else:
            live.clear()
    assert line is None, f"{scope.name}: nobody asked for {line}"


def _check_count(scope: Scope, writes: Sequence[Write], kind: Kind) -> None:
    """Check that the log has no more changes of a kind than were asked for."""
    asked = sum(write.kind == kind and write.outcome != "not done" for write in writes)
    assert sum(change.kind == kind for change in scope.changes) <= asked, scope.name


def _key(key: bytes | None) -> str | None:
    return None if key is None else key.decode()
