"""Database servers as child processes: found on this machine, started as a user that they accept, and killed."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

PATIENCE = 120.0
"""Seconds that a server may take for what it should do in a few."""


class ClusterError(Exception):
    """A server does not do what it was told to, or a program is not there."""


def program(name: str, *folders: str) -> str:
    """Return the path of a program.

    Args:
        folders: Where to look besides the search path; patterns, of which the last match counts.

    Raises:
        ClusterError: It is not there.
    """
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))
    others = [path for folder in folders for path in sorted(Path("/").glob(f"{folder.lstrip('/')}/{name}"))]
    if others:
        return os.fspath(others[-1])
    if found is None:
        raise ClusterError(f"{name} is not installed")
    return found


class Account:
    """Who servers run as: they refuse to run as root.

    Args:
        name: Of the account, if this runs as root; otherwise servers run as whoever runs this.
    """

    def __init__(self, name: str) -> None:
        self._entry = None
        if os.geteuid() == 0:
            try:
                self._entry = pwd.getpwnam(name)
            except KeyError:
                raise ClusterError(f"there is no account {name}: its server is not installed") from None

    def make_folder(self, path: Path) -> None:
        """Make a folder that belongs to it."""
        path.mkdir(parents=True)
        path.chmod(0o700)
        if self._entry is not None:
            os.chown(path, self._entry.pw_uid, self._entry.pw_gid)

    def launch(self, command: Sequence[str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
        """Start a program, and do not wait."""
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=None if self._entry is None else self._entry.pw_uid,
                group=None if self._entry is None else self._entry.pw_gid,
                extra_groups=None if self._entry is None else [],
            )

    async def run(self, command: Sequence[str], folder: Path, log: Path) -> None:
        """Run a program to its end.

        Raises:
            ClusterError: It failed.
        """
        process = self.launch(command, folder, log)
        try:
            await until(lambda: process.poll() is not None, f"{command[0]} to end")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode:
            raise ClusterError(f"{' '.join(command)} ended with {process.returncode}: {tail(log)}")


def tail(log: Path) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else ""


def kill(process: subprocess.Popen[bytes], which: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a program and to what it has started; with SIGKILL, wait for it."""
    if process.poll() is not None:
        return
    for number in (process.pid, *_children(process.pid)):
        try:
            os.kill(number, which)
        except ProcessLookupError:  # it has ended since
            continue
    if which is signal.SIGKILL:
        process.wait()


def _children(parent: int) -> list[int]:
    children = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it has ended since
            continue
        if int(fields[1]) == parent:
            children.append(int(status.parent.name))
    return children


async def until(condition: Callable[[], object], what: str, *, seconds: float = PATIENCE) -> None:
    """Wait until a condition holds.

    Raises:
        ClusterError: It does not for too long.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ClusterError(f"waited {seconds:.0f} s for {what}")
        await asyncio.sleep(0.02)


async def until_true(ask: Callable[[], Awaitable[object]], what: str, *, seconds: float = PATIENCE) -> None:
    """Wait until a question is answered with yes; a server that does not answer says no.

    Raises:
        ClusterError: It is not for too long.
    """
    deadline = time.monotonic() + seconds
    answer = None
    while not answer:
        if time.monotonic() > deadline:
            raise ClusterError(f"waited {seconds:.0f} s for {what}")
        answer = await ask()
        if not answer:
            await asyncio.sleep(0.1)
