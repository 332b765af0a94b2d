"""Clients that write and read in a steady pace while something goes wrong, with the time that each answer took."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from typing_extensions import override

from tests.processes.load import Client, Journal, client_names, write_contended, write_own_keys, write_own_task
from tests.processes.workers import Answer, Connection, Target, task

PROBE = task("probe")
"""What is written beside the journal, without being counted."""

CLIENTS = 3
_PAUSE = 0.01
_PAUSE_AFTER_REFUSAL = 0.05

Result = Literal["done", "not done", "unknown"]


@dataclass(frozen=True)
class Timed:
    """An answer, and when it was asked for and came, in seconds of one clock.

    Args:
        write: Its place in the journal; None = it is not there.
        is_read: Whether nothing was to be written.
    """

    began: float
    ended: float
    result: Result
    write: int | None = None
    is_read: bool = False

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


@dataclass
class Answers:
    """All answers of a trial."""

    journal: Journal = field(default_factory=Journal)
    timed: list[Timed] = field(default_factory=list)

    def since(self, moment: float) -> Sequence[Timed]:
        """Return those that were asked for at a moment or later, or were awaited then."""
        return [one for one in self.timed if one.ended >= moment]

    async def ask(self, asking: Awaitable[Answer], *, is_read: bool = False) -> Answer:
        """Wait for an answer that is not in the journal."""
        began = time.monotonic()
        answer = await asking
        result: Result = "done"
        if answer.status == 503:
            assert int(answer.headers[b"retry-after"]) >= 1
            result = "unknown" if answer.may_be_written else "not done"
        self.timed.append(Timed(began, time.monotonic(), result, is_read=is_read))
        return answer


class _TimedClient(Client):
    def __init__(self, answers: Answers, name: str, ports: Sequence[int], seed: object) -> None:
        super().__init__(name, answers.journal, ports, seed)
        self._answers = answers

    @override
    async def _send(
        self,
        sending: Awaitable[Answer],
        targets: Sequence[Target],
        kind: Literal["set", "delete", "clear"],
        key: str | None,
        size: int = 0,
    ) -> bool:
        began = time.monotonic()
        is_done = await super()._send(sending, targets, kind, key, size)
        place = len(self._answers.journal.writes) - len(targets)
        outcome = self._answers.journal.writes[place].outcome
        self._answers.timed.append(Timed(began, time.monotonic(), outcome, place))
        await asyncio.sleep(_PAUSE if is_done else _PAUSE_AFTER_REFUSAL)
        return is_done


async def work(answers: Answers, port: int, goes_on: Callable[[], bool], seed: object = 0) -> None:
    """Write and read while a condition holds, with ten requests in flight at most."""
    turns = (write_own_task, write_own_keys, write_contended)
    await asyncio.gather(
        _probe(answers, port, goes_on),
        *(
            _TimedClient(answers, name, [port], (seed, name, number)).run(turn, goes_on)
            for name in client_names(CLIENTS)
            for number, turn in enumerate(turns)
        ),
    )


async def _probe(answers: Answers, port: int, goes_on: Callable[[], bool]) -> None:
    """Write and read a key in turn. What is read is no older than what was acknowledged last."""
    connection = Connection(port)
    acknowledged = 0
    for number in itertools.count(1):
        if not goes_on():
            break
        answer = await answers.ask(connection.put(PROBE, "probe", number))
        if answer.status == 204:
            acknowledged = number
        await asyncio.sleep(_PAUSE if answer.status == 204 else _PAUSE_AFTER_REFUSAL)
        answer = await answers.ask(connection.get(PROBE, "probe"), is_read=True)
        if answer.status == 200:
            assert acknowledged <= answer.value <= number
        else:
            assert answer.status == 503 or not acknowledged
        await asyncio.sleep(_PAUSE)
    connection.close()
