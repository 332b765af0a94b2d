"""``statemount clean`` as a process, watched to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.servers import clean_environment

_COMMAND = (sys.executable, "-c", "from statemount.cli import main; main()", "clean")


class Cleaner:
    """The process. It is told how it ended once it is no longer at work.

    Args:
        output: Where all that it prints goes.

    Attributes:
        cpu_seconds: It used, once it has ended.
    """

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process = process
        self._file = output
        self._began = time.perf_counter()
        self._ended: float | None = None
        self._is_broken_off = False
        self.cpu_seconds = 0.0
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        self._ended = time.perf_counter()

    def is_at_work(self) -> bool:
        """Tell whether it has not ended."""
        return self._ended is None

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return (time.perf_counter() if self._ended is None else self._ended) - self._began

    def stop(self) -> None:
        """Break it off if it is still at work.

        Raises:
            RuntimeError: It failed.
        """
        if self.is_at_work():
            self._is_broken_off = True
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
        self._thread.join()
        if self._process.returncode != 0 and not self._is_broken_off:
            raise RuntimeError(f"statemount clean failed:\n{self._file.read_text()}")


@contextmanager
def cleaning(url: str, directory: Path, cores: Sequence[int]) -> Iterator[Cleaner]:
    """Run ``statemount clean`` on a database until the end of the block at the latest.

    Args:
        directory: For its output.
        cores: Where it may run.
    """
    environment = clean_environment({"STATEMOUNT_DATABASE_URL": url})
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    del environment["PYTHONWARNINGS"]  # other people's packages may warn
    file = directory / "clean.log"
    with file.open("wb") as log:
        process = subprocess.Popen(_COMMAND, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    os.sched_setaffinity(process.pid, cores)
    cleaner = Cleaner(process, file)
    try:
        yield cleaner
    finally:
        cleaner.stop()
