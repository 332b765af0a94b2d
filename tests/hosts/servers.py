"""The servers: each runs a host app in processes of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.hosts.hosts import PATIENCE, Served
from tests.hosts.world import HOSTS, Wishes
from tests.servers import clean_environment, free_port

_ROOT = Path(__file__).resolve().parents[2]
_APP = "tests.hosts.served:app"


@dataclass(frozen=True)
class Server:
    """An ASGI server.

    Args:
        arguments: What it is called with, after ``python -m``; ``{port}`` and ``{workers}`` are filled in.
        root_path: The option that tells the app's root path.
        adds_root_path: Whether it adds the root path to the paths of requests, where a proxy is to have removed it;
            else the proxy leaves it there.
        drops: What it may leave without a whole answer at a stop; empty = nothing.
    """

    arguments: str
    root_path: str
    adds_root_path: bool = False
    drops: str = ""

    def command(self, port: int, workers: int, root_path: str) -> list[str]:
        """Return how it is started."""
        options = [self.root_path, root_path] if root_path else []
        return [sys.executable, "-m", *self.arguments.format(port=port, workers=workers).split(), *options, _APP]


SERVERS: Mapping[str, Server] = {
    "uvicorn": Server("uvicorn --port {port} --workers {workers} --no-access-log", "--root-path", adds_root_path=True),
    "granian": Server("granian --interface asgi --port {port} --workers {workers}", "--url-path-prefix"),
    "hypercorn": Server(
        "hypercorn --bind 127.0.0.1:{port} --workers {workers}",
        "--root-path",
        drops="a watch is cut off, and an idle connection is closed even if a request arrives at that very moment",
    ),
}


class Process(Served):
    """A host app behind a server that this test has started.

    Args:
        port: Where it listens.
    """

    def __init__(
        self,
        wishes: Wishes,
        server: Server,
        client: httpx.AsyncClient,
        process: subprocess.Popen[bytes],
        output: Path,
        port: int,
    ) -> None:
        super().__init__(wishes, client)
        self.server = server
        self.port = port
        self._process = process
        self._output = output

    @property
    def output(self) -> str:
        """All that the server has printed."""
        return self._output.read_text()

    def terminate(self) -> None:
        """Ask the server to stop."""
        self._process.send_signal(signal.SIGTERM)

    async def ended(self) -> None:
        """Wait until it has stopped; it must do so in order, and have logged no exception."""
        deadline = time.monotonic() + PATIENCE
        while self._process.poll() is None:
            assert time.monotonic() < deadline, f"the server does not stop:\n{self.output}"
            await asyncio.sleep(0.01)
        assert self._process.returncode in (0, -signal.SIGTERM), self.output  # uvicorn ends by the signal
        assert "Traceback (most recent call last)" not in self.output, self.output

    async def stop(self) -> None:
        """Ask it to stop, unless it has, and wait."""
        if self._process.poll() is None:
            self.terminate()
        await self.ended()

    async def wait_until_ready(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + PATIENCE
        while True:
            assert self._process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            try:
                answer = await self.client.get("/hello")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                assert answer.status_code == 200, (answer, self.output)
                return


@asynccontextmanager
async def serving(wishes: Wishes, server: str, *, workers: int = 1, root_path: str = "") -> AsyncIterator[Process]:
    """Run a host app behind a server until the end of the block, where it must stop in order."""
    port = free_port()
    output = Path(wishes.directory) / f"{server}-{port}.log"
    path = os.pathsep.join([os.fspath(_ROOT), *filter(None, sys.path)])
    with output.open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - starting it takes no time
            SERVERS[server].command(port, workers, root_path),
            cwd=wishes.directory,
            env=clean_environment({"PYTHONPATH": path, **wishes.to_environment()}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}{'' if SERVERS[server].adds_root_path else root_path}"
    try:
        async with httpx.AsyncClient(base_url=url, headers={"host": HOSTS[0]}, timeout=PATIENCE) as client:
            host = Process(wishes, SERVERS[server], client, process, output, port)
            await host.wait_until_ready()
            yield host
        await host.stop()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its worker processes, too
        process.wait()
