"""How a job is submitted once: the steps, one after the other, and who may take each. No I/O.

The key holds nothing, then a marker, then the job's id; each takes the place of the one before while that is there, and
not later. So one of several workers gets the marker and submits. If it dies meanwhile, it leaves a question that only
the other system can answer: was the job submitted?
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeAlias, Union
from uuid import uuid4

from statemount.client import StateValue
from statemount.errors import PreconditionFailedError, StateMountError
from statemount.model import JsonValue
from statemount.worker.recipes.doubts import Doubts

MARKER = "__statemount_submitting__"
"""The only key of an object that stands for a job that is being submitted."""

WAIT: float = 60.0
"""Seconds for which the marker of another worker is respected, unless set otherwise."""

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


class JobInDoubtError(StateMountError):
    """Another worker submits the job, or died while it did so: it may or may not run in the other system.

    Args:
        key: Under which the marker is.
        label: What ``submit`` was given.
    """

    def __init__(self, key: str, label: str) -> None:
        super().__init__(
            f"another worker submits the job of key {key!r}, or died while it did so, and the job may or may not run:"
            f" look for the label {label!r} in the system that runs it, or pass find, which does so"
        )
        self.key = key
        self.label = label


class JobTakenOverError(StateMountError):
    """The job was submitted here, and another worker was sure that it never would be: there may be a second one.

    Args:
        key: Under which the marker was.
        label: What ``submit`` was given, here and perhaps there.
        job_id: Of the job that was submitted here; it is not saved.
    """

    def __init__(self, key: str, label: str, job_id: JsonValue) -> None:
        super().__init__(
            f"job {job_id!r} was submitted with the label {label!r}, but its marker under key {key!r} was taken over or"
            " removed meanwhile: there may be a second job with this label"
        )
        self.key = key
        self.label = label
        self.job_id = job_id


class Look(NamedTuple):
    """Read the key."""


class Write(NamedTuple):
    """Write the key at a revision; 0 = if it is not there."""

    value: JsonValue
    revision: int


class Ask(NamedTuple):
    """Ask the other system for the job with a label."""

    label: str


class Submit(NamedTuple):
    """Submit the job with a label."""

    label: str


class Sleep(NamedTuple):
    """Wait."""

    seconds: float


class Done(NamedTuple):
    """There is nothing left to do."""

    job_id: JsonValue


Step: TypeAlias = Union[Look, Write, Ask, Submit, Sleep]


class Patience:
    """How long the marker of another worker is respected, from when it is first seen."""

    def __init__(self, wait: float, clock: Callable[[], float]) -> None:
        self._wait = wait
        self._clock = clock
        self._revision = 0
        self._until = 0.0
        self._next = 0.0

    def pause(self, revision: int) -> float:
        """Return the seconds after which to look again; 0 = it was long enough.

        Args:
            revision: Of the marker: whoever takes one over has as much time again.
        """
        now = self._clock()
        if revision != self._revision:
            self._revision, self._until, self._next = revision, now + self._wait, _FIRST_PAUSE
        pause = max(0.0, min(self._next, self._until - now))
        self._next = min(self._next * 1.5, _LONGEST_PAUSE)
        return pause


def submission(key: str, patience: Patience, *, has_find: bool) -> Generator[Step | Done, Any, None]:
    """Give the steps to the id of the job, which somebody else takes, up to :class:`Done`.

    Each step is sent its outcome. Of a :class:`Write`, a ``PreconditionFailedError`` and a ``WriteOutcomeUnknownError``
    are thrown in; any other error ends it.

    Raises:
        JobInDoubtError: Another worker has not saved an id in time, and nobody can be asked.
        JobTakenOverError: Another worker took the marker while this one submitted the job.
        ValueError: What is said to be the id of a job cannot be one.
    """
    label, revision = uuid4().hex, 0
    doubts = Doubts()
    asked = 0
    while not revision:
        seen: StateValue = yield Look()
        found = _label_in(seen.value)
        if seen.value is not None and found is None:
            yield Done(seen.value)
        try:
            if found is None:
                with doubts.settled():
                    revision = yield Write({MARKER: label}, 0)
                continue
            if found == label:  # ours, although it was not known whether it was written
                revision = seen.revision
                continue
            pause = patience.pause(seen.revision)
            if has_find and (pause == 0 or asked != seen.revision):
                asked = seen.revision
                job_id = yield Ask(found)
                if job_id is not None:
                    _check_id(job_id)
                    with doubts.settled():
                        yield Write(job_id, seen.revision)
                    yield Done(job_id)
            if pause > 0:
                yield Sleep(pause)
            elif has_find:
                revision = yield Write({MARKER: found}, seen.revision)
                label = found
            else:
                raise JobInDoubtError(key, found)
        except PreconditionFailedError:
            continue  # somebody else has written meanwhile
    job_id = yield Submit(label)
    _check_id(job_id)
    doubts = Doubts()
    while True:
        try:
            with doubts.settled():
                yield Write(job_id, revision)
            yield Done(job_id)
        except PreconditionFailedError as error:
            seen = yield Look()
            if seen.value == job_id:
                yield Done(job_id)
            if seen.revision != revision:
                raise JobTakenOverError(key, label, job_id) from error


def _label_in(stored: JsonValue) -> str | None:
    """Return the label of a marker; None if it is none."""
    if isinstance(stored, dict) and len(stored) == 1:
        label = stored.get(MARKER)
        return label if isinstance(label, str) else None
    return None


def _check_id(job_id: JsonValue) -> None:
    if job_id is None or _label_in(job_id) is not None:
        raise ValueError(f"the id of a job cannot be {job_id!r}; what became of the job is now in doubt")
