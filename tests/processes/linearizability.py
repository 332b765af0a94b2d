"""Clients that use the same keys at once, through two servers that are disturbed; and whether all can have happened.

``python -m tests.processes.linearizability --minutes 10`` does so for longer than CI has time for, on every database
that ``STATEMOUNT_TEST_DATABASE_URLS`` names. It ends with 1 if something cannot have happened, and says what.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from statemount.database.migrations import upgrade
from tests.databases import NAMES, requested_urls, run_apart, server_of
from tests.processes.outsiders import outsider
from tests.processes.serving import Process, serving
from tests.processes.workers import Answer, Connection, Target, asset, task
from tests.registers import ABSENT, Call, NotLinearizableError, check_register
from tests.registers import Answer as Told

CLIENTS = 8
KEYS = ("a", "b", "c")
_REST = 0.002  # seconds that a client waits where a server is away


class Race:
    """What all clients did.

    Attributes:
        calls: By the name of the task or the asset, and the key.
    """

    def __init__(self) -> None:
        self.calls: dict[tuple[str, str], list[Call]] = defaultdict(list)
        self._moments = itertools.count()

    def moment(self) -> int:
        """Return the next moment."""
        return next(self._moments)

    @property
    def statuses(self) -> Counter[str]:
        """How many calls ended how."""
        return Counter(
            "unknown" if call.answer is None else call.answer.status for calls in self.calls.values() for call in calls
        )

    def check(self) -> None:
        """Check the calls of each key by themselves.

        Raises:
            NotLinearizableError: Those of one key cannot have happened.
        """
        for calls in self.calls.values():
            check_register(calls)


class Racer:
    """Makes one call after the other, each through any of the servers.

    Args:
        ports: Of the servers.
        seed: Of its decisions.
        place: The task and the asset whose keys it uses.
        rest: Seconds between two calls.
    """

    def __init__(
        self,
        race: Race,
        name: str,
        ports: Sequence[int],
        seed: object,
        *,
        place: str = "race",
        rest: float = 0.0,
    ) -> None:
        self._race = race
        self._name = name
        self._random = random.Random(f"{seed} {name}")
        self._connections = [Connection(port) for port in ports]
        self._targets = [task(place), asset(place, name)]
        self._rest = rest
        self._values = itertools.count()
        self._seen: dict[tuple[Target, str], int] = defaultdict(lambda: ABSENT)

    async def run(self, goes_on: Callable[[], bool]) -> None:
        """Go on as long as a condition holds."""
        try:
            while goes_on():
                await self._turn()
                await asyncio.sleep(self._rest)
        finally:
            for connection in self._connections:
                connection.close()

    async def _turn(self) -> None:
        target, key, chance = self._random.choice(self._targets), self._random.choice(KEYS), self._random.random()
        connection = self._random.choice(self._connections)
        if chance < 0.4:
            await self._call(Call("get", 0, 0), target, key, connection.get(target, key))
            return
        expects = self._seen[target, key] if self._random.random() < 0.5 else None
        headers = {} if expects is None else {"If-Match": f'"{expects}"'}
        if chance < 0.85:
            headers = {"If-None-Match": "*"} if expects == ABSENT else headers
            value = f"{self._name} {next(self._values)}"
            sending = connection.put(target, key, value, headers=headers)
            await self._call(Call("set", 0, 0, value, expects), target, key, sending)
        elif expects != ABSENT:
            await self._call(
                Call("delete", 0, 0, None, expects), target, key, connection.delete(target, key, headers=headers)
            )

    async def _call(self, call: Call, target: Target, key: str, sending: Awaitable[Answer]) -> None:
        began = self._race.moment()
        told: Told | None = None
        try:
            answer = await sending
        except ConnectionRefusedError:  # nothing was sent
            await asyncio.sleep(_REST)
            return
        except ConnectionError:
            is_known = False
        else:
            told = _told(call, answer)
            is_known = told is not None
            if told is None and not answer.may_be_written:
                return
        if not is_known and call.kind == "get":
            return
        ended = self._race.moment()
        done = Call(call.kind, began, ended, call.value, call.expects, told)
        self._race.calls["task" if target.map_index is not None else "asset", key].append(done)
        if told is not None:
            self._seen[target, key] = told.revision or ABSENT


def _told(call: Call, answer: Answer) -> Told | None:
    """Return what an answer says; None = it cannot be done now, or nobody knows whether it was."""
    if answer.status == 503:
        return None
    etag = answer.headers.get(b"etag")
    revision = None if etag is None else int(etag.strip(b'"'))
    if call.kind == "get":
        assert answer.status in (200, 404), answer
        return Told("found", revision, answer.value) if answer.status == 200 else Told("missing")
    assert answer.status in (204, 412), answer
    return Told("done" if answer.status == 204 else "refused", revision)


async def race(url: str, directory: Path, *, seconds: float, disturbances: int, seed: object = 0) -> Race:
    """Let clients race, while connections of the database are broken, and one server after the other is killed.

    Args:
        url: Of a database that has its tables.
        directory: Where the output of the servers goes.
        disturbances: So often, at equal intervals.
    """
    journal = Race()
    processes = [Process(url, directory, server=server) for server in ("uvicorn", "granian")]
    async with serving(*processes), outsider(url) as other:
        ports = [process.port for process in processes]
        goes_on = True
        racers = [Racer(journal, f"racer-{number}", ports, seed) for number in range(CLIENTS)]
        racing = asyncio.gather(*(racer.run(lambda: goes_on) for racer in racers))
        for number in range(disturbances):
            await asyncio.sleep(seconds / (disturbances + 1))
            if number % 2:
                await other.disturb()
            else:
                process = processes[number // 2 % len(processes)]
                process.kill()
                await process.start()
        await asyncio.sleep(seconds / (disturbances + 1))
        goes_on = False
        await racing
    return journal


def main() -> int:
    """Race for long, in rounds of a minute."""
    parser = argparse.ArgumentParser(
        "python -m tests.processes.linearizability",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="on each database; default: 10")
    parser.add_argument("--seed", default=str(time.time_ns()), help="of what the clients do")
    arguments = parser.parse_args()
    for kind, named in requested_urls().items():
        if kind == "memory":
            continue
        server = server_of(kind, named)
        with tempfile.TemporaryDirectory() as folder:
            url = server.create(Path(folder))
            try:
                run_apart(lambda: upgrade(url))  # noqa: B023 - awaited right here
                began, number = time.monotonic(), 0
                while time.monotonic() - began < arguments.minutes * 60:
                    number += 1
                    seconds = min(60.0, arguments.minutes * 60)
                    seed = f"{arguments.seed} {number}"
                    journal = asyncio.run(
                        race(server.clean(url, Path(folder)), Path(folder), seconds=seconds, disturbances=12, seed=seed)
                    )
                    print(f"{NAMES[kind]}, seed {seed!r}: {dict(journal.statuses)}", flush=True)
                    try:
                        journal.check()
                    except NotLinearizableError as error:
                        print(f"this cannot have happened: {error}")
                        return 1
            finally:
                server.drop(url)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
