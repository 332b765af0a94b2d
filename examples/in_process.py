"""With no HTTP at all: a scheduler that keeps its own tasks' state."""

from __future__ import annotations

import asyncio

from statemount import KeyNotFoundError, StateMount, TaskScope

state = StateMount("sqlite:///in_process.db")


async def load(day: str) -> None:
    """Load a day in steps, and go on after the last one that was done."""
    scope = TaskScope("etl", day, "load")
    try:
        done = (await state.service.tasks.get(scope, "done")).load()
    except KeyNotFoundError:
        done = 0
    for step in range(done + 1, 4):
        print(f"{day}: step {step}")
        await state.service.tasks.set(scope, "done", step)
    await state.service.tasks.clear(scope)


async def main() -> None:
    """Load one day."""
    async with state.lifespan():
        await load("2026-01-01")


if __name__ == "__main__":
    asyncio.run(main())
