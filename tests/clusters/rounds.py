"""One round after the other: disturb the servers while clients are at work, then look at what is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from statemount.database.migrations import upgrade
from tests.clusters.clients import Load
from tests.clusters.door import Door
from tests.clusters.galera import Cluster, Node, url_at
from tests.clusters.postgresql import Pair
from tests.clusters.programs import until
from tests.clusters.verdict import Verdict, compare, look
from tests.processes.serving import Process, serving
from tests.processes.tables import read_scopes

_CALM = 4.0  # seconds of load before and after
_CUT = 14.0  # longer than statements and transactions may take
_BACK = 60.0  # seconds within which the app must serve again, by itself


class _Kind(NamedTuple):
    """What is done to a pair of servers of PostgreSQL in a round."""

    name: str
    rewinds: bool = False
    is_cut: bool = False
    freezes: bool = False


_KINDS = (
    _Kind("the primary was killed, and became the replica by pg_rewind", rewinds=True),
    _Kind("the primary was killed, and became the replica by pg_basebackup"),
    _Kind("the replica was cut off, then the primary was killed", rewinds=True, is_cut=True),
    _Kind("the primary stood still, and was killed later", freezes=True),
)


async def postgresql(folder: Path, *, minutes: float, seed: object, commit: str) -> Verdict:
    """Kill and promote.

    Args:
        commit: The primary's ``synchronous_commit``; ``local``: it does not wait for the replica.
    """
    verdict, ends = Verdict(), time.monotonic() + minutes * 60
    pair = Pair(folder, commit=None if commit == "local" else commit)
    try:
        await pair.start()
        await upgrade(pair.url)
        processes = [Process(pair.url, folder, server=server) for server in ("uvicorn", "granian")]
        async with serving(*processes):
            load = Load([process.port for process in processes], seed)
            while not verdict.rounds or time.monotonic() < ends:
                number = verdict.rounds + 1
                kind = _KINDS[(number - 1) % len(_KINDS)]
                began = time.monotonic()
                async with _under(load):
                    if kind.is_cut:
                        pair.cut()
                        await asyncio.sleep(_CUT)
                    await pair.fail_over(freezes=kind.freezes)
                    await _until_back(load)
                    await asyncio.sleep(_CALM)
                    await pair.rebuild(rewinds=kind.rewinds)
                await pair.primary.until_replayed()
                tables = [await read_scopes(server.url) for server in (pair.primary, pair.replica)]
                faults = look(load, tables[0], verdict, compare(tables), kind=kind.name)
                _say(number, kind.name, began, faults)
        _check_output(processes, verdict)
    finally:
        await pair.stop()
    return verdict


async def galera(folder: Path, *, minutes: float, seed: object, several: bool) -> Verdict:
    """Kill nodes, and bring them back.

    Args:
        several: Whether several nodes are written to.
    """
    verdict, ends = Verdict(), time.monotonic() + minutes * 60
    cluster = Cluster(folder)
    door = Door(cluster.nodes[0].port)
    try:
        await cluster.start()
        await door.open()
        await upgrade(cluster.nodes[0].url)
        urls = [node.url for node in cluster.nodes] if several else [url_at(door.port)] * 2
        processes = [Process(url, folder, server="uvicorn") for url in urls]
        async with serving(*processes):
            load = Load([process.port for process in processes], seed)
            writer = cluster.nodes[0]
            while not verdict.rounds or time.monotonic() < ends:
                number, began = verdict.rounds + 1, time.monotonic()
                before = load.journal.outcomes
                async with _under(load):
                    victim = cluster.nodes[number % 3] if several else writer
                    match number % 4:
                        case 0:
                            kind = "nothing happened"
                            await asyncio.sleep(2 * _CALM)
                        case 3:
                            kind = "all nodes but one stood still"
                            await _stand_still([node for node in cluster.nodes if node is not victim])
                        case _:
                            kind = "a node was killed" if several else "the writer was killed"
                            victim.kill()
                            if not several:
                                writer = _next(cluster, writer)
                                door.turn(writer.port)
                                await _until_back(load)
                            await asyncio.sleep(2 * _CALM)
                            await cluster.bring_back(victim, empty=number % 4 == 2)
                    await _until_back(load)
                seconds = time.monotonic() - began
                tables = [await read_scopes(node.url) for node in cluster.nodes]
                faults = look(load, tables[0], verdict, compare(tables), kind=kind)
                if kind == "nothing happened":
                    verdict.note_calm(load.journal.outcomes - before, seconds)
                _say(number, kind, began, faults)
            verdict.conflicts = await cluster.conflicts()
        _check_output(processes, verdict)
    finally:
        await door.close()
        cluster.stop()
    return verdict


async def _stand_still(nodes: list[Node]) -> None:
    """Stop nodes for longer than the rest waits before it holds them for dead."""
    for node in nodes:
        node.freeze()
    try:
        await asyncio.sleep(_CUT)
    finally:
        for node in nodes:
            node.thaw()


def _next(cluster: Cluster, node: Node) -> Node:
    return cluster.nodes[(cluster.nodes.index(node) + 1) % len(cluster.nodes)]


@asynccontextmanager
async def _under(load: Load) -> AsyncIterator[None]:
    """Let clients be at work during a block, and for a while before and after it."""
    load.start()
    try:
        await asyncio.sleep(_CALM)
        yield
        await asyncio.sleep(_CALM)
        load.check_alive()
    finally:
        await load.stop()


async def _until_back(load: Load) -> None:
    """Wait until every server of the app takes writes again."""
    now = time.monotonic()
    await until(lambda: all(pulse.beats_since(now) for pulse in load.pulses), "the app to serve again", seconds=_BACK)


def _check_output(processes: list[Process], verdict: Verdict) -> None:
    for process in processes:
        if "Traceback" in process.output:
            verdict.faults.append(f"a server logged an exception:\n{process.output}")


def _say(number: int, how: str, began: float, faults: list[str]) -> None:
    print(
        f"round {number}, {how}, {time.monotonic() - began:.0f} s: {'; '.join(faults) or 'as it should be'}", flush=True
    )
