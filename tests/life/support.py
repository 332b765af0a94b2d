"""What the tests of life share: a host's own store that writes a diary, and an app that knows one task."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import warnings
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from typing_extensions import override

from statemount.auth.jwt import JWTAuth
from statemount.clock import system_clock
from statemount.directory.claims import ClaimsDirectory
from statemount.directory.memory import MemoryDirectory
from statemount.model import Entry, Scope
from statemount.mount import StateMount
from statemount.store.memory import MemoryStore

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # newer versions of Starlette would rather have another HTTP client
    from starlette.testclient import TestClient as TestClient  # noqa: PLC0414

ROOT = Path(__file__).parent.parent.parent

SECRET = "a secret of sixty-four bytes, as RFC 7518 asks for with HMAC-512"
TASK = UUID("0197f3a0-1111-7000-8000-00000000abcd")
KEY = f"/execution/store/ti/{TASK}/key"
"""The path of a key of the task, below the place where the app is mounted."""

_AUTH = JWTAuth(secret=SECRET)
_CLAIMS = {"dag_id": "dag", "run_id": "run", "task_id": "task"}
WORKER = {"authorization": f"Bearer {_AUTH.tokens.worker(TASK, lifetime=86_400, claims=_CLAIMS)}"}
"""The headers of the task's own worker."""


class HostStore(MemoryStore):
    """A host's own store: it notes when it is opened and closed, and refuses to be used anywhere else.

    Args:
        diary: Where it notes what happens to it.
        failures: What its next openings raise.
    """

    def __init__(self, diary: list[str], failures: list[Exception] | None = None) -> None:
        super().__init__(clock=system_clock)
        self.diary = diary
        self.failures = [] if failures is None else failures
        self._home: object = None

    @override
    async def open(self) -> None:
        await asyncio.sleep(0)
        if self.failures:
            self.diary.append("failed")
            raise self.failures.pop(0)
        self._home = _here()
        self.diary.append("opened")

    @override
    async def close(self) -> None:
        assert self._home == _here()
        await asyncio.sleep(0)
        self._home = None
        self.diary.append("closed")

    @override
    async def read(self, scope: Scope, key: str) -> Entry | None:
        assert self._home == _here(), "used outside of its own process and event loop"
        return await super().read(scope, key)


def _here() -> tuple[int, asyncio.AbstractEventLoop]:
    return os.getpid(), asyncio.get_running_loop()


def make_state(url: str = "memory://", **options: Any) -> StateMount:
    """Return an app that accepts :data:`WORKER`."""
    options.setdefault("auth", _AUTH)
    return StateMount(url, directory=ClaimsDirectory(MemoryDirectory()), **options)


def client_of(app: Any, *, root_path: str = "", raise_app_exceptions: bool = True) -> httpx.AsyncClient:
    """Return a client of an ASGI app on this event loop; nobody runs the app's lifespan."""
    transport = httpx.ASGITransport(app, root_path=root_path, raise_app_exceptions=raise_app_exceptions)
    return httpx.AsyncClient(transport=transport, base_url="http://host", headers=WORKER)


async def round_trip(app: Any, prefix: str = "", *, root_path: str = "") -> None:
    """Write and read a key through an ASGI app."""
    async with client_of(app, root_path=root_path) as client:
        written = await client.put(prefix + KEY, json={"value": 1})
        read = await client.get(prefix + KEY)
    assert (written.status_code, read.status_code, read.json()) == (204, 200, {"value": 1})


class Lifespan:
    """A server's side of the lifespan protocol.

    Attributes:
        answers: The types of the messages that the app has sent, without their prefix; a failure with its text.
        state: What the app has put into the lifespan's state.
    """

    def __init__(self, app: Any, diary: list[str] | None = None) -> None:
        self.task: asyncio.Task[None]
        self.answers: list[str] = [] if diary is None else diary
        self.state: dict[str, Any] = {}
        self._app = app
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._answered = asyncio.Event()

    async def startup(self) -> None:
        """Begin, and wait for an answer or the app's end."""
        self.task = asyncio.create_task(self._run())
        await self._ask("startup")

    async def shutdown(self) -> None:
        """End it, and wait for the app's end; raise what it raises."""
        await self._ask("shutdown")
        await self.task

    async def _ask(self, what: str) -> None:
        self._answered.clear()
        self._messages.put_nowait({"type": f"lifespan.{what}"})
        await asyncio.wait_for(self._answered.wait(), 30)

    async def _run(self) -> None:
        try:
            await self._app(
                {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self.state}, self._messages.get, self._send
            )
        finally:
            self._answered.set()

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        text = f": {message['message']}" if "message" in message else ""
        self.answers.append(message["type"].removeprefix("lifespan.") + text)
        self._answered.set()


def run_script(code: str, *filters: str) -> str:
    """Run a script in a process of its own, with warnings as errors; return what it prints.

    It finds everything of this module. It must end by itself, with 0, and with nothing on its standard error.

    Args:
        filters: Further filters of warnings, as for ``python -W``.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STATEMOUNT_")}
    environment["PYTHONPATH"] = os.pathsep.join([os.fspath(ROOT), *filter(None, sys.path)])
    preamble = "import asyncio, gc, os, sys, threading\nfrom tests.life.support import *\n"
    process = subprocess.run(
        [sys.executable, *(f"-W{each}" for each in ("error", *filters)), "-c", preamble + textwrap.dedent(code)],
        capture_output=True,
        env=environment,
        text=True,
        timeout=120,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, ""), process.stdout
    return process.stdout
