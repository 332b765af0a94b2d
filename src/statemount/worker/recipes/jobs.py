"""A job in another system that is submitted once, whatever happens to the worker that waits for it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from anyio import sleep as sleep_on_loop

from statemount.errors import PreconditionFailedError, WriteOutcomeUnknownError
from statemount.model import JsonValue
from statemount.worker.accessor import StateAccessor
from statemount.worker.recipes.submission import WAIT, Ask, Done, Look, Patience, Sleep, Step, Submit, Write, submission


def resumable_job(
    state: StateAccessor,
    submit: Callable[[str], JsonValue],
    *,
    find: Callable[[str], JsonValue] | None = None,
    key: str = "job_id",
    wait: float = WAIT,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> JsonValue:
    """Return the id of a job, which is submitted by the first worker and found again by all others.

    Several workers may call it at once for one key: one submits, and the others wait for the id.

    Args:
        submit: Submits the job and returns its id. It is given a label: name the job by it, or send it as the
            idempotency key, so that the job can be found by it. If it raises, what became of the job is in doubt.
        find: Asked for the job with a label when that is in doubt: returns its id, or None if it was never submitted,
            and will not be any more; then it is submitted, with the same label.
        key: Under which the id is kept.
        wait: Seconds for which a worker that finds the marker of another one gives it to save the id: longer than a
            submission takes. Only then is it taken for dead.
        clock: Tells seconds, from any beginning.
        sleep: Waits so many seconds.

    Raises:
        JobInDoubtError: The other worker has not saved an id by then, and there is no ``find``.
        JobTakenOverError: This worker was taken for dead while it submitted the job.
        ValueError: ``submit`` or ``find`` returned something that cannot be an id.
    """

    def perform(step: Step) -> object:
        match step:
            case Look():
                return state.get_entry(key)
            case Write(value, revision):
                return state.set(key, value, if_revision=revision)
            case Ask(label):
                return None if find is None else find(label)
            case Submit(label):
                return submit(label)
            case Sleep(seconds):
                sleep(seconds)
                return None

    script = submission(key, Patience(wait, clock), has_find=find is not None)
    step = next(script)
    while not isinstance(step, Done):
        try:
            result = perform(step)
        except (PreconditionFailedError, WriteOutcomeUnknownError) as error:
            if not isinstance(step, Write):
                raise
            step = script.throw(error)
        else:
            step = script.send(result)
    return step.job_id


async def aresumable_job(
    state: StateAccessor,
    submit: Callable[[str], Awaitable[JsonValue]],
    *,
    find: Callable[[str], Awaitable[JsonValue]] | None = None,
    key: str = "job_id",
    wait: float = WAIT,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = sleep_on_loop,
) -> JsonValue:
    """Do what :func:`resumable_job` does, awaited."""

    async def perform(step: Step) -> object:
        match step:
            case Look():
                return await state.aget_entry(key)
            case Write(value, revision):
                return await state.aset(key, value, if_revision=revision)
            case Ask(label):
                return None if find is None else await find(label)
            case Submit(label):
                return await submit(label)
            case Sleep(seconds):
                await sleep(seconds)
                return None

    script = submission(key, Patience(wait, clock), has_find=find is not None)
    step = next(script)
    while not isinstance(step, Done):
        try:
            result = await perform(step)
        except (PreconditionFailedError, WriteOutcomeUnknownError) as error:
            if not isinstance(step, Write):
                raise
            step = script.throw(error)
        else:
            step = script.send(result)
    return step.job_id
