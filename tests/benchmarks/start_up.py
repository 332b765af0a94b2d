"""How long a start takes: ``python -m tests.benchmarks.start_up`` prints milliseconds.

All modules are compiled before, as those of an installed package are.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from statemount.mount import StateMount
from statemount.operations import Set
from tests.processes.workers import SECRET, request, task
from tests.servers import COMMAND, clean_environment, free_port

RUNS = 7
_PATIENCE = 30.0
_KEY = "key"
_WORKER = task("started")
_REQUEST = request("GET", _WORKER.path(_KEY), _WORKER)

_IMPORT = """
import sys
before = set(sys.modules)
{statement}
used = [name for name in sys.modules if name not in before and name.split(".")[0] != "statemount"]
print("\\n".join(used))
"""
_IMPORT_BEYOND = """
import importlib, time
for name in {used!r}:
    try:
        importlib.import_module(name)
    except ImportError:  # a part of another module, which makes it
        pass
began = time.perf_counter()
{statement}
print(time.perf_counter() - began)
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured several times.

    Args:
        seconds: Each time.
    """

    name: str
    seconds: Sequence[float]

    @property
    def line(self) -> str:
        """Median, least and most, in milliseconds."""
        median, least, most = (1000 * of(self.seconds) for of in (statistics.median, min, max))
        return f"{median:7.0f} ms ({least:.0f} to {most:.0f})  {self.name}"


def servers(port: int) -> dict[str, list[str]]:
    """Return the commands that start the app alone on a port, by what a reader calls them."""
    python = [sys.executable, "-m"]
    address = ["--host", "127.0.0.1", "--port", str(port)]
    return {
        "statemount serve --server uvicorn": [COMMAND, "serve", "--server", "uvicorn", *address],
        "statemount serve --server granian": [COMMAND, "serve", "--server", "granian", *address],
        "uvicorn statemount.asgi:app": [*python, "uvicorn", "statemount.asgi:app", *address],
        "granian statemount.asgi:app": [*python, "granian", "statemount.asgi:app", "--interface", "asgi", *address],
    }


@contextmanager
def keeping_bytecode() -> Iterator[None]:
    """Let processes that are started in the block keep what they compile, until its end, whatever the environment."""
    before = {name: os.environ.pop(name, None) for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")}
    with tempfile.TemporaryDirectory() as directory:
        os.environ["PYTHONPYCACHEPREFIX"] = directory
        try:
            yield
        finally:
            del os.environ["PYTHONPYCACHEPREFIX"]
            os.environ.update({name: value for name, value in before.items() if value is not None})


def measure_import(statement: str, runs: int = RUNS) -> Measured:
    """Return what an import takes once all that it imports of other packages is there."""
    used = _run(_IMPORT.format(statement=statement)).split()
    code = _IMPORT_BEYOND.format(statement=statement, used=used)
    return Measured(f"{statement}, beyond what it depends on", [float(_run(code)) for _ in range(runs)])


def measure_process(name: str, code: str, runs: int = RUNS) -> Measured:
    """Return what a whole interpreter takes that runs some code."""

    def once() -> float:
        began = time.perf_counter()
        _run(code)
        return time.perf_counter() - began

    once()  # compiles
    return Measured(name, [once() for _ in range(runs)])


def measure_first_answer(name: str, directory: Path, runs: int = RUNS) -> Measured:
    """Return how long after the start of a server its first 200 comes, on a SQLite file that has its schema.

    Args:
        name: One of :func:`servers`.
    """
    url = f"sqlite:///{directory / 'state.db'}"
    asyncio.run(_prepare(url))
    _first_answer(name, url, directory)  # compiles
    return Measured(f"first answer of {name}", [_first_answer(name, url, directory) for _ in range(runs)])


async def _prepare(url: str) -> None:
    state = StateMount(url)
    async with state.lifespan():
        await state.service.store.apply(_WORKER.scope, [Set(_KEY, "1")], writer=None)


def _first_answer(name: str, url: str, directory: Path) -> float:
    port = free_port()
    environment = clean_environment(
        {"STATEMOUNT_DATABASE_URL": url, "STATEMOUNT_DIRECTORY": "claims", "STATEMOUNT_JWT_SECRET": SECRET}
    )
    with (directory / "output").open("ab") as log:
        began = time.perf_counter()
        process = subprocess.Popen(servers(port)[name], env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            while not _answers(port):
                if process.poll() is not None or time.perf_counter() - began > _PATIENCE:
                    raise RuntimeError((directory / "output").read_text())
                time.sleep(0.001)
            return time.perf_counter() - began
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(_REQUEST)
            status = connection.recv(1024).split(b" ")[1:2]
    except ConnectionError:
        return False
    if status not in ([], [b"200"]):
        raise RuntimeError(f"the answer is {status}")
    return status == [b"200"]


def _run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Print everything."""
    with keeping_bytecode():
        _measure_all()


def _measure_all() -> None:
    print(measure_process("an interpreter that does nothing", "pass").line, flush=True)
    for statement in (
        "import statemount",
        "from statemount import *",
        "import statemount.mount",
        "import statemount.cli",
    ):
        print(measure_process(f"{statement}, in a new interpreter", statement).line, flush=True)
        print(measure_import(statement).line, flush=True)
    with tempfile.TemporaryDirectory() as directory:
        for name in servers(0):
            print(measure_first_answer(name, Path(directory)).line, flush=True)


if __name__ == "__main__":
    main()
