"""The app as a process under a steady load, while one thing after the other goes wrong with its database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tests.database.support import Proxy
from tests.faults.load import CLIENTS, PROBE, Answers, Timed, work
from tests.faults.programs import ServerProgram
from tests.processes.checks import check_log
from tests.processes.outsiders import Sessions, outsider
from tests.processes.serving import PATIENCE, Process, serving, until
from tests.processes.tables import Scope, read_scopes
from tests.processes.workers import Connection

POOL = 4
_CALM = 60
"""So many writes in a row that are done, with no refusal in between: the app has recovered."""

_THREADS = 2 + POOL
"""Of a process on SQLite: the main one, the writer's and the readers'."""

HUNGRY = "hungry"
"""The task whose state takes up room beside the journal."""

LEASED = "leased"
"""The task whose state is a lease."""


@dataclass
class Site:
    """Where a trial takes place.

    Args:
        kind: Of the database.
        url: Of the database, as somebody else reaches it, who may do everything.
        process: The app.
        program: The database server, if there is one.
        proxy: Between the app and the server.
        disk: The small disk that the database is on, if it is.
        repeats: How often in a row something is done that takes no time.
    """

    kind: str
    url: str
    process: Process
    program: ServerProgram | None = None
    proxy: Proxy | None = None
    disk: Path | None = None
    repeats: int = 10


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong.

    Args:
        name: In the table of the documentation.
        kinds: The databases that it can happen to.
        happen: Goes wrong for the time of a block. At its end nothing is wrong any more.
        is_felt: Whether somebody must get a 503 before it ends.
        seconds: How long it lasts at least.
        longest: The longest that an answer may take, in seconds, with a statement's limit of 10 s.
        unknown: What is to be found of writes whose outcome is said to be unknown: there is no such write, all of them
            are in the log, none is, or it may be so or so.
        needs_small_disk: Whether the database must be on a disk that can be filled.
        reads_go_on: Whether no read may be refused.
    """

    name: str
    kinds: Sequence[str]
    happen: Callable[[Site], AbstractAsyncContextManager[None]]
    is_felt: bool = True
    seconds: float = 0.3
    longest: float = 5.0
    unknown: Literal["none", "in the log", "not in the log", "any"] = "any"
    needs_small_disk: bool = False
    reads_go_on: bool = False


@dataclass(frozen=True)
class Result:
    """What came of it.

    Args:
        first_refusal: Seconds from the beginning of the fault to the first 503; None = there was none.
        longest: Of an answer, in seconds.
        recovery: Seconds from the end of the fault until nothing was refused any more.
        acknowledged: Writes, in all of that time.
        refused: Writes of which it was said that they were not done.
        unknown: Writes of which it was said that they may be done.
        found: How many of these sets are in the log.
    """

    fault: Fault
    kind: str
    first_refusal: float | None
    longest: float
    recovery: float
    acknowledged: int
    refused: int
    unknown: int
    found: int = 0


class Trial:
    """One process of the app, and what happens to it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._answers = Answers()
        self._results: list[tuple[Result, Sequence[int]]] = []

    async def suffer(self, fault: Fault) -> None:
        """Let something go wrong, wait until the app has recovered, and measure."""
        began = time.monotonic()
        async with fault.happen(self.site):
            if fault.is_felt:
                await until(lambda: any(one.result != "done" for one in self._since(began)), f"a 503: {fault.name}")
            await asyncio.sleep(max(0.0, began + fault.seconds - time.monotonic()))
        ended = time.monotonic()
        await until(lambda: self._is_calm(ended), f"the end of refusals: {fault.name}")
        answers = self._since(began)
        refusals = [one for one in answers if one.result != "done"]
        assert not (fault.reads_go_on and any(one.is_read for one in refusals)), f"a read was refused: {fault.name}"
        first_done = min(one.ended for one in answers if one.result == "done" and one.began >= ended)
        last_refusal = max((one.ended for one in refusals), default=0.0)
        result = Result(
            fault,
            self.site.kind,
            min((one.ended for one in refusals), default=None),
            max(one.seconds for one in answers),
            max(last_refusal, first_done) - ended if last_refusal > ended else first_done - ended,
            sum(one.result == "done" and one.write is not None for one in answers),
            sum(one.result == "not done" and one.write is not None for one in answers),
            sum(one.result == "unknown" and one.write is not None for one in answers),
        )
        if result.first_refusal is not None:
            result = replace(result, first_refusal=result.first_refusal - began)
        unknown = [one.write for one in answers if one.result == "unknown" and one.write is not None]
        self._results.append((result, unknown))

    def _since(self, moment: float) -> Sequence[Timed]:
        return self._answers.since(moment)

    def _is_calm(self, moment: float) -> bool:
        newest = self._answers.timed[-_CALM:]
        return len(newest) == _CALM and all(one.began >= moment and one.result == "done" for one in newest)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the app under load during a block; at its end nothing may be left over, and nothing lost."""
        finished = False
        async with serving(self.site.process):
            working = asyncio.create_task(work(self._answers, self.site.process.port, lambda: not finished))
            try:
                await self._until(working, lambda: len(self._answers.timed) > _CALM)
                before = await self._alive()
                yield
                finished = True
                await working
            finally:
                finished = True
                working.cancel()
                await asyncio.wait([working])
            await self._check_nothing_is_left(before)
        try:
            await self._check_data()
        except BaseException:
            print(self.site.process.output)
            raise

    async def _check_data(self) -> None:
        await self._check_sessions(Sessions(0, 0))
        scopes = await read_scopes(self.site.url)
        ours = {place: scope for place, scope in scopes.items() if place[0] not in (PROBE.name, HUNGRY, LEASED)}
        for scope in scopes.values():
            times = [change.changed_at for change in scope.changes]
            assert times == sorted(times), scope.name
        assert all(write.answer is not None for write in self._answers.journal.writes)
        check_log(self._answers.journal, ours, clients=CLIENTS)
        assert "Traceback" not in self.site.process.output, self.site.process.output
        self._count_found(scopes)

    async def _until(self, working: asyncio.Task[None], condition: Callable[[], bool]) -> None:
        await until(lambda: working.done() or condition(), "the first answers")
        if working.done():
            working.result()

    def _count_found(self, scopes: dict[tuple[str, int | None], Scope]) -> None:
        logged = {
            (name, map_index, change.key.decode(), change.size)
            for (name, map_index), scope in scopes.items()
            for change in scope.changes
            if change.kind == "set" and change.key is not None
        }
        for number, (result, unknown) in enumerate(self._results):
            writes = [self._answers.journal.writes[place] for place in unknown]
            sets = [write for write in writes if write.kind == "set"]
            found = sum((one.name, one.map_index, one.key, one.size) in logged for one in sets)
            what = f"{result.fault.name}: {found} of {len(sets)} unknown writes are in the log"
            if result.fault.unknown == "none":
                assert not unknown, what
            elif result.fault.unknown != "any":
                assert sets, what
                assert found == (len(sets) if result.fault.unknown == "in the log" else 0), what
            self._results[number] = (replace(result, unknown=len(sets), found=found), unknown)

    async def _alive(self) -> dict[str, list[str]]:
        connection = Connection(self.site.process.port)
        alive: dict[str, list[str]] = (await connection.fetch("/alive")).value
        connection.close()
        return {
            "threads": alive["threads"],
            "tasks": [name for name in alive["tasks"] if "." in name and "RequestResponseCycle" not in name],
        }

    async def _check_nothing_is_left(self, before: dict[str, list[str]]) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            now = await self._alive()
            is_as_before = [name for name in now["tasks"] if name not in before["tasks"]] == []
            if is_as_before and len(now["tasks"]) <= len(before["tasks"]) and len(now["threads"]) <= _THREADS:
                break
            assert time.monotonic() < deadline, (before, now)
            await asyncio.sleep(0.05)
        await self._check_sessions(Sessions(POOL, 0))

    async def _check_sessions(self, most: Sessions) -> None:
        deadline = time.monotonic() + PATIENCE
        async with outsider(self.site.url) as other:
            while True:
                sessions = await other.sessions()
                if sessions.open <= most.open and sessions.in_transaction <= most.in_transaction:
                    return
                assert time.monotonic() < deadline, sessions
                await asyncio.sleep(0.05)

    @property
    def results(self) -> Sequence[Result]:
        """What came of each fault, once the trial is over."""
        return [result for result, _ in self._results]
