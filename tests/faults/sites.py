"""A database of one's own with the app before it, for every kind of database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import MappingProxyType

from statemount.database.migrations import upgrade
from tests.database.support import Proxy, at
from tests.faults.programs import PROGRAMS, small_disk
from tests.faults.trial import POOL, Site
from tests.processes.serving import Process

_DISK_MEBIBYTES = {"sqlite": 32, "postgresql": 48, "mysql": 64}


@asynccontextmanager
async def site(
    kind: str, directory: Path, *, on_small_disk: bool = False, settings: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Site]:
    """Make a place for a trial, with the tables, and the app not yet started.

    Args:
        on_small_disk: Whether the app's tables are on a disk that can be filled.
        settings: Of the app, besides.

    Raises:
        MissingProgramError: It cannot be made on this machine.
    """
    settings = {"STATEMOUNT_POOL_SIZE": str(POOL), **settings}
    app = "tests.faults.served:app"
    async with AsyncExitStack() as stack:
        disk = None
        if on_small_disk:
            disk = stack.enter_context(small_disk(directory / "disk", _DISK_MEBIBYTES[kind]))
        if kind == "sqlite":
            url = f"sqlite:///{disk or directory}/state.db"
            await upgrade(url)
            yield Site(kind, url, Process(url, directory, app=app, variables=settings), disk=disk)
            return
        program = PROGRAMS[kind](directory / kind)
        await asyncio.to_thread(program.make)
        stack.callback(program.kill)
        await program.start()
        await program.make_database(disk)
        await upgrade(program.url)
        proxy = await stack.enter_async_context(Proxy(program.url))
        process = Process(at(program.url, proxy.port), directory, app=app, variables=settings)
        yield Site(kind, program.administrator_url, process, program, proxy, disk)
