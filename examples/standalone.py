"""The app on its own: ``python examples/standalone.py`` serves it and prints a token for one worker.

``statemount serve`` does the serving alone, with every setting from the environment.
"""

from __future__ import annotations

import asyncio
import os
from uuid import uuid4

import uvicorn

from statemount import JWTAuth, StateMount, TaskInstance, TaskScope

auth = JWTAuth(secret=os.environ["STATEMOUNT_JWT_SECRET"])
app = state = StateMount("sqlite:///standalone.db", auth=auth)


async def hire_worker() -> str:
    """Register a task instance and return the token for its worker."""
    task_instance = TaskInstance(uuid4(), TaskScope("etl", "2026-01-01", "load"))
    await state.directory.register_task_instances([task_instance])
    print("task instance:", task_instance.id)
    return auth.tokens.worker(task_instance.id)


async def main() -> None:
    """Print a token, and serve until the process is told to stop."""
    print("token:", await hire_worker())
    await uvicorn.Server(uvicorn.Config(app, port=8080)).serve()


if __name__ == "__main__":
    asyncio.run(main())
