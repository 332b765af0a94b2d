"""A job in another system that is submitted once, whatever happens to the worker that waits for it.

The key holds nothing, then a marker, then the job's id. A worker that dies while there is a marker leaves a question
that only the other system can answer: was the job submitted?
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import uuid4

from statemount.errors import StateMountError
from statemount.model import JsonValue
from statemount.worker.accessor import StateAccessor

MARKER = "__statemount_submitting__"
"""The only key of an object that stands for a job that is being submitted."""


class JobInDoubtError(StateMountError):
    """A worker died while it submitted the job: it may or may not run in the other system.

    Args:
        key: Under which the marker is.
        label: What ``submit`` was given.
    """

    def __init__(self, key: str, label: str) -> None:
        super().__init__(
            f"a job was being submitted under key {key!r} when its worker died, and may or may not run:"
            f" look for the label {label!r} in the system that runs it, or pass find, which does so"
        )
        self.key = key
        self.label = label


def resumable_job(
    state: StateAccessor,
    submit: Callable[[str], JsonValue],
    *,
    find: Callable[[str], JsonValue] | None = None,
    key: str = "job_id",
) -> JsonValue:
    """Return the id of a job, which is submitted by the first worker and found again by all that follow it.

    One worker at a time calls it for one key.

    Args:
        submit: Submits the job and returns its id. It is given a label: name the job by it, or send it as the
            idempotency key, so that the job can be found by it. If it raises, what became of the job is in doubt.
        find: Asked for the job with a label when that is in doubt: returns its id, or None if it was never submitted,
            and will not be any more; then it is submitted, with the same label.
        key: Under which the id is kept.

    Raises:
        JobInDoubtError: A worker died while it submitted the job, and there is no ``find``.
        ValueError: ``submit`` or ``find`` returned something that cannot be an id.
    """
    stored = state.get(key)
    label = _label_in(stored)
    if stored is not None and label is None:
        return stored
    job_id: JsonValue = None
    if label is None:
        label = uuid4().hex
        # With conditional writes this is a claim, which only one of several workers gets.
        state.set(key, {MARKER: label})
    elif find is None:
        raise JobInDoubtError(key, label)
    else:
        job_id = find(label)
    if job_id is None:
        job_id = submit(label)
    _check_id(job_id)
    state.set(key, job_id)
    return job_id


async def aresumable_job(
    state: StateAccessor,
    submit: Callable[[str], Awaitable[JsonValue]],
    *,
    find: Callable[[str], Awaitable[JsonValue]] | None = None,
    key: str = "job_id",
) -> JsonValue:
    """Do what :func:`resumable_job` does, awaited."""
    stored = await state.aget(key)
    label = _label_in(stored)
    if stored is not None and label is None:
        return stored
    job_id: JsonValue = None
    if label is None:
        label = uuid4().hex
        await state.aset(key, {MARKER: label})
    elif find is None:
        raise JobInDoubtError(key, label)
    else:
        job_id = await find(label)
    if job_id is None:
        job_id = await submit(label)
    _check_id(job_id)
    await state.aset(key, job_id)
    return job_id


def _label_in(stored: JsonValue) -> str | None:
    """Return the label of a marker; None if it is none."""
    if isinstance(stored, dict) and len(stored) == 1:
        label = stored.get(MARKER)
        return label if isinstance(label, str) else None
    return None


def _check_id(job_id: JsonValue) -> None:
    if job_id is None or _label_in(job_id) is not None:
        raise ValueError(f"the id of a job cannot be {job_id!r}; what became of the job is now in doubt")
