"""How long a scope's log becomes: whoever writes to it removes its oldest lines where there are too many.

That would cost every write a statement. So it is done where a revision is a multiple of some number: a log has up to a
tenth, and ten, more lines than are wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from statemount.database.query import Script
from statemount.database.rows import ChangeRow
from statemount.database.statements.base import StoreStatements

_MOST_AT_ONCE = 10_000
"""So many lines of a log go in one transaction at most. Where more are too many, for all were wanted so far, the rest
goes the next times.
"""


def surplus(revisions: Iterable[int], most: int) -> int:
    """Return up to which revision a log is to be trimmed that has lines with these revisions now; 0 = it is not.

    Args:
        most: So many lines are wanted; 0 = all.
    """
    if not most:
        return 0
    step = _step(most)
    return max((revision - most for revision in revisions if revision % step == 0), default=0)


def _step(most: int) -> int:
    """Return of what a revision is a multiple at which a log is trimmed."""
    return most // 10 + 10


def trim_surplus(statements: StoreStatements, lines: Sequence[ChangeRow], most: int) -> Script[None]:
    """Trim the logs that have these lines now, if they are to be trimmed. Their scopes are locked."""
    if not most:
        return
    step = _step(most)
    # Of one scope they are in their order: the last one counts.
    ends = {line.scope_id: line.revision - most for line in lines if line.revision % step == 0}
    if not ends:
        return
    oldest = yield statements.oldest_changes(list(ends))
    found = [(scope_id, min(ends[scope_id], first + _MOST_AT_ONCE - 1), first) for scope_id, first in oldest]
    yield from remove_lines(statements, [(scope_id, end) for scope_id, end, first in found if first <= end])


def remove_lines(statements: StoreStatements, ends: Sequence[tuple[int, int]]) -> Script[None]:
    """Remove the lines of scopes, which are locked, up to a revision each, and note that they are gone."""
    if ends:
        yield statements.remove_changes(ends)
        yield statements.note_trimmed(ends)
