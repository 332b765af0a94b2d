"""The servers that a run starts: every ASGI server over every database that the run is asked to use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.compat.host import DATABASE_URL, SECRET
from tests.databases import NAMES
from tests.servers import clean_environment, free_port

_PATIENCE = 60  # seconds; a machine that is busy takes its time
_APP = "tests.compat.host:make_app"
_PROJECT = Path(__file__).resolve().parents[2]
_COMMANDS = {
    "uvicorn": ["--factory", "--ws", "none", "--lifespan", "on", "--no-access-log"],
    "granian": ["--factory", "--no-ws", "--interface", "asgi"],
}


class ServerError(Exception):
    """A server did not start, did not stop, or logged an exception."""


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Args:
        name: The database and the ASGI server, for people.
        output: Where all that it prints goes.
    """

    name: str
    url: str
    process: subprocess.Popen[bytes]
    output: Path

    def wait_until_ready(self) -> None:
        """Wait until it answers that it can serve.

        Raises:
            ServerError: It does not.
        """
        deadline = time.monotonic() + _PATIENCE
        with httpx.Client() as client:
            while not self._is_ready(client):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise self._error("does not start")
                time.sleep(0.1)

    def _is_ready(self, client: httpx.Client) -> bool:
        try:
            return client.get(f"{self.url}/ready").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> ServerError | None:
        """Ask it to stop; return what is wrong if it does not, or not in order, or has logged an exception before."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            return self._error("does not stop")
        if code not in (0, -signal.SIGTERM):  # uvicorn ends by the signal that it was sent
            return self._error(f"ended with {code}")
        if "Traceback (most recent call last)" in self.output.read_text():
            return self._error("logged an exception")
        return None

    def _error(self, what: str) -> ServerError:
        return ServerError(f"{self.name} {what}:\n{self.output.read_text()}")


@contextmanager
def serving(database_urls: Mapping[str, str], *, secret: str, directory: Path) -> Iterator[list[Server]]:
    """Run servers until the end of the block.

    Args:
        database_urls: By kind of database; each has its tables.
        secret: What tokens are signed with.
        directory: For their output.

    Raises:
        ServerError: One of them does not start, does not stop in order, or logged an exception.
    """
    with ExitStack() as stack:
        servers = []
        for kind, url in database_urls.items():
            for program in _COMMANDS:
                servers.append(_start(f"{NAMES[kind]}, {program}", program, url, secret, directory))
                stack.callback(_kill, servers[-1].process)
        for server in servers:
            server.wait_until_ready()
        yield servers
        if errors := [str(error) for error in map(Server.stop, servers) if error]:
            raise ServerError("\n".join(errors))


def _start(name: str, program: str, database_url: str, secret: str, directory: Path) -> Server:
    port = free_port()
    output = directory / f"{port}.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", program, "--host", "127.0.0.1", "--port", str(port), *_COMMANDS[program], _APP],
            cwd=_PROJECT,
            env=clean_environment(
                {"PYTHONPATH": os.pathsep.join(sys.path), DATABASE_URL: database_url, SECRET: secret},
            ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return Server(name, f"http://127.0.0.1:{port}", process, output)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a server with the processes that it has started, if anything is left of them."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
