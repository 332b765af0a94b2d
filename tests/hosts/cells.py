"""Which framework is run behind which server."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tests.hosts.frameworks import FRAMEWORKS
from tests.hosts.servers import SERVERS

VARIABLE = "STATEMOUNT_HOSTS"
"""Environment variable: ``all`` runs every framework behind every server, each with a root path and without."""


@dataclass(frozen=True)
class Cell:
    """A framework behind a server.

    Args:
        root_path: What the server tells the app.
    """

    framework: str
    server: str
    root_path: str = ""

    def __str__(self) -> str:
        return f"{self.framework}, {self.server}{', root path' if self.root_path else ''}"


def cells() -> list[Cell]:
    """Return what a run is to try: without ``all``, each framework behind one of the servers, in turn."""
    if os.environ.get(VARIABLE) == "all":
        return [Cell(one, server, root) for one in FRAMEWORKS for server in SERVERS for root in ("", "/proxy")]
    servers = list(SERVERS)
    return [Cell(one, servers[turn % len(servers)], ("", "/proxy")[turn % 2]) for turn, one in enumerate(FRAMEWORKS)]
