"""Two servers of PostgreSQL on this machine: a primary, and a replica that streams from it and may be promoted."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from tests.clusters.door import Door
from tests.clusters.programs import Account, ClusterError, kill, program, tail, until_true
from tests.servers import free_port

_FOLDER = "/usr/lib/postgresql/*/bin"
_SETTINGS = {
    "fsync": "off",  # servers are killed, not the machine
    "hot_standby": "on",
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "wal_keep_size": "512MB",
    "wal_receiver_status_interval": "1",
    "wal_retrieve_retry_interval": "100ms",
}


class Server:
    """One server.

    Args:
        name: Its name as a replica.
        folder: Where its data and its log are kept.
    """

    def __init__(self, name: str, folder: Path, account: Account) -> None:
        self.name = name
        self.port = free_port()
        self._account = account
        self._folder = folder / name
        self._data = self._folder / "data"
        self._log = self._folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        account.make_folder(self._folder)

    @property
    def url(self) -> str:
        """Its URL, for an administrator."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    async def make(self) -> None:
        """Make an empty database."""
        options = ("--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--data-checksums")
        await self._run("initdb", *options, "-D", self._data)  # without checksums there is no pg_rewind
        with (self._data / "postgresql.conf").open("a") as settings:  # which pg_rewind reads, too
            settings.writelines(f"{name} = '{value}'\n" for name, value in _SETTINGS.items())

    async def copy(self, other: Server) -> None:
        """Become a copy of another one, from nothing."""
        shutil.rmtree(self._data, ignore_errors=True)
        await self._run("pg_basebackup", "-d", other.url, "-D", self._data, "-X", "stream", "-c", "fast", "--no-sync")

    async def rewind(self, other: Server) -> None:
        """Become a copy of another one, from what there is."""
        await other.ask("CHECKPOINT")  # which tells it the new timeline
        await self._run("pg_rewind", "-D", self._data, f"--source-server={other.url}", "--no-sync")

    async def start(self, *, primary_port: int | None = None) -> None:
        """Start it, as a replica of what is to be found at a port if that is named."""
        settings = {"port": str(self.port), "unix_socket_directories": str(self._folder)}
        if primary_port is not None:
            (self._data / "standby.signal").touch()
            settings["primary_conninfo"] = (
                f"host=127.0.0.1 port={primary_port} user=postgres application_name={self.name}"
            )
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [program("postgres", _FOLDER), "-D", str(self._data), *options]
        self._process = self._account.launch(command, self._folder, self._log)
        await until_true(self.answers, f"{self.name} to start: {self._log}")

    async def answers(self) -> bool:
        """Tell whether it takes connections."""
        if self._process is None or self._process.poll() is not None:
            raise ClusterError(f"{self.name} has ended: {tail(self._log)}")
        try:
            await self.ask("SELECT 1")
        except (OSError, asyncio.TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    def kill(self) -> None:
        """End it and all its processes at once."""
        if self._process is not None:
            kill(self._process)

    def freeze(self) -> None:
        """Stop all its processes in the middle of what they do: it takes connections, and does not answer."""
        assert self._process is not None
        kill(self._process, signal.SIGSTOP)

    async def promote(self) -> None:
        """Make a primary of a replica."""
        await self.ask("SELECT pg_promote()")
        await until_true(self._is_primary, f"{self.name} to be promoted")

    async def _is_primary(self) -> bool:
        return not (await self.ask("SELECT pg_is_in_recovery()"))[0][0]

    async def wait_for(self, names: str, commit: str) -> None:
        """Wait, at each commit, for the replicas of these names from now on."""
        await self.ask(f"ALTER SYSTEM SET synchronous_commit = '{commit}'")
        await self.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        await self.ask("SELECT pg_reload_conf()")
        if names:
            await until_true(self._has_synchronous, f"{names} to be synchronous")
            await self.ask("CREATE TABLE flushed (); DROP TABLE flushed")  # and all before is at the replica

    async def _has_synchronous(self) -> bool:
        return bool(
            await self.ask("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'")
        )

    async def has_replica(self) -> bool:
        """Tell whether a replica has all that is written here."""
        return bool(
            await self.ask(
                "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND replay_lsn >= pg_current_wal_lsn()"
            )
        )

    async def until_replayed(self) -> None:
        """Wait until the replica shows all that is written here."""
        await until_true(self.has_replica, "the replica to show everything")

    async def ask(self, statement: str) -> Sequence[Any]:
        """Run a statement."""
        connection = await asyncpg.connect(self.url, timeout=5, server_settings={"synchronous_commit": "on"})
        try:
            if statement.startswith("SELECT"):
                return list(await connection.fetch(statement))
            await connection.execute(statement)
            return []
        finally:
            connection.terminate()

    async def _run(self, name: str, *arguments: object) -> None:
        command = [program(name, _FOLDER), *map(str, arguments)]
        await self._account.run(command, self._folder, self._folder / f"{name}.log")


class Pair:
    """A primary and its replica, with a way from one to the other that can be cut.

    Args:
        commit: The primary's ``synchronous_commit``; None = it does not wait for the replica.
    """

    def __init__(self, folder: Path, *, commit: str | None) -> None:
        account = Account("postgres")
        self._commit = commit
        self.primary = Server("one", folder, account)
        self.replica = Server("two", folder, account)
        self._way = Door(self.primary.port)

    @property
    def url(self) -> str:
        """The URL that an app is given: it finds the primary by itself."""
        hosts = ",".join(sorted(f"127.0.0.1:{server.port}" for server in (self.primary, self.replica)))
        return f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"

    async def start(self) -> None:
        """Start both."""
        await self._way.open()
        await self.primary.make()
        await self.primary.start()
        await self.replica.copy(self.primary)
        await self._join()

    def cut(self) -> None:
        """Cut the replica off from the primary."""
        self._way.shut()

    async def fail_over(self, *, freezes: bool) -> None:
        """Kill the primary, and promote the replica.

        Args:
            freezes: Do not kill it: it is there and does not answer, as a machine that is off.
        """
        if freezes:
            self.primary.freeze()
        else:
            self.primary.kill()
        await self.replica.promote()
        self.primary, self.replica = self.replica, self.primary

    async def rebuild(self, *, rewinds: bool) -> None:
        """Make a replica of the server that was the primary."""
        self.replica.kill()
        if rewinds:
            await self.replica.rewind(self.primary)
        else:
            await self.replica.copy(self.primary)
        await self._join()

    async def _join(self) -> None:
        self._way.turn(self.primary.port)
        await self.replica.start(primary_port=self._way.port)
        if self._commit is None:
            await self.primary.until_replayed()
        else:
            await self.primary.wait_for(self.replica.name, self._commit)

    async def stop(self) -> None:
        """End both."""
        await self._way.close()
        for server in (self.primary, self.replica):
            server.kill()
