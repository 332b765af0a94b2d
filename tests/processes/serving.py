"""The app in processes of its own, which may be killed and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

from tests.processes.workers import SECRET, Connection
from tests.servers import clean_environment, free_port

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 60.0
"""Seconds that a test waits for what should be there at once: a machine that is busy takes its time."""


class Process:
    """One server process on a port that stays the same.

    Args:
        url: The database.
        directory: Where its output goes.
        server: ``uvicorn`` or ``granian``.
        app: What it serves.
        options: Of the server, besides.
        migrates: Whether it makes the tables by itself.
        variables: Environment variables in place of, or besides, those that every process has here.
    """

    def __init__(
        self,
        url: str,
        directory: Path,
        *,
        server: str = "uvicorn",
        app: str = "statemount.asgi:app",
        options: Sequence[str] = (),
        migrates: bool = False,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.port = free_port()
        self._output = directory / f"{server}-{self.port}.log"
        own = {"uvicorn": ["--no-access-log"], "granian": ["--interface", "asgi", "--no-ws"]}[server]
        self._command = [sys.executable, "-m", server, app, "--port", str(self.port), "--log-level", "warning"]
        self._command += [*own, *options]
        path = [os.fspath(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._environment = clean_environment(
            {
                "STATEMOUNT_AUTO_MIGRATE": str(migrates).lower(),
                "STATEMOUNT_DATABASE_URL": url,
                "STATEMOUNT_DIRECTORY": "claims",
                "STATEMOUNT_HISTORY_MAX_CHANGES": "0",  # the whole log is looked at
                "STATEMOUNT_JWT_SECRET": SECRET,
                "PYTHONPATH": os.pathsep.join(path),
                **variables,
            }
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process's number."""
        assert self._process is not None
        return self._process.pid

    @property
    def output(self) -> str:
        """All that it has printed."""
        return self._output.read_text()

    @property
    def complaints(self) -> list[str]:
        """The lines that it has printed, but for what MariaDB notes when tables are made."""
        return [line for line in self.output.splitlines() if not line.endswith(" ignored for PRIMARY key.")]

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.launch()
        await self._wait_until_ready()

    def launch(self) -> None:
        """Start it, and do not wait."""
        with self._output.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End it and its children at once, as ``kill -9`` does. A no-op if it has ended."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    async def stop(self) -> None:
        """Ask it to end; it must do so with 0."""
        assert self._process is not None
        self._process.terminate()
        await until(lambda: self._process is not None and self._process.poll() is not None, "the server to stop")
        assert self._process.returncode in (0, -signal.SIGTERM), self.output

    async def _wait_until_ready(self) -> None:
        connection = Connection(self.port)
        deadline = time.monotonic() + PATIENCE
        while True:
            assert self._process is not None
            assert self._process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            try:
                answer = await connection.fetch("/ready")
            except ConnectionError:
                await asyncio.sleep(0.02)
            else:
                connection.close()
                assert answer.status == 200, (answer, self.output)
                return


@asynccontextmanager
async def serving(*processes: Process) -> AsyncIterator[None]:
    """Run processes until the end of the block, where they must stop by themselves."""
    try:
        await asyncio.gather(*(process.start() for process in processes))
        yield
        await asyncio.gather(*(process.stop() for process in processes))
    except BaseException:
        for process in processes:
            print(process.output)  # shown if the test fails: what it was about is often said there
        raise
    finally:
        for process in processes:
            process.kill()


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE:.0f} s for {what}"
        await asyncio.sleep(0.01)
