"""Watching two processes over one database: each change once and in order, through whatever connections."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.processes.checks import check_outcomes
from tests.processes.load import CONTENDED_ASSETS, CONTENDED_TASK, KEYS, Client, Journal, client_names
from tests.processes.serving import PATIENCE, Process, serving
from tests.processes.tables import Scope, read_scopes
from tests.processes.watchers import Told, Watcher
from tests.processes.workers import Target, asset, task

pytestmark = pytest.mark.anyio

CLIENTS = 16
REQUESTS = 3  # of each, at once
WRITES = 10_600
CHANGES = 10_000
WATCHERS = 3  # of each scope, besides those of single keys


def targets_of(worker: str) -> list[Target]:
    """Return what is written and watched, by the worker of a task."""
    return [task(CONTENDED_TASK), *(asset(name, worker) for name in CONTENDED_ASSETS[:2])]


async def write_watched(client: Client) -> None:
    """Write to a key that all clients write, or clear what they wrote."""
    target, key = client.random.choice(targets_of(client.name)), client.random.choice(KEYS)
    chance = client.random.random()
    if chance < 0.95:
        await client.set(target, key)
    elif chance < 0.98:
        await client.delete(target, key)
    else:
        await client.clear(target)


async def test_watchers_that_reconnect(empty_database_url: str, tmp_path: Path) -> None:
    """Of 10,000 changes, made through two servers, watchers that reconnect at random see each once and in order."""
    processes = [
        Process(empty_database_url, tmp_path, server=server, migrates=True) for server in ("uvicorn", "granian")
    ]
    journal = Journal()
    async with serving(*processes):
        ports = [process.port for process in processes]
        watched: list[tuple[Target, str | None]] = [(target, None) for target in targets_of("watcher") * WATCHERS]
        watched += [(target, key) for target, key in zip(targets_of("watcher"), KEYS[:3], strict=True)]
        watchers = [Watcher(target, key, ports, number) for number, (target, key) in enumerate(watched)]
        scopes: dict[tuple[str, int | None], Scope] = {}

        def goes_on(watcher: Watcher) -> bool:
            return not scopes or len(watcher.told) < len(expected_of(watcher, scopes))

        watching = [asyncio.create_task(watcher.run(goes_on, longest=0.8)) for watcher in watchers]
        await until_all_have_begun(watchers, watching)
        await asyncio.gather(
            *(
                Client(name, journal, ports, (name, number)).run(write_watched, lambda: not journal.has(WRITES))
                for name in client_names(CLIENTS)
                for number in range(REQUESTS)
            )
        )
        scopes = await read_scopes(empty_database_url)
        done, pending = await asyncio.wait(watching, timeout=PATIENCE)
        for each in pending:
            each.cancel()
        for each in done:
            each.result()
        for watcher in watchers:
            assert watcher.told == expected_of(watcher, scopes), watcher.target.name
        assert not pending
    check_outcomes(journal, processes)
    assert sum(len(scope.changes) for scope in scopes.values()) >= CHANGES
    assert sum(watcher.connections for watcher in watchers) > 5 * len(watchers)


async def until_all_have_begun(watchers: list[Watcher], watching: list[asyncio.Task[None]]) -> None:
    """Wait until each watcher knows where it begins."""
    while any(watcher.position is None for watcher in watchers):
        for each in watching:
            assert not each.done(), each.result()
        await asyncio.sleep(0.01)


def expected_of(watcher: Watcher, scopes: dict[tuple[str, int | None], Scope]) -> list[Told]:
    """Return what a watcher is to be told of a scope's log."""
    changes = scopes[watcher.target.name, watcher.target.map_index].changes
    lines = [
        Told(change.revision, change.kind, None if change.key is None else change.key.decode(), change.size)
        for change in changes
    ]
    return [line for line in lines if watcher.key is None or line.key in (None, watcher.key)]
