"""Clients that use the app while its database is disturbed, and what they remember of it."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta, timezone

from typing_extensions import override

from tests.clusters.tallies import Counted, Hold
from tests.processes.linearizability import Race, Racer
from tests.processes.load import (
    Client,
    Journal,
    Kind,
    client_names,
    write_contended,
    write_own_keys,
    write_own_task,
)
from tests.processes.workers import Answer, Connection, Target, asset, task

WRITERS = 4
COUNTERS = ("atomic", "compared")
COUNTED = "counted"
CLAIMED = "claimed"

_LOCK = "lock"
_RACERS = 4
_CLAIMANTS = 4
_COUNTING = 3
_PAUSE = 0.02  # seconds between two requests of a client
_LONG_PAUSE = 0.2  # where it was refused
_PULSE = 0.05


class Stale:
    """How often a client read what it had overwritten, and how often it read its own."""

    def __init__(self) -> None:
        self.reads = 0
        self.examples: list[str] = []


class Writer(Client):
    """Writes, and rests between two writes; what it reads of its own is noted if it is not what it wrote last."""

    stale: Stale

    @override
    async def _send(
        self, sending: Awaitable[Answer], targets: Sequence[Target], kind: Kind, key: str | None, size: int = 0
    ) -> bool:
        is_done = await super()._send(sending, targets, kind, key, size)
        await asyncio.sleep(_PAUSE if is_done else _LONG_PAUSE)
        return is_done

    @override
    async def check(self, target: Target, key: str) -> None:
        self.stale.reads += 1
        try:
            await super().check(target, key)
        except AssertionError as error:
            self.stale.examples.append(f"{target.name}, {key}: {error}")


class Claims:
    """What clients were told of one claim."""

    def __init__(self) -> None:
        self.holds: list[Hold] = []
        self.refused = 0
        self.unknown = 0
        self._moments = itertools.count()

    def moment(self) -> int:
        """Return the next moment."""
        return next(self._moments)


class Pulse:
    """When a server took a write, and when it answered a read, asked all the time.

    Attributes:
        writes: The moments, in seconds.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.target = task(f"pulse-{port}")
        self.writes: list[float] = []
        self.reads: list[float] = []

    def beats_since(self, moment: float) -> bool:
        """Tell whether it has taken a write that was sent after a moment."""
        return bool(self.writes) and self.writes[-1] > moment


class Load:
    """All clients together, through some servers.

    Args:
        ports: Of the servers.
        seed: Of what the clients do.
    """

    def __init__(self, ports: Sequence[int], seed: object) -> None:
        self.journal = Journal()
        self.stale = Stale()
        self.counted: dict[str, Counted] = defaultdict(Counted)
        self.claims = Claims()
        self.races: list[Race] = []
        self.pulses: list[Pulse] = []
        self._ports = ports
        self._seed = seed
        self._goes_on = False
        self._running: asyncio.Future[list[None]] | None = None

    def start(self) -> None:
        """Let them begin; races and pulses anew."""
        number = len(self.races)
        race = Race()
        self.races.append(race)
        self.pulses = [Pulse(port) for port in self._ports]
        self._goes_on = True
        seed = f"{self._seed} {number}"
        clients: list[Awaitable[None]] = [*map(self._beat, self.pulses), *map(self._look, self.pulses)]
        clients += [
            self._writer(name, f"{seed} {name} {turn.__name__}").run(turn, self._is_on)
            for name in client_names(WRITERS)
            for turn in (write_own_task, write_own_keys, write_contended)
        ]
        clients += [
            Racer(race, f"racer-{one}", self._ports, seed, place=f"race-{number}", rest=_PAUSE).run(self._is_on)
            for one in range(_RACERS)
        ]
        clients += [self._claim(f"{number}/{one}", random.Random(f"{seed} {one}")) for one in range(_CLAIMANTS)]
        for one in range(_COUNTING):
            clients += [self._increment(one), self._compare_and_set(random.Random(f"{seed} {one}"))]
        self._running = asyncio.gather(*clients)

    async def stop(self) -> None:
        """Let them end what they are at."""
        assert self._running is not None
        self._goes_on = False
        await self._running

    def check_alive(self) -> None:
        """Raise what a client raised."""
        if self._running is not None and self._running.done():
            self._running.result()

    def _is_on(self) -> bool:
        return self._goes_on

    def _writer(self, name: str, seed: object) -> Writer:
        writer = Writer(name, self.journal, self._ports, seed)
        writer.stale = self.stale
        return writer

    async def _beat(self, pulse: Pulse) -> None:
        connection = Connection(pulse.port)
        while self._goes_on:
            began = time.monotonic()
            if (await connection.put(pulse.target, "key", 1)).status == 204:
                pulse.writes.append(began)
            await asyncio.sleep(_PULSE)
        connection.close()

    async def _look(self, pulse: Pulse) -> None:
        connection = Connection(pulse.port)
        while self._goes_on:
            began = time.monotonic()
            if (await connection.get(pulse.target, "key")).status in (200, 404):
                pulse.reads.append(began)
            await asyncio.sleep(_PULSE)
        connection.close()

    async def _increment(self, number: int) -> None:
        connection, target = Connection(self._ports[number % len(self._ports)]), asset(COUNTED, "worker")
        counted = self.counted["atomic"]
        while self._goes_on:
            answer = await connection.batch(target, {"op": "increment", "key": "atomic"})
            if answer.status == 200:
                counted.sums.append(json.loads(answer.body)["results"][0]["value"])
            counted.unknown += answer.may_be_written
            await _rest(answer)
        connection.close()

    async def _compare_and_set(self, chances: random.Random) -> None:
        connections, target = [Connection(port) for port in self._ports], asset(COUNTED, "worker")
        counted = self.counted["compared"]
        while self._goes_on:
            read = await chances.choice(connections).get(target, "compared")
            if read.status not in (200, 404):
                await _rest(read)
                continue
            value = read.value + 1 if read.status == 200 else 1
            condition = {"If-Match": read.headers[b"etag"].decode()} if read.status == 200 else {"If-None-Match": "*"}
            answer = await chances.choice(connections).put(target, "compared", value, headers=condition)
            if answer.status == 204:
                counted.sums.append(value)
            counted.unknown += answer.may_be_written
            await asyncio.sleep(chances.random() * _PAUSE)
            await _rest(answer)
        for connection in connections:
            connection.close()

    async def _claim(self, name: str, chances: random.Random) -> None:
        connections, target = [Connection(port) for port in self._ports], task(CLAIMED)
        claims, number = self.claims, 0
        while self._goes_on:
            number += 1
            connection, value = chances.choice(connections), f"{name}/{number}"
            end = datetime.now(timezone.utc) + timedelta(hours=1)
            answer = await connection.put(target, _LOCK, value, expires_at=end, headers={"If-None-Match": "*"})
            token = _revision(answer) if answer.status == 204 else None
            if answer.status != 204:
                claims.unknown += answer.may_be_written
                claims.refused += answer.status == 412
                token = await self._left_over(chances.choice(connections), target, name)
            if token is not None:
                if answer.status == 204:
                    began = claims.moment()
                    await asyncio.sleep(chances.random() * _PAUSE)
                    claims.holds.append(Hold(token, began, claims.moment()))
                await chances.choice(connections).delete(target, _LOCK, headers={"If-Match": f'"{token}"'})
            await _rest(answer)
        for connection in connections:
            connection.close()

    async def _left_over(self, connection: Connection, target: Target, name: str) -> int | None:
        """Return the token of a claim that this client has got, or not given back, without knowing it."""
        found = await connection.get(target, _LOCK)
        is_mine = found.status == 200 and found.value.startswith(f"{name}/")
        return _revision(found) if is_mine else None


async def _rest(answer: Answer) -> None:
    assert answer.status in (200, 204, 404, 412, 503), answer
    await asyncio.sleep(_LONG_PAUSE if answer.status == 503 else _PAUSE)


def _revision(answer: Answer) -> int:
    return int(answer.headers[b"etag"].strip(b'"'))
