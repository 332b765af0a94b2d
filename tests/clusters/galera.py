"""Three nodes of a MariaDB Galera cluster on this machine."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import asyncmy
import asyncmy.errors

from tests.clusters.programs import Account, ClusterError, kill, program, tail, until_true
from tests.servers import free_port

PACKAGES = ("mariadb-server", "galera-4", "rsync")
_PROVIDERS = ("/usr/lib/galera/libgalera_smm.so", "/usr/lib64/galera-4/libgalera_smm.so")
_OPTIONS = {
    "bind-address": "127.0.0.1",
    "binlog-format": "ROW",
    "innodb-autoinc-lock-mode": "2",
    "innodb-buffer-pool-size": "48M",
    "innodb-flush-log-at-trx-commit": "1",
    "innodb-flush-method": "nosync",  # nodes are killed, not the machine
    "innodb-log-file-size": "24M",
    "max-connections": "100",
    "performance-schema": "0",
    "wsrep-cluster-name": "statemount_test",
    "wsrep-on": "ON",
    "wsrep-slave-threads": "4",
    "wsrep-sst-method": "rsync",
}


class Node:
    """One node.

    Args:
        name: Its name in the cluster.
        folder: Where its data and its log are kept.
    """

    def __init__(self, name: str, folder: Path, account: Account) -> None:
        self.name = name
        self.port, self.group_port, self._ist_port, self._sst_port = (free_port() for _ in range(4))
        self._account = account
        self._folder = folder / name
        self._data = self._folder / "data"
        self._log = self._folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        account.make_folder(self._folder)

    @property
    def url(self) -> str:
        """The URL of the database that the app uses."""
        return url_at(self.port)

    async def make(self) -> None:
        """Make an empty data folder."""
        command = [program("mariadb-install-db"), "--no-defaults", f"--datadir={self._data}", "--skip-test-db"]
        command.append("--auth-root-authentication-method=normal")
        await self._account.run(command, self._folder, self._folder / "install.log")

    async def start(self, members: Sequence[Node]) -> None:
        """Start it, and wait until it has all that the others have.

        Args:
            members: Of the cluster, as far as they run; none = it is the first.
        """
        self.launch(members)
        await until_true(self.is_synced, f"{self.name} to join: {self._log}")

    def launch(self, members: Sequence[Node]) -> None:
        """Start it, and do not wait."""
        provider = next((path for path in _PROVIDERS if Path(path).exists()), None)
        if provider is None:
            raise ClusterError(f"the Galera library is not installed: {' '.join(PACKAGES)}")
        group = f"127.0.0.1:{self.group_port}"
        options = {
            **_OPTIONS,
            "datadir": self._data,
            "pid-file": self._folder / "pid",
            "port": self.port,
            "socket": self._folder / "socket",
            "tmpdir": self._folder,  # a server that starts removes the temporary tables of all that use the same one
            "wsrep-cluster-address": "gcomm://" + ",".join(f"127.0.0.1:{node.group_port}" for node in members),
            "wsrep-node-address": group,
            "wsrep-node-name": self.name,
            "wsrep-provider": provider,
            "wsrep-provider-options": f"base_host=127.0.0.1;base_port={self.group_port};gmcast.listen_addr=tcp://{group};"
            f"ist.recv_addr=127.0.0.1:{self._ist_port};gcache.size=64M",
            "wsrep-sst-receive-address": f"127.0.0.1:{self._sst_port}",
        }
        command = [program("mariadbd"), "--no-defaults", *(f"--{name}={value}" for name, value in options.items())]
        self._process = self._account.launch(command, self._folder, self._log)

    async def is_synced(self) -> bool:
        """Tell whether it serves, with all that the others have."""
        if self._process is None or self._process.poll() is not None:
            raise ClusterError(f"{self.name} has ended: {tail(self._log)}")
        try:
            rows = await self.ask("SHOW STATUS WHERE Variable_name IN ('wsrep_ready', 'wsrep_local_state_comment')")
        except (OSError, asyncio.TimeoutError, asyncmy.errors.MySQLError):
            return False
        return dict(rows) == {"wsrep_ready": "ON", "wsrep_local_state_comment": "Synced"}

    async def has_members(self, count: int) -> bool:
        """Tell whether it sees so many nodes."""
        return dict(await self.ask("SHOW STATUS LIKE 'wsrep_cluster_size'")) == {"wsrep_cluster_size": str(count)}

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            kill(self._process)

    def freeze(self) -> None:
        """Stop it in the middle of what it does."""
        assert self._process is not None
        kill(self._process, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        kill(self._process, signal.SIGCONT)

    def forget(self) -> None:
        """Remove its data: it is to get all of it from another node."""
        shutil.rmtree(self._data)

    async def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement."""
        connection = await asyncio.wait_for(
            asyncmy.connect(host="127.0.0.1", port=self.port, user="root", connect_timeout=5, autocommit=True), 10
        )
        try:
            async with connection.cursor() as cursor:
                await cursor.execute(statement)
                return list(await cursor.fetchall())
        finally:
            connection.close()


def url_at(port: int) -> str:
    """Return the URL of the database that the app uses, at a port on this machine."""
    return f"mysql://root@127.0.0.1:{port}/state"


class Cluster:
    """Three nodes."""

    def __init__(self, folder: Path) -> None:
        account = Account("mysql")
        self.nodes = [Node(name, folder, account) for name in ("one", "two", "three")]

    async def start(self) -> None:
        """Start all, one after the other, with an empty database."""
        first, *others = self.nodes
        for node in self.nodes:
            await node.make()
        await first.start([])
        for node in others:
            await node.start([first])
        await first.ask("CREATE DATABASE state CHARACTER SET utf8mb4")
        await self.wait_until_whole()

    async def bring_back(self, node: Node, *, empty: bool) -> None:
        """Start a node that was killed.

        Args:
            empty: Without its data.
        """
        if empty:
            node.forget()
            await node.make()
        await node.start([other for other in self.nodes if other is not node])
        await self.wait_until_whole()

    async def wait_until_whole(self) -> None:
        """Wait until every node sees every other."""
        for node in self.nodes:
            await until_true(partial(node.has_members, len(self.nodes)), f"{node.name} to see all nodes")

    async def conflicts(self) -> int:
        """Return how many transactions were rolled back for one of another node, as far as nodes remember it."""
        names = "'wsrep_local_cert_failures', 'wsrep_local_bf_aborts'"
        rows = [await node.ask(f"SHOW STATUS WHERE Variable_name IN ({names})") for node in self.nodes]
        return sum(int(value) for of_node in rows for _, value in of_node)

    def stop(self) -> None:
        """End all."""
        for node in self.nodes:
            node.kill()
