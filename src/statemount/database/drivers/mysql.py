"""MariaDB and MySQL through asyncmy."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from statemount.database.drivers.base import Fault
from statemount.database.drivers.servers import ServerDriver
from statemount.database.query import Query, Row
from statemount.errors import ConfigurationError

if TYPE_CHECKING:
    from statemount.database.url import DatabaseUrl

# Deadlock (also Galera's at COMMIT), record changed since last read, and a row that somebody else made just now.
_ROLLED_BACK = (1213, 1020, 1062)
_LOCK_TIMEOUT = 1205
_LOST = (
    0, 1047, 1053, 1077, 1079, 1080, 1152, 1153, 1154, 1155, 1156, 1157, 1158, 1159, 1160, 1161, 1184, 1290, 1836, 1927,
    2002, 2003, 2006, 2012, 2013, 2014, 2026, 2055, 4031,
)  # shutting down, connection errors; read-only after a failover; a node of Galera that is not ready  # fmt: skip
_BUSY = (
    1021, 1028, 1030, 1037, 1040, 1041, 1044, 1045, 1049, 1114, 1142, 1146, 1180, 1203, 1226, 1317, 1969, 3024,
)  # disk full, too many connections, no such database or table, time-outs  # fmt: skip
_READ_ONLY = (1290, 1836)  # what COMMIT is answered with where the server became so after the transaction had begun
_UNKNOWN_VARIABLE = 1193
_OPTIONS = ("ssl", "ssl_ca", "unix_socket", "connect_timeout")


class MySQLDriver(ServerDriver):
    """Sessions are strict, in UTC and READ COMMITTED."""

    name = "mysql"

    def options(self, url: DatabaseUrl, *, size: int) -> dict[str, Any]:
        unknown = sorted(set(url.options) - set(_OPTIONS))
        if unknown:
            raise ConfigurationError(
                f"the database URL has unknown options: {', '.join(unknown)}; known are {', '.join(_OPTIONS)}"
            )
        options: dict[str, Any] = {
            "min_size": 0,  # the connections are held elsewhere: none is opened to have one
            "max_size": size,
            "pool_recycle": -1,
            "charset": "utf8mb4",
            "connect_timeout": _seconds(url.options.get("connect_timeout", "5")),
        }
        authority = url.options.get("ssl_ca")
        if url.options.get("ssl", "true" if authority else "false").lower() not in ("false", "0"):
            try:
                options["ssl"] = ssl.create_default_context(cafile=authority)
            except OSError as error:
                raise ConfigurationError(f"the database URL's option ssl_ca cannot be read: {error}") from error
        if "unix_socket" in url.options:
            options["unix_socket"] = url.options["unix_socket"]
        return options

    def connect_args(self, url: DatabaseUrl) -> dict[str, Any]:
        options = self.options(url, size=1)
        return {name: options[name] for name in ("charset", "connect_timeout", "ssl", "unix_socket") if name in options}

    async def prepare(self, raw: Any, *, is_reader: bool) -> None:
        await self._run_sql(raw, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        if is_reader:
            await self._run_sql(raw, "SET SESSION TRANSACTION READ ONLY")
        await self._run_sql(
            raw,
            "SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = %s, sql_mode = 'STRICT_ALL_TABLES,"
            "NO_ENGINE_SUBSTITUTION,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO'",
            (max(1, int(self.lock_seconds)),),
        )
        await self._set_if_known(raw, "max_statement_time", self.statement_seconds)
        if await self._run_sql(raw, "SHOW VARIABLES WHERE Variable_name = 'wsrep_on' AND Value = 'ON'"):
            await self._run_sql(raw, "SET SESSION wsrep_sync_wait = 1")

    async def _set_if_known(self, raw: Any, variable: str, value: float) -> None:
        try:
            await self._run_sql(raw, f"SET SESSION {variable} = %s", (value,))
        except Exception as error:
            if _code(error) != _UNKNOWN_VARIABLE:
                raise

    async def begin(self, raw: Any) -> None:
        await self._run_sql(raw, "START TRANSACTION")

    async def commit(self, raw: Any) -> None:
        await self._run_sql(raw, "COMMIT")

    def refuses_commit(self, error: BaseException) -> bool:
        return _code(error) in _READ_ONLY

    async def rollback(self, raw: Any) -> None:
        await self._run_sql(raw, "ROLLBACK")

    async def execute(self, raw: Any, query: Query) -> Sequence[Row]:
        if query.mode == "one":
            return await self._run_sql(raw, query.sql, query.args)
        rows: list[Row] = []
        for args in query.args:
            rows += await self._run_sql(raw, query.sql, args)
        return rows

    async def _run_sql(self, raw: Any, sql: str, args: Sequence[Any] = ()) -> Sequence[Row]:
        cursor = raw.cursor()
        try:
            await cursor.execute(sql, args)
            return await cursor.fetchall()  # type: ignore[no-any-return]
        finally:
            await cursor.close()

    def abort(self, raw: Any) -> None:
        raw.close()

    def is_closed(self, raw: Any) -> bool:
        return not raw.connected

    def fault(self, error: BaseException) -> Fault:
        code = _code(error)
        if code in _ROLLED_BACK:
            return Fault.ROLLED_BACK
        if code == _LOCK_TIMEOUT:
            return Fault.LOCKED
        if code in _LOST or isinstance(error, OSError):
            return Fault.LOST
        if code in _BUSY:
            return Fault.BUSY
        if code is None and type(error).__module__.startswith("asyncmy"):
            return Fault.LOST
        return Fault.REFUSED


def _seconds(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigurationError("the database URL's option connect_timeout must be a number") from None


def _code(error: BaseException) -> int | None:
    if type(error).__module__.startswith("asyncmy") and error.args and isinstance(error.args[0], int):
        return error.args[0]
    return None
