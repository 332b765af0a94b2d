"""What goes wrong with databases."""

from __future__ import annotations

import asyncio
import itertools
import resource
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tests.database.support import Proxy
from tests.faults.load import PROBE
from tests.faults.programs import ServerProgram
from tests.faults.trial import HUNGRY, LEASED, Fault, Site
from tests.processes.outsiders import outsider
from tests.processes.serving import until
from tests.processes.workers import Answer, Connection, task

_SERVERS = ("postgresql", "mysql")
_ALL = ("sqlite", *_SERVERS)
_STATEMENT = {"postgresql": b"__asyncpg_stmt_", "mysql": b"statemount_"}
"""What every statement of ours has in it, as it is sent."""

_SECONDS_OF_LOCK = 3.0


def _server(site: Site) -> ServerProgram:
    assert site.program is not None
    return site.program


def _proxy(site: Site) -> Proxy:
    assert site.proxy is not None
    return site.proxy


@asynccontextmanager
async def _lock(site: Site) -> AsyncIterator[None]:
    """Hold the lock of a scope; on SQLite, that of everything."""
    async with outsider(site.url) as other, other.locking(PROBE.name):
        await asyncio.sleep(_SECONDS_OF_LOCK)
        yield


@asynccontextmanager
async def _end_sessions(site: Site) -> AsyncIterator[None]:
    async with outsider(site.url) as other:
        for _ in range(site.repeats):
            await other.disturb()
            await asyncio.sleep(0.05)
        yield


def _cut(marker: dict[str, bytes] | bytes, *, passes_on: bool = False) -> Callable[[Site], Any]:
    """Return what cuts one connection after the other as soon as it has something special to say."""

    @asynccontextmanager
    async def happen(site: Site) -> AsyncIterator[None]:
        proxy = _proxy(site)
        proxy.passes_on, proxy.breaks_once = passes_on, True
        for number in range(1, site.repeats + 1):
            before = proxy.broken
            proxy.breaks_on = marker if isinstance(marker, bytes) else marker[site.kind]
            await until(lambda before=before: proxy.broken > before, f"cut number {number}")  # type: ignore[misc]
            await asyncio.sleep(0.05)
        yield

    return happen


@asynccontextmanager
async def _fall_silent(site: Site) -> AsyncIterator[None]:
    proxy = _proxy(site)
    proxy.is_silent = True
    try:
        yield
    finally:
        proxy.is_silent = False
        proxy.cut()  # what was lost on the way leaves no connection that could be used


@asynccontextmanager
async def _stop(site: Site) -> AsyncIterator[None]:
    await _server(site).stop()
    yield
    await _server(site).start()


@asynccontextmanager
async def _kill(site: Site) -> AsyncIterator[None]:
    _server(site).kill()
    yield
    await _server(site).start()


@asynccontextmanager
async def _freeze(site: Site) -> AsyncIterator[None]:
    server = _server(site)
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


@asynccontextmanager
async def _refuse_writes(site: Site) -> AsyncIterator[None]:
    server = _server(site)
    await server.run(*server.set_read_only(on=True))
    try:
        yield
    finally:
        await server.run(*server.set_read_only(on=False))


@asynccontextmanager
async def _take_all_connections(site: Site) -> AsyncIterator[None]:
    """Take every connection that the server has, also those of the app, which are ended."""
    server = _server(site)
    taken: list[Any] = []
    try:
        async with outsider(site.url) as other:
            while len(taken) < server.max_connections + 1:
                try:
                    taken.append(await server.connect())
                except Exception:
                    if len(taken) >= server.max_connections - 1:
                        break
                    await other.disturb()
        yield
    finally:
        for connection in taken:
            with suppress(Exception):
                connection.close() if site.kind == "mysql" else connection.terminate()


@asynccontextmanager
async def _limit_files(site: Site) -> AsyncIterator[None]:
    """Let no file of the app's process grow: what is written beyond a few bytes is an error of the disk."""
    _, hard = resource.prlimit(site.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(site.process.pid, resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.prlimit(site.process.pid, resource.RLIMIT_FSIZE, (hard, hard))


@asynccontextmanager
async def _fill_disk(site: Site) -> AsyncIterator[None]:
    assert site.disk is not None
    filler = site.disk / "filler"
    ends = asyncio.Event()
    eating = asyncio.create_task(_eat(site.process.port, ends))
    try:
        await asyncio.to_thread(_fill, filler)
        yield
    finally:
        ends.set()
        await eating
        filler.unlink()
        if site.program is not None and not site.program.is_running:  # some versions of MariaDB crash
            await site.program.start()


def _fill(filler: Path) -> None:
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


async def _eat(port: int, ends: asyncio.Event) -> None:
    """Write large values until the room that files have inside is used up, too."""
    connection = Connection(port)
    for number in itertools.count():
        if ends.is_set():
            break
        answer = await connection.put(task(HUNGRY), f"key-{number % 100}", "x" * 60_000)
        await asyncio.sleep(0 if answer.status == 204 else 0.05)
    connection.close()


@asynccontextmanager
async def _step(site: Site) -> AsyncIterator[None]:
    """Set the app's clock back, on and back, while somebody holds a lease: nobody else ever has it at the same time."""
    connection, target = Connection(site.process.port), task(LEASED)

    async def claim(**headers: str) -> Answer:
        until = datetime.now(timezone.utc) + timedelta(seconds=ahead + 60)
        answer = await connection.put(target, "lease", "mine", expires_at=until, headers=headers)
        assert answer.status in (204, 412)
        return answer

    ahead = 0
    first = await claim(**_IF_ABSENT)
    assert first.status == 204
    for step, is_free in ((-3600, False), (2 * 3600, True), (-3600, False)):
        ahead += step
        await connection.fetch(f"/step?seconds={step}")
        await asyncio.sleep(0.2)
        second = await claim(**_IF_ABSENT)
        assert second.status == (204 if is_free else 412)
        renewed = await claim(**{"If-Match": first.headers[b"etag"].decode()})
        assert renewed.status == (412 if is_free else 204)
        assert _fence(second if is_free else renewed) > _fence(first)
        first = second if is_free else renewed
    connection.close()
    yield


def _fence(answer: Answer) -> int:
    return int(answer.headers[b"etag"].strip(b'"'))


_IF_ABSENT = {"If-None-Match": "*"}


def _fault(
    name: str, kinds: tuple[str, ...], happen: Callable[[Site], AbstractAsyncContextManager[None]], **options: Any
) -> Fault:
    return Fault(name, kinds, happen, **options)


LOCK = _fault("somebody else holds a lock for 3 s", _ALL, _lock, unknown="none")
SESSIONS = _fault("its sessions are ended, 10 times", _SERVERS, _end_sessions, is_felt=False)
STATEMENT = _fault("connections cut in mid-statement, 10 times", _SERVERS, _cut(_STATEMENT), is_felt=False)
BEFORE_COMMIT = _fault(
    "connections cut before COMMIT arrives, 10 times", _SERVERS, _cut(b"COMMIT"), unknown="not in the log"
)
AFTER_COMMIT = _fault(
    "connections cut after COMMIT, 10 times", _SERVERS, _cut(b"COMMIT", passes_on=True), unknown="in the log"
)
SILENT = _fault("the network falls silent", _SERVERS, _fall_silent, seconds=30, longest=40)
STOPPED = _fault("server stopped, and started again", _SERVERS, _stop)
KILLED = _fault("server killed (`kill -9`), and started again", _SERVERS, _kill)
FROZEN = _fault("server frozen (`SIGSTOP`)", _SERVERS, _freeze, seconds=30, longest=40)
READ_ONLY = _fault("database read-only", _SERVERS, _refuse_writes, unknown="none", reads_go_on=True)
CONNECTIONS = _fault("every connection of the server taken", _SERVERS, _take_all_connections)
CLOCK = _fault("clock set back by an hour, on by two, back by one", _ALL, _step, is_felt=False, unknown="none")
DISK_ERRORS = _fault("disk errors (files may not grow)", ("sqlite",), _limit_files, reads_go_on=True)
DISK_FULL = _fault("disk full", _ALL, _fill_disk, longest=15, unknown="none", needs_small_disk=True)

FAULTS = (
    LOCK,
    SESSIONS,
    STATEMENT,
    BEFORE_COMMIT,
    AFTER_COMMIT,
    SILENT,
    FROZEN,
    STOPPED,
    KILLED,
    CONNECTIONS,
    READ_ONLY,
    CLOCK,
    DISK_ERRORS,
    DISK_FULL,
)
"""All of them, in the order in which they happen."""
