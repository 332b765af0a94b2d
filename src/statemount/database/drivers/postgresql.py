"""PostgreSQL through asyncpg."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import asyncpg
from asyncpg import InterfaceError

from statemount.database.drivers.base import BeginError, CommitError, Fault
from statemount.database.drivers.servers import ServerDriver
from statemount.database.query import Query, Row, ScriptFactory
from statemount.errors import ConfigurationError

if TYPE_CHECKING:
    from statemount.database.url import DatabaseUrl

T = TypeVar("T")

_NUMBERS = (
    "statement_cache_size",
    "max_cached_statement_lifetime",
    "max_cacheable_statement_size",
    "timeout",
)
_LOST_CLASSES = ("08", "57P")
_ROLLED_BACK = ("40001", "40P01", "23505")  # 23505: somebody made the same row just now; the next try sees it
_LOCK_TIMEOUT = "55P03"
_BUSY = ("57014", "42P01", "42703", "42501")  # statement time-out; a schema that is not ours (yet)
_BUSY_CLASSES = ("53", "58", "XX")
_UNKNOWN_PARAMETER = ("42704", "22023")
_PROTOCOL_VIOLATION = "08P01"
_NEXT_HOST = (OSError, asyncio.TimeoutError, asyncpg.CannotConnectNowError, asyncpg.TargetServerAttributeNotMatched)
_READ_ONLY = "25006"  # after a failover, a connection to what is now a standby


class Hosts:
    """Several hosts, of which one answers; it is the first to be asked the next time.

    asyncpg by itself asks the next one only where one refuses: it waits for one that does not answer at all, because
    its machine is off, until all the time is over. Here each has its share of the time.

    Args:
        dsns: One for each host.
    """

    def __init__(self, dsns: Iterable[str]) -> None:
        self._dsns = list(dsns)

    @property
    def first(self) -> str:
        """The DSN of the host that is asked first."""
        return self._dsns[0]

    async def connect(self, dsn: str, *, timeout: float, **options: Any) -> Any:
        """Open a connection, as asyncpg's function does.

        Args:
            dsn: Of any of the hosts.
            timeout: Seconds for all hosts together.
        """
        failure: Exception | None = None
        for one in [*self._dsns]:
            try:
                connection = await asyncpg.connect(one, timeout=timeout / len(self._dsns), **options)
            except _NEXT_HOST as error:
                failure = error
            else:
                self._dsns.remove(one)
                self._dsns.insert(0, one)
                return connection
        raise failure or AssertionError("unreachable")


class PostgreSQLDriver(ServerDriver):
    """Sessions are set up by start parameters, so that a new connection costs no further round trip.

    Behind a pooler that gives each transaction another session (PgBouncer), which is what the URL's option
    ``statement_cache_size=0`` stands for, each transaction is set up instead, and reads are transactions, too: a
    statement is prepared and run in two steps, between which the session must not change.
    """

    name = "postgresql"

    def __init__(self, *, statement_seconds: float, lock_seconds: float) -> None:
        super().__init__(statement_seconds=statement_seconds, lock_seconds=lock_seconds)
        self._settings = {
            "lock_timeout": str(int(lock_seconds * 1000)),
            "statement_timeout": str(int(statement_seconds * 1000)),
            "idle_in_transaction_session_timeout": "15000",
            "enable_seqscan": "off",  # a plan made for a small table is kept when it has grown
        }
        self._is_pooled = False
        self._begin = "BEGIN"
        self._hosts: Hosts | None = None
        self._connect: Callable[..., Awaitable[Any]] = asyncpg.connect

    async def connect(self, url: DatabaseUrl, **options: Any) -> Any:
        """Open one connection by itself."""
        arguments = self.connect_args(url)
        return await self._connect(**arguments, **options)

    def options(self, url: DatabaseUrl, *, size: int) -> dict[str, Any]:
        connect_args = self.connect_args(url)
        self._is_pooled = connect_args.get("statement_cache_size") == 0
        settings = {"application_name": url.options.get("application_name", "statemount"), "timezone": "UTC"}
        if self._is_pooled:
            each = [f"SET LOCAL {name} = {value}" for name, value in self._settings.items()]
            self._begin = "; ".join(["BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", *each])
        else:
            settings.update({"default_transaction_isolation": "read committed", **self._settings})
        return {
            **connect_args,
            "connect": self._connect,
            "database": None,  # else `databases` gives the empty one of its own URL, which comes before the DSN's
            "min_size": 0,  # the connections are held elsewhere: none is opened to have one
            "max_size": size,
            "max_inactive_connection_lifetime": 0,
            "server_settings": settings,
        }

    def connect_args(self, url: DatabaseUrl) -> dict[str, Any]:
        mine = {*_NUMBERS, "application_name"}
        others = urlencode({name: value for name, value in url.options.items() if name not in mine})
        # asyncpg reads the rest (sslmode, target_session_attrs, several hosts ...) from a DSN, if it stands alone.
        options: dict[str, Any] = {"dsn": url.with_query(others), "timeout": 5}
        if len(url.hosts) > 1 and url.options.get("target_session_attrs") != "prefer-standby":
            self._hosts = self._hosts or Hosts(url.with_query(others, host=host) for host in url.hosts)
            self._connect = self._hosts.connect
            options["dsn"] = self._hosts.first
        for name in _NUMBERS:
            if name in url.options:
                try:
                    options[name] = int(url.options[name])
                except ValueError:
                    raise ConfigurationError(f"the database URL's option {name} must be a number") from None
        return options

    def is_misconfiguration(self, error: BaseException) -> bool:
        if type(error).__name__ == "ClientConfigurationError" or _state(error) in _UNKNOWN_PARAMETER:
            return True
        return _state(error) == _PROTOCOL_VIOLATION and "unsupported startup parameter" in str(error)  # PgBouncer's

    async def prepare(self, raw: Any, *, is_reader: bool) -> None:
        if is_reader and not self._is_pooled:
            await raw.execute("SET default_transaction_read_only = on")

    async def read(self, raw: Any, factory: ScriptFactory[T]) -> T:
        if not self._is_pooled:
            return await super().read(raw, factory)
        try:
            return await self.write(raw, factory)
        except (BeginError, CommitError) as error:
            raise error.__cause__ or error from None

    async def begin(self, raw: Any) -> None:
        try:
            await raw.execute(self._begin)
        except Exception:
            if not self.is_closed(raw) and raw.is_in_transaction():  # it began, and was not set up
                await self._roll_back(raw)
            raise

    async def commit(self, raw: Any) -> None:
        await raw.execute("COMMIT")

    async def rollback(self, raw: Any) -> None:
        await raw.execute("ROLLBACK")

    async def execute(self, raw: Any, query: Query) -> Sequence[Row]:
        if query.mode == "many":
            await raw.executemany(query.sql, query.args)
            return ()
        if query.mode == "each":
            return [row for args in query.args for row in await raw.fetch(query.sql, *args)]
        return await raw.fetch(query.sql, *query.args)  # type: ignore[no-any-return]

    def abort(self, raw: Any) -> None:
        # Also one that the server has closed: before asyncpg 0.32 its place in the pool is free only then.
        with suppress(InterfaceError):  # the pool has taken it back already
            raw.terminate()

    def is_closed(self, raw: Any) -> bool:
        try:
            return raw.is_closed()  # type: ignore[no-any-return]
        except InterfaceError:  # it broke, and the pool has taken it back already
            return True

    def fault(self, error: BaseException) -> Fault:
        state = _state(error)
        if state is not None:
            if state in _ROLLED_BACK:
                return Fault.ROLLED_BACK
            if state == _LOCK_TIMEOUT:
                return Fault.LOCKED
            if state == _READ_ONLY or state.startswith(_LOST_CLASSES):
                return Fault.LOST
            if state in _BUSY or state.startswith(_BUSY_CLASSES):
                return Fault.BUSY
            return Fault.REFUSED
        if isinstance(error, OSError) or type(error).__name__ in ("InterfaceError", "InternalClientError"):
            return Fault.LOST
        return Fault.REFUSED


def _state(error: BaseException) -> str | None:
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else None
