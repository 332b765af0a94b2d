"""The tables. Every name begins with a prefix, so that they can live in a host's database, and twice in one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from statemount.errors import ConfigurationError

SCHEMA_VERSION = "0002"
"""The newest migration, which this version of the package works with."""

DEFAULT_PREFIX = "statemount_"

_PREFIX = re.compile(r"[a-z_][a-z0-9_]{0,29}")


@dataclass(frozen=True)
class TableNames:
    """The names of all tables under one prefix.

    Args:
        prefix: 1 to 30 characters: lower-case ASCII letters, digits, ``_``; no digit first.

    Raises:
        ConfigurationError: The prefix is something else.
    """

    prefix: str = DEFAULT_PREFIX

    def __post_init__(self) -> None:
        if _PREFIX.fullmatch(self.prefix) is None:
            raise ConfigurationError(
                f"table prefix {self.prefix!r} must be 1 to 30 lower-case letters, digits and _, no digit first"
            )

    @property
    def version(self) -> str:
        """Which migration the schema is at."""
        return f"{self.prefix}version"

    @property
    def channel(self) -> str:
        """Where processes tell each other of changes, on a database that has such a thing."""
        return f"{self.prefix}moved"

    @property
    def scope(self) -> str:
        """The scopes, with their counters."""
        return f"{self.prefix}scope"

    @property
    def entry(self) -> str:
        """The entries."""
        return f"{self.prefix}entry"

    @property
    def change(self) -> str:
        """The log."""
        return f"{self.prefix}change"

    @property
    def dropped_run(self) -> str:
        """Tombstones, by digest: of dropped runs, and of revoked credentials."""
        return f"{self.prefix}dropped_run"

    @property
    def task_instance(self) -> str:
        """The directory's task instances."""
        return f"{self.prefix}task_instance"

    @property
    def asset(self) -> str:
        """The directory's assets."""
        return f"{self.prefix}asset"

    @property
    def task_asset(self) -> str:
        """Which task instance has which asset as inlet or outlet."""
        return f"{self.prefix}task_asset"
