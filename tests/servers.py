"""Servers that a test starts as processes, by the command line."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx

COMMAND = os.fspath(Path(sys.executable).with_name("statemount"))
_PATIENCE = 60  # seconds; a machine that is busy takes its time


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Args:
        output: Where all that it prints goes.
    """

    url: str
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def exports(self) -> dict[str, str]:
        """The variables of the ``export`` lines that it printed."""
        return dict(re.findall(r"^ *export (\w+)=(\S+)$", self.output.read_text(), re.MULTILINE))


class _Ports:
    """Ports for this process alone, for as long as it runs.

    Two servers on one port answer each other's requests, where both allow it; and one that is started again would find
    its port taken. So processes that run tests at once each have a block of ports, held by a socket at its first one;
    and none is of those that the system gives to whoever asks for any (from 32,768 on, or higher).
    """

    _FIRST, _LAST, _BLOCK = 12_000, 32_000, 250

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._holder = socket.socket()
        self._used = 0
        first = self._FIRST
        while not _bind(self._holder, first):
            first += self._BLOCK
            assert first < self._LAST, "every block of ports is taken"
        self._first = first

    def next(self) -> int:
        """Return one that was not given for the longest time and that nobody else listens on."""
        assert os.getpid() == self._pid, "a fork has the same ports"
        for _ in range(self._BLOCK):
            self._used += 1
            port = self._first + 1 + self._used % (self._BLOCK - 1)
            with socket.socket() as listener:
                if _bind(listener, port):
                    return port
        raise AssertionError("every port of this process's block is taken")


def _bind(listener: socket.socket, port: int) -> bool:
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


_ports = cache(_Ports)


def free_port() -> int:
    """Return a port that nobody listens on, and that no other process's tests are given."""
    return _ports().next()


def clean_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without settings of ours, plus these variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STATEMOUNT_")}
    return {**kept, "PYTHONWARNINGS": "error", **variables}


@contextmanager
def serving(
    *arguments: str, directory: Path, variables: Mapping[str, str] | None = None, port: int | None = None
) -> Iterator[Server]:
    """Run ``statemount serve`` with these arguments until the end of the block; it must then stop by itself, with 0.

    Args:
        directory: Where it runs, and where its output goes.
        variables: Environment variables.
        port: None = a free one.
    """
    port = free_port() if port is None else port
    output = directory / f"serve-{port}.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", str(port), *arguments],
            cwd=directory,
            env=clean_environment(variables or {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = Server(f"http://127.0.0.1:{port}", process, output)
    try:
        _wait_until_alive(server)
        yield server
        process.send_signal(signal.SIGTERM)
        assert process.wait(_PATIENCE) == 0, output.read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its worker processes, too
        process.wait()


def _wait_until_alive(server: Server) -> None:
    deadline = time.monotonic() + _PATIENCE
    with httpx.Client() as client:
        while True:
            try:
                client.get(f"{server.url}/health").raise_for_status()
            except httpx.TransportError:
                assert server.process.poll() is None, server.output.read_text()
                assert time.monotonic() < deadline, server.output.read_text()
                time.sleep(0.05)
            else:
                return
