"""A small orchestrator: a task is a process, started when those before it are done, and tried until it succeeds."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from fastapi import FastAPI, Query
from fastapi.responses import StreamingResponse

from statemount import AssetScope, JWTAuth, StateMount, TaskInstance, TaskScope

TASKS: dict[str, list[str]] = {"export": [], "load": ["export"], "publish": ["load"]}  # each with those before it
MAX_TRIES = 3
AT_ONCE = 4  # worker processes
URL = os.environ.get("SCHEDULER", "http://127.0.0.1:8000")

auth = JWTAuth(secret=os.environ["STATEMOUNT_JWT_SECRET"])
state = StateMount("sqlite:///orchestrator.db", auth=auth, clear_on_success=True)


@dataclass
class Run:
    """A run of all tasks.

    Args:
        kills: By task: its first try is killed when it says something that has this in it.
        lines: What is said meanwhile; None at the end.
    """

    run_id: str
    kills: dict[str, str]
    lines: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)

    async def read(self) -> AsyncIterator[str]:
        """Give the lines as they come."""
        while (line := await self.lines.get()) is not None:
            yield f"{line}\n"


class Scheduler:
    """Runs the tasks of any number of runs."""

    def __init__(self) -> None:
        self.jobs: set[asyncio.Task[None]] = set()
        self.places = asyncio.Semaphore(AT_ONCE)

    def start(self, run: Run) -> None:
        """Start a run; it goes on by itself."""
        job = asyncio.create_task(self.execute(run))
        self.jobs.add(job)
        job.add_done_callback(self.jobs.discard)

    async def stop(self) -> None:
        """Kill what still runs. A later run with the same name goes on from there."""
        for job in self.jobs:
            job.cancel()
        await asyncio.gather(*self.jobs, return_exceptions=True)

    async def execute(self, run: Run) -> None:
        """Run all tasks of a run."""
        tasks: dict[str, asyncio.Task[bool]] = {}
        for task_id, before in TASKS.items():
            tasks[task_id] = asyncio.create_task(self.run_task(run, task_id, [tasks[each] for each in before]))
        try:
            succeeded = all(await asyncio.gather(*tasks.values()))
            run.lines.put_nowait("the run has succeeded" if succeeded else "the run has failed")
        finally:
            run.lines.put_nowait(None)

    async def run_task(self, run: Run, task_id: str, before: list[asyncio.Task[bool]]) -> bool:
        """Try a task until it succeeds; tell whether it did."""
        if not all([await each for each in before]):
            return False
        for number in range(1, MAX_TRIES + 1):
            async with self.places:
                if await self.try_task(run, task_id, number):
                    return True
        return False

    async def try_task(self, run: Run, task_id: str, number: int) -> bool:
        """Register a task instance, give its token to a process, and listen to that until it ends."""
        orders = await state.directory.register_asset(name="orders")
        scope = TaskScope("shop", run.run_id, task_id)
        instance = TaskInstance(uuid4(), scope, try_number=number, outlets=frozenset({orders.asset_id}))
        await state.directory.register_task_instances([instance])
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, Path(__file__).with_name("tasks.py"), task_id),
            env={
                **os.environ,
                "STATEMOUNT_URL": f"{URL}/state",
                "STATEMOUNT_TOKEN": auth.tokens.worker(instance.id, lifetime=3600),
                "STATEMOUNT_TASK_INSTANCE_ID": str(instance.id),
            },
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert worker.stdin is not None
        assert worker.stdout is not None
        try:
            async for line in worker.stdout:  # the worker waits for a nod after each line
                text = line.decode().rstrip()
                run.lines.put_nowait(f"{task_id}, try {number}: {text}")
                if number == 1 and run.kills.get(task_id, "\n") in text:
                    worker.kill()
                else:
                    worker.stdin.write(b"\n")
            code = await worker.wait()
        except asyncio.CancelledError:
            worker.kill()
            raise
        if code == 0:
            await state.task_succeeded(instance.id)
        else:
            run.lines.put_nowait(f"{task_id}, try {number}: ended with {code}")
        return code == 0


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Have a scheduler as long as the server runs."""
    app.state.scheduler = Scheduler()
    yield
    await app.state.scheduler.stop()


app = FastAPI(routes=[state.route("/state")], lifespan=state.lifespan_with(lifespan))


@app.post("/runs/{run_id}")
async def start(run_id: str, kill: Annotated[tuple[str, ...], Query()] = ()) -> StreamingResponse:
    """Start a run and say what happens. ``kill=load:row 3``: see :class:`Run`."""
    run = Run(run_id, dict(each.split(":", 1) for each in kill))
    app.state.scheduler.start(run)
    return StreamingResponse(run.read(), media_type="text/plain")


@app.get("/watermark")
async def watermark() -> int:
    """Say in process, with no HTTP, how far the orders are published."""
    orders = await state.directory.register_asset(name="orders")
    return int((await state.service.assets.get(AssetScope(orders.asset_id), "watermark")).value)
