"""A database URL says which driver is meant, where the database is, and nothing secret when it is printed."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from statemount.database.connections import Connections
from statemount.database.drivers.base import Driver
from statemount.database.schema import SCHEMA_VERSION, TableNames
from statemount.database.url import DatabaseUrl
from statemount.database.version import schema_version
from statemount.errors import ConfigurationError, UnavailableError
from tests.database.support import ask, connected, run_python, with_credentials

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("sqlite://", "sqlite"),
        ("sqlite:///state.db", "sqlite"),
        ("sqlite+aiosqlite:///state.db", "sqlite"),
        ("postgres://host/name", "postgresql"),
        ("postgresql://host/name", "postgresql"),
        ("postgresql+asyncpg://host/name", "postgresql"),
        ("PostgreSQL://host/name", "postgresql"),
        ("postgresql:///name?host=/run/postgresql", "postgresql"),
        ("postgresql://u:p@one:5432,two:5433,[::1]:5434/name", "postgresql"),
        ("postgresql://[::1]/name", "postgresql"),
        ("postgresql://host:/name", "postgresql"),
        ("mysql://host/name", "mysql"),
        ("mysql+asyncmy://host:3306/name", "mysql"),
        ("mariadb://host/name", "mysql"),
        ("mariadb+asyncmy://u:p%40%2F%3F%23@host/name", "mysql"),
    ],
)
def test_a_scheme_names_a_dialect(text: str, dialect: str) -> None:
    """Every spelling of a supported database is understood, and has a driver."""
    url = DatabaseUrl(text)
    assert url.dialect == dialect
    assert isinstance(url.make_driver(), Driver)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "''"),
        ("state.db", "'state.db'"),
        ("oracle://u:hidden@host/name", "'oracle'"),
        ("postgresql+psycopg://host/name", "'postgresql+psycopg'"),
        ("my_user:hidden@host/name", "'my_user'"),
        ("sqlite:state.db", "'sqlite'"),
        ("postgresql:host/name", "'postgresql'"),
        (" postgresql://host/name", "' postgresql'"),
    ],
)
def test_an_unknown_scheme_is_refused(text: str, named: str) -> None:
    """The sentence names what is supported, and of the URL only what stands before the first colon."""
    with pytest.raises(ConfigurationError) as caught:
        DatabaseUrl(text)
    assert str(caught.value) == (
        f"the database URL must begin with sqlite://, postgresql://, mysql:// or mariadb://, not {named}"
    )


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://user:hidden/1@host/name",
        "postgresql://user:hidden?1@host/name",
        "postgresql://user:hidden#1@host/name",
        "postgresql://user:12/hidden@host/name",
        "postgresql://user:12#hidden@host/name",
        "postgresql://host:hidden/name",
        "postgresql://host:70000/name",
        "postgresql://one:5432,two:x/name",
        "postgresql://[::1/name",
        "mysql://user:hidden/1@host/name",
        "mysql://one:3306,two:3306/name",
        "mysql://host:3306x/name",
    ],
)
def test_a_url_that_cannot_be_read_is_refused(text: str) -> None:
    """A bad host or port, or a password that is not percent-encoded, is refused without being repeated."""
    with pytest.raises(ConfigurationError, match="^the database URL cannot be read: .* percent-encoded$") as caught:
        DatabaseUrl(text)
    assert "hidden" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("text", ["sqlite://state.db", "sqlite://srv/state.db", "sqlite:///a#b.db"])
def test_a_sqlite_url_with_a_host_is_refused(text: str) -> None:
    """Two slashes are no file, and not a database in memory either: nothing is kept in the wrong place in silence."""
    with pytest.raises(ConfigurationError, match="^a sqlite URL has three slashes"):
        DatabaseUrl(text)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("sqlite:///a b.db?x=1", "sqlite:///a b.db"),
        ("sqlite:////srv/a@b.db", "sqlite:////srv/a@b.db"),
        ("postgresql://user:hidden@host:5432/name?sslpassword=hidden", "postgresql://user:***@host:5432/name"),
        ("postgresql://user:hid%40den@one:1,two:2/name", "postgresql://user:***@one:1,two:2/name"),
        ("postgresql://user:hid@den@host/name", "postgresql://user:***@host/name"),
        ("postgresql://user@host/name", "postgresql://user@host/name"),
        ("postgresql://host/name?password=hidden", "postgresql://host/name"),
        ("postgresql://user:hidden?@host/name?a=1", "postgresql://user:***@host/name"),
        ("mysql://:hidden@host/name", "mysql://:***@host/name"),
        ("mariadb://user:@host/name", "mariadb://user:***@host/name"),
    ],
)
def test_a_url_is_printed_without_secrets(text: str, masked: str) -> None:
    """Neither password nor options are in what a URL is printed as."""
    try:
        url = DatabaseUrl(text)
    except ConfigurationError:  # what cannot be read is still masked wherever it is kept
        url = object.__new__(DatabaseUrl)
        object.__setattr__(url, "text", text)
    assert url.masked == masked
    assert repr(url) == str(url) == f"DatabaseUrl({masked!r})"


@pytest.mark.parametrize(
    ("text", "file", "in_memory"),
    [
        ("sqlite://", "", True),
        ("sqlite:///", "", True),
        ("sqlite:///:memory:", ":memory:", True),
        ("sqlite:///state.db", "state.db", False),
        ("sqlite:////srv/state.db", "/srv/state.db", False),
        ("sqlite:///a%20b/c d.db", "a b/c d.db", False),
        ("sqlite:///a%3Fb%23c%25d.db", "a?b#c%d.db", False),
        ("sqlite:///%C3%A9.db", "\u00e9.db", False),
    ],
)
def test_the_file_of_a_sqlite_url(text: str, file: str, in_memory: bool) -> None:
    """Three slashes lead a relative path, four an absolute one; what is percent-encoded is decoded once."""
    url = DatabaseUrl(text)
    assert (url.file, url.is_in_memory, url.is_embedded) == (file, in_memory, True)


@pytest.mark.parametrize(
    "name", ["plain.db", "with space.db", "a?b#c.db", "50%25.db", "%41.db", "\u00e9.db", "a@b:c.db"]
)
async def test_exactly_the_file_that_is_named_is_opened(tmp_path: Path, name: str) -> None:
    """Whatever its name is made of, the file is there afterwards, and no other."""
    encoded = name.replace("%", "%25").replace("?", "%3F").replace("#", "%23")
    async with connected(f"sqlite:///{tmp_path}/{encoded}") as connections:
        await connections.write(ask("CREATE TABLE t (x)"))
        await connections.read(ask("SELECT * FROM t"))
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208
    found = sqlite3.connect(tmp_path / name)
    assert found.execute("SELECT name FROM sqlite_master").fetchall() == [("t",)]
    found.close()


async def test_a_relative_path_is_below_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``sqlite:///x.db`` lies in the directory that the process runs in."""
    monkeypatch.chdir(tmp_path)
    async with connected("sqlite:///relative.db") as connections:
        await connections.write(ask("CREATE TABLE t (x)"))
    assert (tmp_path / "relative.db").exists()


async def test_a_file_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    """A directory that is missing is said in one line."""
    with pytest.raises(UnavailableError, match="^no connection to the database: OperationalError: unable to open"):
        await Connections(DatabaseUrl(f"sqlite:///{tmp_path}/missing/state.db")).open()


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    """What is not SQLite's is not touched."""
    (tmp_path / "text.db").write_text("something else " * 100)
    with pytest.raises(UnavailableError, match="file is not a database"):
        await Connections(DatabaseUrl(f"sqlite:///{tmp_path}/text.db")).open()
    assert (tmp_path / "text.db").read_text() == "something else " * 100


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sqlite:///x.db?timeout=5&cache=shared", "a sqlite URL takes no options, but has cache, timeout"),
        ("mysql://h/d?ssl_mode=x&a=b", "the database URL has unknown options: a, ssl_mode; known are "),
        ("mysql://h/d?connect_timeout=soon", "the database URL's option connect_timeout must be a number"),
        ("mysql://h/d?ssl_ca=/no/such/file", "the database URL's option ssl_ca cannot be read: "),
        ("postgresql://h/d?statement_cache_size=no", "the database URL's option statement_cache_size must be a number"),
        ("postgresql://h/d?timeout=1s", "the database URL's option timeout must be a number"),
    ],
)
def test_an_option_that_cannot_work_is_refused(text: str, sentence: str) -> None:
    """Unknown options, and values that are none, are refused before anything is opened."""
    with pytest.raises(ConfigurationError) as caught:
        Connections(DatabaseUrl(text))
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("options", "is_encrypted"),
    [
        ("", False),
        ("ssl=false", False),
        ("ssl=0", False),
        ("ssl=true", True),
        ("ssl_ca={}", True),
        ("ssl=false&ssl_ca={}", False),
    ],
)
def test_mysql_is_encrypted_as_asked(tmp_path: Path, options: str, is_encrypted: bool) -> None:
    """A certificate authority alone asks for encryption too; only an explicit no is a no."""
    authority = tmp_path / "authority.pem"
    authority.write_text(_AUTHORITY)
    url = DatabaseUrl(f"mysql://h/d?{options.format(authority)}")
    driver = url.make_driver()
    assert ("ssl" in driver.options(url, size=1)) is is_encrypted
    assert ("ssl" in driver.connect_args(url)) is is_encrypted


def test_a_socket_of_mysql() -> None:
    """A Unix socket and the time to connect reach the driver, for the migrations too."""
    url = DatabaseUrl("mysql://h/d?unix_socket=/run/mysqld.sock&connect_timeout=3")
    driver = url.make_driver()
    for options in (driver.options(url, size=1), driver.connect_args(url)):
        assert (options["unix_socket"], options["connect_timeout"]) == ("/run/mysqld.sock", 3)


@pytest.mark.parametrize(
    ("dialect", "package"), [("sqlite", "aiosqlite"), ("postgresql", "asyncpg"), ("mysql", "asyncmy")]
)
def test_a_driver_that_is_missing_is_named(dialect: str, package: str) -> None:
    """Without its driver a database is refused in one sentence, which names the extra to install."""
    code = f"""
import sys
sys.modules[{package!r}] = None
from statemount.database.url import DatabaseUrl
from statemount.errors import ConfigurationError
url = DatabaseUrl("{dialect}:///x")
try:
    url.make_driver()
except ConfigurationError as error:
    print(error)
"""
    extra = "" if dialect == "sqlite" else f"[{dialect}]"
    assert run_python(code) == f"the driver for {dialect} is not installed: pip install 'statemount{extra}'"


def test_a_url_alone_imports_no_driver() -> None:
    """Reading a URL, and the package itself, load no database driver and no Alembic."""
    code = """
import sys, statemount
from statemount.database.url import DatabaseUrl
DatabaseUrl("postgresql://host/name"), DatabaseUrl("mysql://host/name")
print(sorted({"asyncpg", "asyncmy", "aiosqlite", "alembic"} & set(sys.modules)))
"""
    assert run_python(code) == "[]"


async def test_a_password_is_not_told(database_kind: str, database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the log at DEBUG nor an error holds the password, whether or not a server takes it or is there."""
    caplog.set_level(logging.DEBUG)
    said = ""
    for url in (database_url if database_kind != "sqlite" else "mysql://host/d", "postgresql://127.0.0.1:1/d"):
        connections = Connections(DatabaseUrl(with_credentials(url, "postgres:hid%2Fden%40secret")))
        try:
            await connections.open()
            await connections.read(ask("SELECT 1"))
        except UnavailableError as error:
            said += f"{error} {error!r} {error.__cause__!r}"
        finally:
            await connections.close()
    assert "no connection to the database" in said
    assert "secret" not in said + caplog.text
    assert "hid" not in said + caplog.text


async def test_a_broken_url_option_is_refused_by_the_server(database_kind: str, database_url: str) -> None:
    """What only PostgreSQL can judge is a mistake of the configuration as well, not an outage."""
    bad = {
        "postgresql": ["no_such_setting=1", "sslmode=perhaps", "target_session_attrs=best", "work_mem=lots"],
        "mysql": ["no_such_setting=1"],
        "sqlite": ["no_such_setting=1"],
    }
    for options in bad[database_kind]:
        with pytest.raises(ConfigurationError, match="the database URL|sqlite URL"):
            await Connections(DatabaseUrl(f"{database_url}?{options}")).open()


async def test_options_of_postgresql_pass_through(database_kind: str, database_url: str) -> None:
    """What the driver or the server knows reaches it; what the sessions need is not overridden."""
    checks: list[tuple[str, str, Any]] = [("", "SELECT 1", 1)]
    if database_kind == "postgresql":
        checks = [
            ("statement_cache_size=0", "SELECT count(*) FROM pg_prepared_statements", 0),
            ("application_name=my%20app", "SHOW application_name", "my app"),
            ("", "SHOW application_name", "statemount"),
            ("sslmode=disable", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", False),
            ("target_session_attrs=read-write", "SELECT pg_is_in_recovery()", False),
            ("work_mem=1234kB&timeout=9&statement_timeout=1", "SHOW work_mem", "1234kB"),
            ("work_mem=1234kB&timeout=9&statement_timeout=1", "SHOW statement_timeout", "10s"),
        ]
    for options, sql, expected in checks:
        async with connected(f"{database_url}?{options}" if options else database_url) as connections:
            for _ in range(2):
                rows = await connections.read(ask(sql))
            assert [tuple(row) for row in rows] == [(expected,)]


async def test_several_hosts(database_kind: str, empty_database_url: str) -> None:
    """PostgreSQL is found on whichever of several hosts answers, also by the migrations."""
    database_url = empty_database_url
    if database_kind == "postgresql":
        user, at, place = database_url.partition("://")[2].rpartition("@")
        host, _, name = place.partition("/")
        database_url = f"postgresql://{user}{at}127.0.0.1:1,{host}/{name}?target_session_attrs=any"
    async with connected(database_url) as connections:
        assert [tuple(row) for row in await connections.read(ask("SELECT 7"))] == [(7,)]
        await connections.upgrade(TableNames("elsewhere_"))
        assert await schema_version(connections, TableNames("elsewhere_")) == SCHEMA_VERSION


async def test_a_host_that_does_not_answer(database_kind: str, empty_database_url: str) -> None:
    """A host whose machine is off, or that stands still, costs its share of the time, once: the next one is asked."""
    if database_kind != "postgresql":
        return
    with socket.create_server(("127.0.0.1", 0)) as silent:
        user, at, place = empty_database_url.partition("://")[2].rpartition("@")
        host, _, name = place.partition("/")
        url = f"postgresql://{user}{at}127.0.0.1:{silent.getsockname()[1]},{host}/{name}?timeout=4"
        async with connected(url, connect_seconds=3.5) as connections:
            began = time.monotonic()
            await asyncio.gather(*(connections.read(ask("SELECT pg_sleep(0.1)")) for _ in range(3)))
            assert time.monotonic() - began < 1.9
            await connections.upgrade(TableNames("elsewhere_"))


@pytest.mark.parametrize(
    ("text", "hosts", "of_the_last"),
    [
        ("postgresql://u:p%40@one:5432,two/name?a=b", ["one:5432", "two"], "postgresql://u:p%40@two/name?c=d"),
        ("postgresql+asyncpg://[::1]:5433/name", ["[::1]:5433"], "postgresql://[::1]:5433/name?c=d"),
        ("postgres://u@/name?host=/run/postgresql", [""], "postgresql://u@/name?c=d"),
    ],
)
def test_the_hosts_of_a_url(text: str, hosts: list[str], of_the_last: str) -> None:
    """Each host of a URL can be asked by itself, with everything else as it is."""
    url = DatabaseUrl(text)
    assert url.hosts == hosts
    assert url.with_query("c=d", host=hosts[-1]) == of_the_last


_AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBITCByKADAgECAgEBMAoGCCqGSM49BAMCMA8xDTALBgNVBAMMBHRlc3QwIBcN
MjAwMTAxMDAwMDAwWhgPMjA5OTAxMDEwMDAwMDBaMA8xDTALBgNVBAMMBHRlc3Qw
WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASKOkKp2n2NzMhrHtzpk/axGVg3Vi5+
gsSC2mAFcf2gl+H3O4u5bFtwhp5b26Rc3SR1o5wWEZzEhhetpyeBv5cQoxMwETAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQDiNEJfgINhGVdZghQG
/1QqQG6wl4h7nwKzC+EbAQathgIgYbHFNwm6zRswOeQPnf3tUXTIxnjX/GIhebnL
OpXQb6Y=
-----END CERTIFICATE-----
"""
