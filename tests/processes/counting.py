"""The app as a server runs it, and beside it what is alive in that process."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from statemount.asgi import app as statemount_app


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer ``/alive`` with the tasks and threads of this process; leave everything else to the app."""
    if scope["type"] == "http" and scope["path"] == "/alive":
        await tell_what_is_alive(send)
    else:
        await statemount_app(scope, receive, send)


async def tell_what_is_alive(send: Any) -> None:
    """Answer with the tasks and threads of this process."""
    tasks = sorted(task.get_coro().__qualname__ for task in asyncio.all_tasks() if task is not asyncio.current_task())  # type: ignore[union-attr]
    threads = sorted(type(thread).__name__ for thread in threading.enumerate())
    await tell(send, {"tasks": tasks, "threads": threads})


async def tell(send: Any, value: Any) -> None:
    """Answer with a value, in the form of an entry."""
    body = json.dumps({"value": value}).encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
