"""Processes of an orchestrator: started with a log, watched while one waits, and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 180.0
"""Seconds that anything may take: a machine that is busy takes its time."""


def environment(variables: Mapping[str, str], *, interpreter: Path) -> dict[str, str]:
    """Return the environment of an orchestrator: nothing of these tests and of any other one, plus these variables."""
    ours = ("AIRFLOW", "COV", "DAGSTER", "ORCHESTRATOR", "PREFECT", "PYTEST", "PYTHON", "STATEMOUNT")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    kept = {name: value for name, value in kept.items() if not name.lower().endswith("_proxy")}
    return {**kept, "PATH": f"{interpreter.parent}{os.pathsep}{kept.get('PATH', '')}", **variables}


@dataclass
class Processes:
    """The processes of one test, each of a session of its own, so that what it has started ends with it.

    Args:
        directory: Where they run, and where their logs go.
    """

    directory: Path
    variables: Mapping[str, str]
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def log(self, name: str) -> Path:
        """Return where a process prints."""
        return self.directory / f"{name}.log"

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start one in the background."""
        with self.log(name).open("ab") as output:
            self._running[name] = subprocess.Popen(
                command,
                cwd=self.directory,
                env=dict(self.variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def run(self, *command: str) -> str:
        """Run one to its end; return what it prints."""
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=dict(self.variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def wait_for(self, what: str, look: Callable[[], T | None]) -> T:
        """Look until there is something to be seen, and all processes run."""
        deadline = time.monotonic() + PATIENCE
        while True:
            seen = look()
            if seen is not None:
                return seen
            ended = [name for name, process in self._running.items() if process.poll() is not None]
            assert not ended, f"{ended[0]} has ended:\n{self.log(ended[0]).read_text()[-4000:]}"
            assert time.monotonic() < deadline, f"no {what}:\n{self._logs()}"
            time.sleep(0.3)

    def _logs(self) -> str:
        return "\n".join(f"== {name}\n{self.log(name).read_text()[-3000:]}" for name in self._running)

    def wait(self, name: str) -> int:
        """Wait until one has ended by itself; return its exit code."""
        process = self._running.pop(name)
        try:
            return process.wait(PATIENCE)
        finally:
            _kill(process)

    def stop(self, name: str, *, seconds: float = 60) -> int:
        """End one in order; return its exit code."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(seconds)
        finally:
            _kill(process)

    def stop_all(self) -> None:
        """End whatever runs, and what it has started."""
        while self._running:
            _, process = self._running.popitem()
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
