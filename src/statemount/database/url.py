"""A database URL: which driver it means, and what the driver's pool is told."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

from statemount.database.drivers.base import Driver
from statemount.errors import ConfigurationError

_SCHEMES = {
    "sqlite": "sqlite",
    "sqlite+aiosqlite": "sqlite",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "postgresql+asyncpg": "postgresql",
    "mysql": "mysql",
    "mysql+asyncmy": "mysql",
    "mariadb": "mysql",
    "mariadb+asyncmy": "mysql",
}
_DRIVERS = {
    "sqlite": ("aiosqlite", "statemount.database.drivers.sqlite", "SQLiteDriver"),
    "postgresql": ("asyncpg", "statemount.database.drivers.postgresql", "PostgreSQLDriver"),
    "mysql": ("asyncmy", "statemount.database.drivers.mysql", "MySQLDriver"),
}


@dataclass(frozen=True)
class DatabaseUrl:
    """A database URL, read once.

    Args:
        text: ``sqlite:///file``, ``postgresql://...``, ``mysql://...`` or ``mariadb://...``; its options (after
            ``?``) are the driver's.

    Raises:
        ConfigurationError: No such database is supported, or the rest of the URL cannot be read.
    """

    text: str

    def __post_init__(self) -> None:
        if self.scheme not in _SCHEMES or not self.text.startswith("://", len(self.scheme)):
            raise ConfigurationError(
                "the database URL must begin with sqlite://, postgresql://, mysql:// or mariadb://,"
                f" not {self.scheme!r}"
            )
        try:
            is_readable = self._is_readable()
        except ValueError:  # its text may hold a part of the password
            is_readable = False
        if not is_readable and self.is_embedded:
            raise ConfigurationError(
                "a sqlite URL has three slashes before a relative path and four before an absolute one,"
                " and spells ? and # in it as %3F and %23: sqlite:///state.db, sqlite:////srv/state.db"
            )
        if not is_readable:
            raise ConfigurationError(
                "the database URL cannot be read: a host or a port is malformed,"
                " or a name or password has characters that must be percent-encoded"
            )

    def _is_readable(self) -> bool:
        parts = urlsplit(self.text)
        if self.is_embedded:
            return not parts.netloc and not parts.fragment
        if self.dialect == "mysql" and len(self.hosts) > 1:
            return False
        return all(map(_has_port, self.hosts)) and not parts.fragment and "@" not in parts.path

    def __repr__(self) -> str:
        return f"DatabaseUrl({self.masked!r})"

    @property
    def scheme(self) -> str:
        """What stands before the first colon."""
        return self.text.partition(":")[0][:20].lower()

    @property
    def dialect(self) -> str:
        """``sqlite``, ``postgresql`` or ``mysql``."""
        return _SCHEMES[self.scheme]

    @property
    def is_embedded(self) -> bool:
        """Whether the database is a file of ours."""
        return self.dialect == "sqlite"

    @property
    def is_in_memory(self) -> bool:
        """Whether it is SQLite without a file: it lives as long as its one connection."""
        return self.is_embedded and self.file in ("", ":memory:")

    @property
    def file(self) -> str:
        """The path of the SQLite file."""
        path = urlsplit(self.text).path
        return unquote(path[1:])

    @property
    def options(self) -> dict[str, str]:
        """The options after ``?``."""
        return dict(parse_qsl(urlsplit(self.text).query, keep_blank_values=True))

    @property
    def masked(self) -> str:
        """The URL with its password and options hidden, for logs."""
        if self.is_embedded:
            return self.text.partition("?")[0]
        # A password with a bare /, ? or # would end the network location: what stands before the last @ is hidden.
        credentials, at, place = self.text[len(self.scheme) + 3 :].rpartition("@")
        user, colon, _ = credentials.partition(":")
        return f"{self.scheme}://{user}{':***' if colon else ''}{at}{place.partition('?')[0]}"

    @property
    def hosts(self) -> list[str]:
        """The hosts, each with its port if it is named; one empty text if none is."""
        return urlsplit(self.text).netloc.rpartition("@")[2].split(",")

    def with_query(self, query: str, *, host: str | None = None) -> str:
        """Return the URL with other options.

        Args:
            host: In place of all hosts, with its port.
        """
        parts = urlsplit(self.text)
        if host is not None:
            credentials, at, _ = parts.netloc.rpartition("@")
            parts = parts._replace(netloc=f"{credentials}{at}{host}")
        return urlunsplit(parts._replace(scheme=self.dialect, query=query))

    @property
    def plain(self) -> str:
        """What ``databases`` and SQLAlchemy are told, without options; asyncpg is told everything as a DSN."""
        if self.dialect == "postgresql":
            return "postgresql+asyncpg://"
        if self.is_embedded:
            return f"sqlite:///{quote(self.file)}"
        return urlunsplit(urlsplit(self.text)._replace(scheme="mysql+asyncmy", query=""))

    def make_driver(self, *, statement_seconds: float = 10.0, lock_seconds: float = 2.0) -> Driver:
        """Return the driver, imported now.

        Args:
            statement_seconds: Longest time of a statement.
            lock_seconds: Longest wait for a lock.

        Raises:
            ConfigurationError: It is not installed.
        """
        package, module, name = _DRIVERS[self.dialect]
        try:
            import_module(package)
        except ImportError as error:
            extra = "" if self.is_embedded else f"[{self.dialect}]"
            raise ConfigurationError(
                f"the driver for {self.dialect} is not installed: pip install 'statemount{extra}'"
            ) from error
        make: Any = getattr(import_module(module), name)
        driver: Driver = make(statement_seconds=statement_seconds, lock_seconds=lock_seconds)
        return driver


def _has_port(host: str) -> bool:
    """Tell whether a port, if there is one, is a number."""
    _, colon, port = host.rpartition("]")[2].rpartition(":")
    return not colon or port == "" or (port.isascii() and port.isdigit() and int(port) < 65_536)
