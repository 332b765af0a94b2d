"""The apps that are measured, each as a server process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.processes import anonymous_mebibytes, cpu_seconds, rss_mebibytes, tree
from tests.servers import clean_environment, free_port

_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Host:
    """How apps are served: the same for all of them.

    Args:
        server: ``granian`` or ``uvicorn``.
        loop: ``uvloop`` or ``asyncio``.
        core: Where their processes run; None = anywhere.
        directory: For their output.
    """

    server: str
    loop: str
    core: int | None
    directory: Path

    @contextmanager
    def serving(self, app: str, variables: Mapping[str, str]) -> Iterator[ServedApp]:
        """Serve an app until the end of the block.

        Args:
            app: As servers take it: ``module:name``.
            variables: Environment variables.
        """
        port = free_port()
        output = self.directory / f"{app.replace(':', '.')}-{port}.log"
        core = "any" if self.core is None else str(self.core)
        command = [sys.executable, "-m", "tests.benchmarks.serve", core, self.server, self.loop, str(port), app]
        environment = clean_environment(variables)
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        del environment["PYTHONWARNINGS"]  # other people's packages may warn
        with output.open("wb") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait_until_it_listens(port, process, output)
            yield ServedApp(port, tuple(tree(process.pid)))
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@dataclass(frozen=True)
class ServedApp:
    """An app that is served."""

    port: int
    pids: tuple[int, ...]

    @property
    def cpu_seconds(self) -> float:
        """CPU time of all its processes so far."""
        return cpu_seconds(self.pids)

    @property
    def rss_mebibytes(self) -> float:
        """Resident memory of the process that serves."""
        return rss_mebibytes(self.pids)

    @property
    def anonymous_mebibytes(self) -> float:
        """The same, without pages of files."""
        return anonymous_mebibytes(self.pids)


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the app does not start:\n{output.read_text()}")
        time.sleep(0.05)
