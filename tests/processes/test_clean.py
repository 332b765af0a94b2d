"""Cleaning up while workers write and read: nobody notices, and nothing that lives is harmed."""

from __future__ import annotations

import asyncio
import os
import random
import re
import time
from asyncio.subprocess import PIPE
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import anyio
import pytest

from statemount.mount import StateMount
from tests.processes.overdue import (
    ETERNAL,
    EXPIRED,
    EXPIRED_PER_SCOPE,
    SCOPES,
    TASK,
    Imminent,
    expired_key,
    read_left,
    seed,
)
from tests.processes.serving import Process, serving
from tests.processes.workers import Connection, Target, task
from tests.servers import COMMAND, clean_environment

pytestmark = pytest.mark.anyio

CLIENTS = 4
_PAUSE = 0.005  # seconds that a worker leaves the machine to the cleaners
LONGEST_ANSWER = 5.0
"""Seconds: clean-up never holds up a request for long, not even on a machine that is busy."""


class Worker:
    """Writes and reads the scopes that are its own, and knows what must be in them.

    Args:
        number: Its own scopes are those with this remainder.
        imminent: What is to be removed next.
    """

    def __init__(self, number: int, port: int, imminent: Imminent) -> None:
        self._number = number
        self._imminent = imminent
        self.live: dict[int, dict[str, str]] = {scope: {ETERNAL: "value"} for scope in range(number, SCOPES, CLIENTS)}
        self.leases = 0
        self.longest = 0.0
        self.requests = 0
        self._random = random.Random(number)
        self._connection = Connection(port)

    async def run(self, goes_on: Callable[[], bool]) -> None:
        """Work as long as a condition holds."""
        turns = [self._read_expired, self._read_live, self._read_live, self._renew, self._renew, self._renew]
        turns += [self._write, self._delete]
        try:
            while goes_on():
                scope = self._random.choice(list(self.live))
                await self._random.choice([*turns, self._lease])(scope, task(TASK, scope))
                await asyncio.sleep(_PAUSE)
        finally:
            self._connection.close()

    async def _read_expired(self, scope: int, target: Target) -> None:
        key = expired_key(self._random.randrange(EXPIRED_PER_SCOPE))
        await self._check(scope, target, key)

    async def _read_live(self, scope: int, target: Target) -> None:
        await self._check(scope, target, self._random.choice(list(self.live[scope])))

    async def _renew(self, scope: int, target: Target) -> None:
        """Write a key whose entry is expired, and is removed just now or was already."""
        keys = [each for each in self._imminent.keys if each[0] % CLIENTS == self._number]
        scope, key = self._random.choice(keys or [(scope, expired_key(self._random.randrange(EXPIRED_PER_SCOPE)))])
        await self._put(scope, task(TASK, scope), key)

    async def _write(self, scope: int, target: Target) -> None:
        await self._put(scope, target, f"new-{self._random.randrange(20)}")

    async def _put(self, scope: int, target: Target, key: str) -> None:
        value = f"value {self.requests}"
        expires_at = datetime.now(timezone.utc) + timedelta(hours=1) if self._random.random() < 0.5 else None
        began = time.monotonic()
        answer = await self._connection.put(target, key, value, expires_at=expires_at)
        self._ended(began)
        assert answer.status == 204, answer
        self.live[scope][key] = value
        await self._check(scope, target, key)

    async def _delete(self, scope: int, target: Target) -> None:
        key = self._random.choice([*self.live[scope], expired_key(0)])
        if key == ETERNAL:
            return
        began = time.monotonic()
        answer = await self._connection.delete(target, key)
        self._ended(began)
        assert answer.status == 204, answer
        self.live[scope].pop(key, None)
        await self._check(scope, target, key)

    async def _lease(self, scope: int, target: Target) -> None:
        """Write an entry that ends soon, and read it when it has ended."""
        self.leases += 1
        key, expires_at = f"lease-{self.leases}", datetime.now(timezone.utc) + timedelta(milliseconds=20)
        began = time.monotonic()
        answer = await self._connection.put(target, key, "lease", expires_at=expires_at)
        self._ended(began)
        assert answer.status == 204, answer
        while datetime.now(timezone.utc) < expires_at:  # noqa: ASYNC110 - time is what is waited for
            await asyncio.sleep(0.005)
        await self._check(scope, target, key)

    async def _check(self, scope: int, target: Target, key: str) -> None:
        """Read a key: it is there with its value if it lives, and is not there otherwise."""
        value = self.live[scope].get(key)
        began = time.monotonic()
        answer = await self._connection.get(target, key)
        self._ended(began)
        assert answer.status == (404 if value is None else 200), (key, answer)
        if value is not None:
            assert answer.value == value

    def _ended(self, began: float) -> None:
        self.requests += 1
        self.longest = max(self.longest, time.monotonic() - began)


async def clean(url: str, batch: int) -> int:
    """Run the command; return how many entries it has removed."""
    process = await asyncio.create_subprocess_exec(
        COMMAND, "clean", "--batch", str(batch), env=clean_environment(_variables(url)), stdout=PIPE, stderr=PIPE
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.communicate()
        raise
    assert (process.returncode, errors) == (0, b"")
    found = re.fullmatch(
        r"removed ([\d,]+) expired entr(?:y|ies), 0 task instances, 0 assets and 0 changes of the history\n",
        output.decode(),
    )
    assert found is not None, output
    return int(found[1].replace(",", ""))


def _variables(url: str) -> dict[str, str]:
    path = os.environ.get("PYTHONPATH", "")
    return {"STATEMOUNT_DATABASE_URL": url, "STATEMOUNT_HISTORY_MAX_CHANGES": "0", "PYTHONPATH": path}


async def test_two_cleaners_and_a_server(database_url: str, tmp_path: Path) -> None:
    """Of 100,000 expired entries that two cleaners remove while workers write and read, none is read, and each is
    removed once; nothing that lives is removed, nobody sees an error, and no request waits for long.
    """
    await seed(database_url)
    process = Process(database_url, tmp_path)
    async with serving(process):
        imminent = Imminent(database_url)
        workers = [Worker(number, process.port, imminent) for number in range(CLIENTS)]
        cleaning = asyncio.gather(clean(database_url, 1000), clean(database_url, 700))
        try:
            async with anyio.create_task_group() as group:
                for part in (imminent.follow, *(worker.run for worker in workers)):
                    group.start_soon(part, lambda: not cleaning.done())
            removed = await cleaning
        finally:
            cleaning.cancel()
            await asyncio.gather(cleaning, return_exceptions=True)
    assert process.output == ""
    assert all(count > EXPIRED / 10 for count in removed), "both have worked"
    assert sum(worker.requests for worker in workers) > 500
    assert max(worker.longest for worker in workers) < LONGEST_ANSWER
    await check_tables(database_url, workers, removed)


async def check_tables(url: str, workers: list[Worker], removed: tuple[int, int]) -> None:
    """Check that what lives is there, that nothing else is, and that each expiry is in the log once."""
    state = StateMount(url, sweep_interval_seconds=0)
    leases = sum(worker.leases for worker in workers)
    last = await state.service.clean_up.entries()  # leases that ended at the end
    is_clean = await state.service.store.count_expired() == 0
    await state.stop()
    assert is_clean
    assert last <= leases
    left = await read_left(url)
    assert left.expiries == EXPIRED + leases
    assert sum(removed) + last <= left.expiries
    assert left.entries == {
        scope: {key: f'"{value}"' for key, value in entries.items()}
        for worker in workers
        for scope, entries in worker.live.items()
    }
