"""Database servers of one's own, which can be stopped, killed and frozen. Servers that run already are left alone."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from typing_extensions import override

from tests.servers import free_port

_PATIENCE = 60.0  # seconds
_MEBIBYTE = 1024 * 1024


class MissingProgramError(Exception):
    """A program is not installed on this machine."""


class NoSmallDiskError(MissingProgramError):
    """A disk that can be filled cannot be made."""


class ServerProgram(ABC):
    """A database server with its data below a directory of its own.

    Args:
        directory: Of the server alone; whoever runs the server must be able to reach it.

    Attributes:
        url: Of the database that the app is given, for a role that may do no more than it needs.
        max_connections: That it accepts.
    """

    role: str
    """Whom it runs as where the tests run as root, which it refuses to be."""

    max_connections = 40

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True)
        self._own(directory)

    @property
    @abstractmethod
    def url(self) -> str:
        """The app's database."""

    @property
    @abstractmethod
    def administrator_url(self) -> str:
        """The same database, for whoever may do everything."""

    @abstractmethod
    def make(self) -> None:
        """Make the server's files. It does not run yet."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Return what runs it in the foreground."""

    @abstractmethod
    async def connect(self) -> Any:
        """Connect as the administrator, to no database of the app's.

        Raises:
            Exception: It does not answer.
        """

    @abstractmethod
    async def run(self, *statements: str) -> None:
        """Run statements as the administrator, each a transaction."""

    @abstractmethod
    async def make_database(self, directory: Path | None = None) -> None:
        """Make the app's database and role.

        Args:
            directory: Where its files are to be; None = with all others.
        """

    @abstractmethod
    def set_read_only(self, *, on: bool) -> Sequence[str]:
        """Return the statements by which nobody may write, or everybody may again."""

    stop_signal = signal.SIGTERM

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - a test may block
                self.command(),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._user(),
            )
        deadline = time.monotonic() + _PATIENCE
        while True:
            assert self._process.poll() is None, self.log
            try:
                connection = await self.connect()
            except Exception:
                assert time.monotonic() < deadline, self.log
                await asyncio.sleep(0.05)
            else:
                connection.close() if self.role == "mysql" else connection.terminate()
                return

    @property
    def log(self) -> str:
        """What it has printed last."""
        return (self.directory / "log").read_text(errors="replace")[-4000:]

    async def stop(self) -> None:
        """Stop it in order: it ends the sessions that are open."""
        assert self._process is not None
        self._process.send_signal(self.stop_signal)
        deadline = time.monotonic() + _PATIENCE
        while self._process.poll() is None:
            assert time.monotonic() < deadline, self.log
            await asyncio.sleep(0.02)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End all of its processes as ``kill -9`` does. A no-op if it has ended."""
        if self._process is not None and self._process.poll() is None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def freeze(self) -> None:
        """Stop all of its processes where they are: connections stay, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        for pid in (self._process.pid, *_children(self._process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _own(self, path: Path) -> None:
        if os.getuid() == 0:
            shutil.chown(path, self.role, self.role)

    def _user(self) -> dict[str, Any]:
        if os.getuid() != 0:
            return {}
        role = pwd.getpwnam(self.role)
        return {"user": role.pw_uid, "group": role.pw_gid, "extra_groups": []}

    def _do(self, *command: str) -> None:
        done = subprocess.run(
            command, cwd=self.directory, capture_output=True, text=True, check=False, timeout=_PATIENCE, **self._user()
        )
        assert done.returncode == 0, done.stdout + done.stderr


class PostgreSQLProgram(ServerProgram):
    """``postgres``."""

    role = "postgres"
    stop_signal = signal.SIGINT  # its "fast" stop; with SIGTERM it would wait for all sessions

    @property
    @override
    def url(self) -> str:
        return f"postgresql://app@127.0.0.1:{self.port}/app"

    @property
    @override
    def administrator_url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/app"

    @override
    def make(self) -> None:
        options = ("--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync")
        self._do(_program("initdb"), *options, "-D", "data")

    @override
    def command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "max_connections": self.max_connections,
            "superuser_reserved_connections": 0,
            "fsync": "off",  # a killed process loses nothing of what the operating system has
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [_program("postgres"), "-D", "data", "-p", str(self.port), "-k", str(self.directory), *options]

    @override
    async def connect(self) -> Any:
        import asyncpg

        url = urlsplit(self.administrator_url)._replace(path="/postgres").geturl()
        return await asyncpg.connect(url, timeout=5)

    @override
    async def run(self, *statements: str) -> None:
        connection = await self.connect()
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            connection.terminate()

    @override
    async def make_database(self, directory: Path | None = None) -> None:
        await self.run("CREATE ROLE app LOGIN")
        place = ""
        if directory is not None:
            self._own(directory)
            await self.run(f"CREATE TABLESPACE small LOCATION '{directory}'")
            place = " TABLESPACE small"
        await self.run(f"CREATE DATABASE app OWNER app{place}")

    @override
    def set_read_only(self, *, on: bool) -> Sequence[str]:
        change = "SET default_transaction_read_only = on" if on else "RESET default_transaction_read_only"
        return [f"ALTER SYSTEM {change}", "SELECT pg_reload_conf()"]


class MariaDBProgram(ServerProgram):
    """``mariadbd``."""

    role = "mysql"

    @property
    @override
    def url(self) -> str:
        return f"mysql://app@127.0.0.1:{self.port}/app"

    @property
    @override
    def administrator_url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/app"

    @override
    def make(self) -> None:
        self._do(
            _program("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={self.directory / 'data'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        )

    @override
    def command(self) -> Sequence[str]:
        options = {
            "datadir": self.directory / "data",
            "tmpdir": self.directory,  # a server that starts removes the temporary tables of all that use the same one
            "socket": self.directory / "socket",
            "port": self.port,
            "bind-address": "127.0.0.1",
            "pid-file": self.directory / "pid",
            "max-connections": self.max_connections,
            "innodb-flush-method": "nosync",
            "innodb-log-file-size": 8 * _MEBIBYTE,
        }
        return [_program("mariadbd"), "--no-defaults", *(f"--{name}={value}" for name, value in options.items())]

    @override
    async def connect(self) -> Any:
        import asyncmy

        return await asyncmy.connect(host="127.0.0.1", port=self.port, user="root", autocommit=True, connect_timeout=5)

    @override
    async def run(self, *statements: str) -> None:
        connection = await self.connect()
        try:
            async with connection.cursor() as cursor:
                for statement in statements:
                    await cursor.execute(statement)
        finally:
            connection.close()

    @override
    async def make_database(self, directory: Path | None = None) -> None:
        if directory is not None:  # the server has a directory for each database
            (self.directory / "data" / "app").symlink_to(directory)
            self._own(directory)
        else:
            await self.run("CREATE DATABASE app CHARACTER SET utf8mb4")
        await self.run("CREATE USER app@'127.0.0.1'", "GRANT ALL ON app.* TO app@'127.0.0.1'")

    @override
    def set_read_only(self, *, on: bool) -> Sequence[str]:
        return [f"SET GLOBAL read_only = {int(on)}"]


PROGRAMS: dict[str, type[ServerProgram]] = {"postgresql": PostgreSQLProgram, "mysql": MariaDBProgram}


def _program(name: str) -> str:
    """Return the path of a program.

    Raises:
        MissingProgramError: It is not there.
    """
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *map(str, versions)]))
    if found is None:
        raise MissingProgramError(f"{name} is not installed here")
    return os.path.realpath(found)


def _children(pid: int) -> list[int]:
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                children.append(int(stat.parent.name))
    return children


@contextmanager
def small_disk(directory: Path, mebibytes: int) -> Iterator[Path]:
    """Make a file system of so many MiB, for the time of a block.

    Raises:
        NoSmallDiskError: That is not allowed here.
    """
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0777", "tmpfs", os.fspath(directory)]
    if shutil.which("mount") is None:
        raise NoSmallDiskError("no small disk can be made here: there is no mount")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoSmallDiskError(f"no small disk can be made here: {done.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", os.fspath(directory)], check=True)
