"""The tutorial's orchestrator: its page is what it does, and its files are the examples."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.documents import ROOT, blocks_of
from tests.servers import clean_environment, free_port
from tests.test_docs import check_shell

PAGE = ROOT / "docs" / "tutorial" / "orchestrator.md"
EXAMPLE = ROOT / "examples" / "orchestrator"
FILES = {
    (block.mark or "").removeprefix("file "): block.code
    for block in blocks_of(PAGE)
    if (block.mark or "").startswith("file ")
}
PATIENCE = 60.0  # seconds; a machine that is busy takes its time


def variables(port: int) -> dict[str, str]:
    """Return the environment of the scheduler."""
    return clean_environment(
        {
            "SCHEDULER": f"http://127.0.0.1:{port}",
            "STATEMOUNT_JWT_SECRET": "a secret for the tests of the tutorial, of at least sixty-four bytes",
        }
    )


@contextmanager
def scheduler(directory: Path, port: int, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the scheduler in a directory until the end of the block; it must stop in order, and print no error."""
    for name, code in FILES.items():
        (directory / name).write_text(code)
    output = directory / "scheduler.log"
    with output.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "scheduler:app", "--port", str(port)],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + PATIENCE
    try:
        while not is_ready(port):
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) in (0, -signal.SIGTERM), output.read_text()
        assert "Traceback" not in output.read_text(), output.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def is_ready(port: int) -> bool:
    """Tell whether the scheduler's state can be used."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/state/ready").status_code == 200
    except httpx.TransportError:
        return False


def test_the_files_of_the_page_are_the_example() -> None:
    """The page shows the files of the example, word for word, and the scheduler is as short as it says."""
    assert {path.name: path.read_text() for path in EXAMPLE.glob("*.py")} == FILES
    assert len(FILES["scheduler.py"].splitlines()) <= 150


def test_the_transcript_of_the_page(tmp_path: Path) -> None:
    """The runs print what the page says: a job is found again, a checkpoint gone on from, a watermark advanced."""
    port = free_port()
    environment = variables(port)
    with scheduler(tmp_path, port, environment):
        check_shell(PAGE, tmp_path, environment)


def test_a_scheduler_that_is_killed(tmp_path: Path) -> None:
    """A run that ended with its scheduler goes on where it was when another scheduler starts a run of its name."""
    (tmp_path / "orders.txt").write_text("1\n")
    port = free_port()
    environment = variables(port)
    with scheduler(tmp_path, port, environment) as process:
        with httpx.stream("POST", f"{environment['SCHEDULER']}/runs/monday") as answer:
            for line in answer.iter_lines():
                if line == "export, try 1: wait for job-1":
                    os.killpg(process.pid, signal.SIGKILL)  # its worker, too
                    break
        process.wait(PATIENCE)
    with scheduler(tmp_path, port, environment):
        lines = httpx.post(f"{environment['SCHEDULER']}/runs/monday", timeout=PATIENCE).text.splitlines()
    assert lines[0] == "export, try 1: wait for job-1"
    assert lines[-2:] == ["publish, try 1: 1 new orders after 0", "the run has succeeded"]
    assert len((tmp_path / "jobs.txt").read_text().splitlines()) == 1
