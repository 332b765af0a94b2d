"""Clients that write without pause, and remember what they sent and what they were told."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tests.processes.workers import Answer, Connection, Target, asset, task

Kind = Literal["set", "delete", "clear"]
Outcome = Literal["done", "not done", "unknown"]

OWN_MAP_INDICES = (0, 1)
STABLE_ASSETS = tuple(f"stable-{number}" for number in range(4))
CONTENDED_ASSETS = tuple(f"contended-{number}" for number in range(4))
CONTENDED_TASK = "contended"
KEYS = ("a", "b", "c/d", "\N{LATIN SMALL LETTER E WITH ACUTE}")

_QUOTES = 2  # of a string in JSON


@dataclass(frozen=True)
class Write:
    """A write that was sent.

    Args:
        key: None for a clear.
        size: Of the stored text; with scope and key it tells every set from every other. 0 for what is no set.
        began: When it was sent, and when it ended: places in one order of all such moments.
        answer: None if there was none.
    """

    name: str
    map_index: int | None
    kind: Kind
    key: str | None
    size: int
    began: int
    ended: int
    answer: Answer | None

    @property
    def outcome(self) -> Outcome:
        """What its client knows of it."""
        if self.answer is None:
            return "unknown"
        if self.answer.status == 204:
            return "done"
        assert self.answer.status == 503, self.answer
        assert int(self.answer.headers[b"retry-after"]) >= 1
        return "unknown" if b"write_outcome_unknown" in self.answer.body else "not done"


@dataclass
class Journal:
    """All writes of a test, in the order in which they ended."""

    writes: list[Write] = field(default_factory=list)
    _moments: itertools.count[int] = field(default_factory=itertools.count)
    _sets: Counter[tuple[str, int | None, str]] = field(default_factory=Counter)

    def moment(self) -> int:
        """Return the next moment."""
        return next(self._moments)

    def new_value(self, target: Target, key: str) -> str:
        """Return a value that no other set of this key has; nor has any its size."""
        self._sets[target.name, target.map_index, key] += 1
        number = self._sets[target.name, target.map_index, key]
        return f"{number:06}".ljust(number + 6, ".")

    def of(self, name: str, map_index: int | None) -> list[Write]:
        """Return the writes of one scope."""
        return [write for write in self.writes if (write.name, write.map_index) == (name, map_index)]

    def has(self, count: int) -> bool:
        """Tell whether there are so many writes."""
        return len(self.writes) >= count

    def has_done(self, count: int) -> bool:
        """Tell whether so many writes are done."""
        return self.outcomes["done"] >= count

    @property
    def outcomes(self) -> Counter[Outcome]:
        """How many writes came to what."""
        return Counter(write.outcome for write in self.writes)


class Client:
    """Sends one write after the other, each over any of its connections.

    Args:
        name: Of its task.
        ports: Of the servers.
        seed: Of its decisions.
    """

    def __init__(self, name: str, journal: Journal, ports: Sequence[int], seed: object) -> None:
        self.name = name
        self.random = random.Random(str(seed))
        self._journal = journal
        self._connections = [Connection(port) for port in ports]
        self._known: dict[tuple[Target, str], str | None] = {}

    async def run(self, turn: Callable[[Client], Awaitable[None]], goes_on: Callable[[], bool]) -> None:
        """Take turns while a condition holds, and until a connection is lost."""
        try:
            while goes_on():
                await turn(self)
        except ConnectionError:
            return
        finally:
            for connection in self._connections:
                connection.close()

    @property
    def _connection(self) -> Connection:
        return self.random.choice(self._connections)

    async def set(self, target: Target, key: str) -> None:
        """Set a key."""
        value = self._journal.new_value(target, key)
        self._known.pop((target, key), None)
        if await self._send(self._connection.put(target, key, value), [target], "set", key, len(value) + _QUOTES):
            self._known[target, key] = value

    async def delete(self, target: Target, key: str) -> None:
        """Remove a key."""
        self._known.pop((target, key), None)
        if await self._send(self._connection.delete(target, key), [target], "delete", key):
            self._known[target, key] = None

    async def clear(self, target: Target, *siblings: Target) -> None:
        """Remove every key; with siblings, those of every map index of the task."""
        targets = [target, *siblings]
        for each, key in itertools.product(targets, KEYS):
            self._known.pop((each, key), None)
        sending = self._connection.clear(target, all_map_indices=bool(siblings))
        if await self._send(sending, targets, "clear", None):
            self._known.update(dict.fromkeys(itertools.product(targets, KEYS)))

    async def _send(
        self, sending: Awaitable[Answer], targets: Sequence[Target], kind: Kind, key: str | None, size: int = 0
    ) -> bool:
        began = self._journal.moment()
        answer = None
        try:
            answer = await sending
        finally:
            ended = self._journal.moment()
            writes = [Write(t.name, t.map_index, kind, key, size, began, ended, answer) for t in targets]
            self._journal.writes += writes
        return writes[0].outcome == "done"

    async def check(self, target: Target, key: str) -> None:
        """Read a key that nobody else writes: it must be as it was last written, through whichever server."""
        if (target, key) in self._known:
            value = self._known[target, key]
            answer = await self._connection.get(target, key)
            if answer.status != 503:
                assert (answer.status, None if value is None else answer.value) == (
                    404 if value is None else 200,
                    value,
                )


async def write_own_task(client: Client) -> None:
    """Write to a task that belongs to this client alone, with two map indices."""
    targets = [task(client.name, map_index) for map_index in OWN_MAP_INDICES]
    target, key, chance = client.random.choice(targets), client.random.choice(KEYS), client.random.random()
    if chance < 0.70:
        await client.set(target, key)
    elif chance < 0.92:
        await client.delete(target, key)
    elif chance < 0.97:
        await client.clear(target)
    else:
        await client.clear(*targets)
    if client.random.random() < 0.1:
        await client.check(target, key)


async def write_own_keys(client: Client) -> None:
    """Write to a key that belongs to this client alone, in an asset that all clients write."""
    target = asset(client.random.choice(STABLE_ASSETS), client.name)
    key = f"{client.name}/{client.random.choice(KEYS)}"
    if client.random.random() < 0.75:
        await client.set(target, key)
    else:
        await client.delete(target, key)
    if client.random.random() < 0.1:
        await client.check(target, key)


async def write_contended(client: Client) -> None:
    """Write to a key that all clients write, or clear what they wrote."""
    targets = [task(CONTENDED_TASK), *(asset(name, client.name) for name in CONTENDED_ASSETS)]
    target, key, chance = client.random.choice(targets), client.random.choice(KEYS), client.random.random()
    if chance < 0.70:
        await client.set(target, key)
    elif chance < 0.95:
        await client.delete(target, key)
    else:
        await client.clear(target)


def client_names(count: int) -> list[str]:
    """Return the names of so many clients."""
    return [f"client-{number}" for number in range(count)]


async def write_all(
    journal: Journal, ports: Sequence[int], goes_on: Callable[[], bool], *, clients: int, seed: object = 0
) -> None:
    """Let clients write at once, each with three requests in flight, while a condition holds.

    A client stops when it loses a connection.
    """
    turns = (write_own_task, write_own_keys, write_contended)
    await asyncio.gather(
        *(
            Client(name, journal, ports, (seed, name, number)).run(turn, goes_on)
            for name in client_names(clients)
            for number, turn in enumerate(turns)
        )
    )
