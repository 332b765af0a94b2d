"""How an entry was: what the log tells of it, and the entry that is stored now."""

from __future__ import annotations

from dataclasses import dataclass

from statemount.model import Change, Entry, Past, Timestamp
from statemount.store.apply import is_live


@dataclass(frozen=True, slots=True)
class Traces:
    """What is found of a key, at one moment. "Then" is the revision, or the time, that is asked for.

    Args:
        revision: The scope's.
        updated_at: Of its last change.
        trimmed: The newest revision that was removed from the log; 0 = none was.
        oldest_at: When the oldest line that is left was written; None = none is left.
        entry: The row that is stored now, which may be expired.
        line: The last line of the key, or of a clear, up to then.
        then_at: When the line was written whose revision is asked for; None = there is none, or a time is asked for.
        is_later: Whether there is a line of the key, or of a clear, from after then.
    """

    revision: int
    updated_at: Timestamp
    trimmed: int
    oldest_at: Timestamp | None
    entry: Entry | None
    line: Change | None
    then_at: Timestamp | None
    is_later: bool


def past_of(traces: Traces, key: str, *, revision: int | None, at: Timestamp | None) -> Past:
    """Return what a key had as of a revision, or as of a time."""
    then = _Then(traces, revision, at)
    entry, line = traces.entry, traces.line
    if entry is not None and then.has_seen(entry):  # it has not changed since
        return _of(entry, then)
    if line is None:
        is_untouched = entry is None and not traces.is_later and then.is_in_log
        return Past(None, traces.trimmed == 0 or is_untouched, traces.revision)
    if line.kind != "set":
        return Past(None, True, traces.revision)
    was = Entry(key, "" if line.value is None else line.value, line.at, line.revision, line.expires_at, line.writer)
    past = _of(was, then)
    return past if line.value is not None or past.entry is None else Past(None, False, traces.revision)


def _of(entry: Entry, then: _Then) -> Past:
    """Return an entry that was written last before then, unless it was expired."""
    revision = then.traces.revision
    if then.moment is not None:
        return Past(entry if is_live(entry, then.moment) else None, True, revision)
    was_live = is_live(entry, then.latest_moment)
    return Past(entry if was_live else None, was_live, revision)


@dataclass(frozen=True, slots=True)
class _Then:
    """What is asked for: exactly one of a revision and a time."""

    traces: Traces
    revision: int | None
    at: Timestamp | None

    def has_seen(self, entry: Entry) -> bool:
        """Tell whether an entry had been written by then."""
        if self.revision is not None:
            return type(entry.revision) is int and entry.revision <= self.revision  # else somebody else wrote it
        return self.at is not None and entry.updated_at <= self.at

    @property
    def moment(self) -> Timestamp | None:
        """The time of it; None = it is not known, for the line with this revision is gone."""
        if self.revision is None:
            return self.at
        if self.revision >= self.traces.revision:
            return self.traces.updated_at
        return self.traces.then_at

    @property
    def latest_moment(self) -> Timestamp:
        """A time before which it was: that of the oldest line that is left, or of the last change of all."""
        oldest_at = self.traces.oldest_at
        return self.traces.updated_at if oldest_at is None else oldest_at

    @property
    def is_in_log(self) -> bool:
        """Whether every line from after it is left."""
        traces = self.traces
        if self.revision is not None:
            return self.revision >= traces.trimmed
        if self.at is None or self.at >= traces.updated_at:
            return True
        return traces.oldest_at is not None and traces.oldest_at <= self.at
