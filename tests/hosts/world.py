"""What every host app of these tests has in common, whichever framework it is made with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

from starlette.requests import HTTPConnection
from typing_extensions import override

from statemount import ClaimsDirectory, HostAuth, Identity, MemoryDirectory, StateMount

VARIABLE = "HOSTS_WISHES"
"""Environment variable of a server process: what its app is to be, as JSON."""

MAIN = "/state"
NESTED = "/outer/inner/state"
FIRST, SECOND = "/first", "/second"
LEFT, RIGHT = "/left", "/right"
LATER = "/later"
"""Prefixes: the state itself, in two places; in two databases; in one, by ``table_prefix``; in one that is down."""

PAGE = "https://page.example"
"""The origin that the host's CORS lets in."""

HOSTS = ["host"]
"""The host names that the host answers to."""

PERMISSIONS = frozenset({"state:read", "state:write", "state:delete"})

Identify: TypeAlias = Callable[[HTTPConnection], Any]


@dataclass(frozen=True)
class Wishes:
    """What an app is to be.

    Args:
        framework: One of :data:`~tests.hosts.frameworks.FRAMEWORKS`.
        directory: For its diary and its SQLite files.
        database_url: Of the state at :data:`MAIN`, :data:`LEFT` and :data:`RIGHT`.
    """

    framework: str
    directory: str
    database_url: str

    @classmethod
    def from_environment(cls) -> Wishes:
        """Read them where a server process does."""
        return cls(**json.loads(os.environ[VARIABLE]))

    def to_environment(self) -> dict[str, str]:
        """Return the variables that a server process reads."""
        return {VARIABLE: json.dumps(asdict(self))}

    @property
    def diary(self) -> Diary:
        """Where the app notes what happens to it."""
        return Diary(Path(self.directory) / "diary")


@dataclass(frozen=True)
class Diary:
    """Lines in a file, which may be written by several processes."""

    path: Path

    def note(self, line: str) -> None:
        """Append a line."""
        with self.path.open("a") as file:
            file.write(f"{line}\n")

    def read(self) -> list[str]:
        """Return all lines."""
        return self.path.read_text().splitlines() if self.path.exists() else []


@dataclass(frozen=True)
class User:
    """A user of the host app. One whose name is a UUID is the worker of that task instance."""

    name: str

    @classmethod
    def named(cls, name: str) -> User | None:
        """Return the user of a name, or None."""
        return cls(name) if name == "operator" or _is_uuid(name) else None

    @classmethod
    def of(cls, authorization: str | None) -> User | None:
        """Return the user whom a header tells: ``Bearer`` and a name."""
        scheme, _, name = (authorization or "").partition(" ")
        return cls.named(name) if scheme == "Bearer" else None

    @property
    def identity(self) -> Identity:
        """The user as the state knows him."""
        if not _is_uuid(self.name):
            return Identity(self.name, permissions=PERMISSIONS)
        claims = {"dag_id": "dag", "run_id": "run", "task_id": self.name, "outlets": ["orders"]}
        return Identity(self.name, task_instance_id=UUID(self.name), claims=claims)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


class DiaryAuth(HostAuth):
    """The host's authentication; it notes when the state is opened and closed."""

    def __init__(self, identify: Identify, diary: Diary) -> None:
        super().__init__(identify)
        self._diary = diary

    @override
    async def open(self) -> None:
        self._diary.note("state opened")

    @override
    async def close(self) -> None:
        self._diary.note("state closed")


def make_states(wishes: Wishes, identify: Identify) -> Mapping[str, StateMount]:
    """Return the state apps of a host by prefix.

    Args:
        identify: The host's answer to who is calling.
    """

    def state(url: str, **options: Any) -> StateMount:
        options.setdefault("auth", HostAuth(identify))
        return StateMount(url, directory=lambda: ClaimsDirectory(MemoryDirectory()), auto_migrate=True, **options)

    directory = Path(wishes.directory)
    main = state(wishes.database_url, auth=DiaryAuth(identify, wishes.diary))
    return {
        MAIN: main,
        NESTED: main,
        FIRST: state(f"sqlite:///{directory / 'first.db'}"),
        SECOND: state(f"sqlite:///{directory / 'second.db'}"),
        LEFT: state(wishes.database_url, table_prefix="left_"),
        RIGHT: state(wishes.database_url, table_prefix="right_"),
        LATER: state(f"sqlite:///{directory / 'later' / 'state.db'}"),
    }
