"""A server for the commands that ask one, and the commands as its users call them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

from statemount.client import Registration, StateClient
from statemount.model import TaskScope
from statemount.mount import StateMount
from tests.cli.commands import called, printed
from tests.client.support import AUTH, PERMISSIONS, mounted, serving

TASK = ("etl", "monday", "load")


@dataclass(frozen=True)
class Remote:
    """A server that runs, and somebody at a terminal.

    Args:
        url: Where the app is mounted.
    """

    url: str
    command: str

    def __call__(self, *arguments: str, permissions: Sequence[str] = PERMISSIONS) -> str:
        """Run a sub-command, which must succeed; return what it prints."""
        return printed(self.command, *arguments, **self.variables(permissions))

    def ends(self, *arguments: str, permissions: Sequence[str] = PERMISSIONS) -> tuple[object, str]:
        """Run a sub-command, which must fail with one line on stderr; return its exit code and that line."""
        code, output, errors = called(self.command, *arguments, **self.variables(permissions))
        assert output == ""
        assert errors.count("\n") == 1
        return code, errors.removeprefix("statemount: ").removesuffix("\n")

    def variables(self, permissions: Sequence[str]) -> dict[str, str]:
        """Return the environment of somebody with these permissions."""
        return {"STATEMOUNT_URL": self.url, "STATEMOUNT_TOKEN": AUTH.tokens.public("somebody", permissions)}

    def client(self) -> StateClient:
        """Return a client with every permission."""
        return StateClient(self.url, token=AUTH.tokens.public("host", PERMISSIONS))

    def worker(self, *, map_index: int = -1, outlets: Sequence[str] = ()) -> tuple[StateClient, UUID]:
        """Register a task instance; return its worker's client and its id."""
        registration = Registration(uuid4(), TaskScope(*TASK, map_index), outlets=outlets)
        with self.client() as client:
            client.directory.register_task_instance(registration)
        return StateClient(self.url, token=AUTH.tokens.worker(registration.id)), registration.id


@contextmanager
def remote(command: str) -> Iterator[Remote]:
    """Run a server with nothing in it until the end of the block."""
    with serving(mounted(StateMount("memory://", auth=AUTH))) as url:
        yield Remote(f"{url}/state", command)
