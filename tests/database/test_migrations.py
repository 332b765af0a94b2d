"""The schema is made and checked by every process at any time, in the host's database, without touching the host's."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from statemount.database.migrations import check, current, upgrade
from statemount.database.schema import SCHEMA_VERSION, TableNames
from statemount.database.url import DatabaseUrl
from statemount.database.version import Schema, check_version, schema_version
from statemount.errors import ConfigurationError, SchemaError, UnavailableError
from tests.database.support import ask, connected, outsider, run_python

pytestmark = pytest.mark.anyio

T = TypeVar("T")

BYTES = {"sqlite": "BLOB", "postgresql": "BYTEA"}
_COLUMNS: dict[str, dict[str, str]] = {
    "scope": {
        "id": "integer",
        "kind": "string",
        "dag_id": "string?",
        "run_id": "string?",
        "task_id": "string?",
        "map_index": "integer?",
        "asset_id": "integer?",
        "digest": "digest",
        "run_digest": "digest?",
        "task_digest": "digest?",
        "revision": "integer",
        "updated_at": "integer",
        "entries": "integer",
        "size": "integer",
        "log_trimmed": "integer",
    },
    "entry": {
        "scope_id": "integer",
        "key": "key",
        "value": "value",
        "updated_at": "integer",
        "revision": "integer",
        "expires_at": "integer?",
        "writer": "text?",
    },
    "change": {
        "scope_id": "integer",
        "revision": "integer",
        "kind": "string",
        "key": "key?",
        "changed_at": "integer",
        "writer": "text?",
        "size": "integer",
        "value": "value?",
        "expires_at": "integer?",
    },
    "dropped_run": {"run_digest": "digest", "expires_at": "integer"},
    "task_instance": {
        "id": "uuid",
        "dag_id": "string",
        "run_id": "string",
        "task_id": "string",
        "map_index": "integer",
        "digest": "digest",
        "run_digest": "digest",
        "task_digest": "digest",
        "try_number": "integer",
        "updated_at": "integer",
    },
    "asset": {
        "id": "integer",
        "name": "text",
        "uri": "text",
        "group_name": "text",
        "active_name": "digest?",
        "active_uri": "digest?",
        "deactivated_at": "integer?",
    },
    "task_asset": {"task_instance_id": "uuid", "asset_id": "integer", "access": "string"},
}
_PRIMARY_KEYS = {
    "scope": ["id"],
    "entry": ["scope_id", "key"],
    "change": ["scope_id", "revision"],
    "dropped_run": ["run_digest"],
    "task_instance": ["id"],
    "asset": ["id"],
    "task_asset": ["task_instance_id", "asset_id", "access"],
}
_UNIQUE = {
    "scope": [["digest"]],
    "task_instance": [["digest"]],
    "asset": [["active_name"], ["active_uri"]],
}
_INDEXES = {
    "scope": [["run_digest"], ["task_digest"]],
    "asset": [["deactivated_at"]],
    "entry": [["expires_at"]],
    "change": [["changed_at"]],
    "task_asset": [["asset_id"]],
    "task_instance": [["run_digest"], ["task_digest"], ["updated_at"]],
}


def type_named(kind: str, name: str) -> set[str]:
    """Return the types that a column of this sort may have in a dialect."""
    binary = BYTES.get(kind, "")
    types = {
        "integer": {"BIGINT", "INTEGER"} if kind == "sqlite" else {"BIGINT"},
        "string": {"VARCHAR(250)", "VARCHAR(16)"},
        "text": {"TEXT"},
        "value": {"TEXT"},
        "digest": {binary},
        "uuid": {binary},
        "key": {binary},
    }
    if kind == "mysql":
        types |= {"value": {"LONGTEXT"}, "digest": {"BINARY(32)"}, "uuid": {"BINARY(16)"}, "key": {"VARBINARY(2048)"}}
    return types[name]


async def inspected(url: str, look: Callable[[sa.Inspector], T]) -> T:
    """Look at a database as SQLAlchemy sees it."""
    database = DatabaseUrl(url)
    if database.is_embedded:
        engine = sa.create_engine(f"sqlite:///{database.file}", poolclass=NullPool)
        try:
            with engine.connect() as connection:
                return look(sa.inspect(connection))
        finally:
            engine.dispose()
    driver = {"postgresql": "postgresql+asyncpg", "mysql": "mysql+asyncmy"}[database.dialect]
    server = create_async_engine(f"{driver}://{url.partition('://')[2]}", poolclass=NullPool)
    try:
        async with server.connect() as opened:
            return await opened.run_sync(lambda connection: look(sa.inspect(connection)))
    finally:
        await server.dispose()


def described(inspector: sa.Inspector, table: str) -> dict[str, str]:
    """Return the type and nullability of every column."""
    return {
        column["name"]: column["type"]
        .compile(dialect=inspector.dialect)
        .partition(" ")[0]
        .replace("BIGINT(20)", "BIGINT")
        + ("?" if column["nullable"] else "")
        for column in inspector.get_columns(table)
    }


async def test_a_fresh_schema(database_kind: str, empty_database_url: str) -> None:
    """Tables, columns, types, keys, unique constraints and indexes are as designed, and nothing else is there."""
    await upgrade(empty_database_url)

    def look(inspector: sa.Inspector) -> None:
        tables = set(inspector.get_table_names()) - {"sqlite_sequence"}
        assert tables == {f"statemount_{name}" for name in (*_COLUMNS, "version")}
        for name, columns in _COLUMNS.items():
            table = f"statemount_{name}"
            found = described(inspector, table)
            assert list(found) == list(columns)
            for column, sort in columns.items():
                assert found[column].rstrip("?") in type_named(database_kind, sort.rstrip("?")), f"{table}.{column}"
                assert found[column].endswith("?") is sort.endswith("?"), f"{table}.{column}"
            assert inspector.get_pk_constraint(table)["constrained_columns"] == _PRIMARY_KEYS[name]
            unique = sorted(constraint["column_names"] for constraint in inspector.get_unique_constraints(table))
            assert unique == _UNIQUE.get(name, [])
            indexes = [index for index in inspector.get_indexes(table) if not index["unique"]]
            assert sorted(index["column_names"] for index in indexes) == _INDEXES.get(name, [])
            for named in (*indexes, *inspector.get_unique_constraints(table)):
                assert str(named["name"]).startswith("statemount_")
            assert inspector.get_foreign_keys(table) == []

    await inspected(empty_database_url, look)
    assert await current(empty_database_url) == SCHEMA_VERSION
    await check(empty_database_url)


async def test_every_table_is_as_the_store_needs_it(database_kind: str, database_url: str) -> None:
    """Ids are never used twice, and on a server of MySQL's kind every table is transactional and in utf8mb4."""
    async with outsider(database_url) as other:
        if database_kind == "mysql":
            rows = await other.run(
                "SELECT engine, table_collation, row_format FROM information_schema.tables"
                " WHERE table_schema = DATABASE() AND table_name <> 'statemount_version'"
            )
            assert set(rows) == {("InnoDB", "utf8mb4_bin", "Dynamic")}
        ids = []
        for number in (1, 2):
            blank = {"sqlite": f"x'0{number}'", "postgresql": f"'\\x0{number}'", "mysql": f"x'0{number}'"}[
                database_kind
            ]
            await other.run(
                "INSERT INTO statemount_scope (kind, digest, revision, updated_at, entries, size)"
                f" VALUES ('asset', {blank}, 1, 1, 0, 0)"
            )
            ids += [row[0] for row in await other.run("SELECT max(id) FROM statemount_scope")]
            await other.run("DELETE FROM statemount_scope")
        assert ids[1] > ids[0]


async def test_keys_are_compared_as_bytes(database_kind: str, database_url: str) -> None:
    """The column of the key tells apart what a collation would not, and orders by bytes."""
    keys = ["a", "A", "a ", "\u00e9", "e\u0301", "\u00df", "ss", "\U0001f600", "z"]
    literals = [
        f"'\\x{key.encode().hex()}'" if database_kind == "postgresql" else f"x'{key.encode().hex()}'" for key in keys
    ]
    async with outsider(database_url) as other:
        for literal in literals:
            await other.run(
                "INSERT INTO statemount_entry (scope_id, `key`, value, updated_at, revision)".replace(
                    "`", '"' if database_kind == "postgresql" else "`"
                )
                + f" VALUES (1, {literal}, '1', 1, 1)"
            )
        order = 'SELECT "key" FROM statemount_entry ORDER BY "key"'
        rows = await other.run(order if database_kind != "mysql" else order.replace('"', "`"))
    assert [bytes(row[0]).decode() for row in rows] == sorted(keys, key=str.encode)


async def test_an_upgrade_is_done_once(empty_database_url: str) -> None:
    """A second upgrade changes nothing, neither the tables nor what is in them."""
    await upgrade(empty_database_url)
    async with outsider(empty_database_url) as other:
        await other.run("INSERT INTO statemount_asset (name, uri, group_name) VALUES ('name', 'uri', 'group')")
        before = await inspected(empty_database_url, _everything)
        await upgrade(empty_database_url)
        assert await inspected(empty_database_url, _everything) == before
        assert await other.run("SELECT name FROM statemount_asset") == [("name",)]
        assert await other.run("SELECT version_num FROM statemount_version") == [(SCHEMA_VERSION,)]


def _everything(inspector: sa.Inspector) -> dict[str, Any]:
    return {
        table: (
            described(inspector, table),
            inspector.get_pk_constraint(table),
            [(index["name"], index["column_names"]) for index in inspector.get_indexes(table)],
        )
        for table in inspector.get_table_names()
    }


async def test_an_upgrade_that_was_broken_off_is_completed(empty_database_url: str) -> None:
    """Where each table is committed by itself, the next upgrade makes those that are missing."""
    await upgrade(empty_database_url)
    before = await inspected(empty_database_url, _everything)
    async with outsider(empty_database_url) as other:
        await other.run("DELETE FROM statemount_version")
        await other.run("DROP TABLE statemount_task_asset")
        await other.run("DROP TABLE statemount_dropped_run")
    assert await current(empty_database_url) is None
    await upgrade(empty_database_url)
    assert await inspected(empty_database_url, _everything) == before
    await check(empty_database_url)


async def test_an_upgrade_of_the_version_before(empty_database_url: str) -> None:
    """Scopes of an older schema, and those that an older server makes meanwhile, have a log that was never trimmed."""
    row = "INSERT INTO statemount_scope (kind, digest, revision, updated_at, entries, size) VALUES"
    digests = ["'\\x01'", "'\\x02'"] if empty_database_url.startswith("postgresql") else ["x'01'", "x'02'"]
    await upgrade(empty_database_url)
    fresh = await inspected(empty_database_url, _everything)
    async with outsider(empty_database_url) as other:
        await other.run("ALTER TABLE statemount_scope DROP COLUMN log_trimmed")
        for is_broken_off in (False, True):
            await other.run("UPDATE statemount_version SET version_num = '0001'")
            if not is_broken_off:
                await other.run(f"{row} ('asset', {digests[0]}, 1, 1, 0, 0)")
            await upgrade(empty_database_url)
            assert await inspected(empty_database_url, _everything) == fresh
        await other.run(f"{row} ('asset', {digests[1]}, 1, 1, 0, 0)")
        assert await other.run("SELECT log_trimmed FROM statemount_scope") == [(0,), (0,)]


async def test_tasks_that_upgrade_at_once(empty_database_url: str) -> None:
    """Several upgrades at the same time wait for each other: one makes the schema, the others find it."""
    await asyncio.gather(*(upgrade(empty_database_url) for _ in range(4)))
    await check(empty_database_url)
    async with outsider(empty_database_url) as other:
        assert await other.run("SELECT version_num FROM statemount_version") == [(SCHEMA_VERSION,)]


async def test_processes_that_upgrade_at_once(empty_database_url: str) -> None:
    """Processes that start together on an empty database all come up."""
    code = """
import asyncio, sys
from statemount.database.migrations import check, upgrade
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(upgrade(sys.argv[1]))
asyncio.run(check(sys.argv[1]))
"""
    processes = [
        subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-W", "error", "-c", code, empty_database_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, said = process.communicate(timeout=30)
        assert process.returncode == 0, said


async def test_two_prefixes_side_by_side(empty_database_url: str) -> None:
    """Two prefixes live in one database, each with its own version, and know nothing of each other."""
    await upgrade(empty_database_url)
    assert await current(empty_database_url, "other_") is None
    with pytest.raises(SchemaError):
        await check(empty_database_url, "other_")
    await upgrade(empty_database_url, "other_")
    async with outsider(empty_database_url) as other:
        await other.run("INSERT INTO other_asset (name, uri, group_name) VALUES ('name', 'uri', 'group')")
        assert list(await other.run("SELECT name FROM statemount_asset")) == []
    tables = await inspected(empty_database_url, lambda inspector: inspector.get_table_names())
    assert sum(table.startswith("statemount_") for table in tables) == sum(
        table.startswith("other_") for table in tables
    )


async def test_tables_of_the_host_are_left_alone(empty_database_url: str) -> None:
    """What is named alike, and another program's Alembic, stay as they are."""
    async with outsider(empty_database_url) as other:
        for table in ("statemount_versions", "scope", "entry", "my_statemount_entry"):
            await other.run(f"CREATE TABLE {table} (version_num VARCHAR(32))")
        await other.run("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        await other.run("INSERT INTO alembic_version VALUES ('theirs')")
        await upgrade(empty_database_url)
        assert await other.run("SELECT version_num FROM alembic_version") == [("theirs",)]
        assert list(await other.run("SELECT version_num FROM my_statemount_entry")) == []
    tables = await inspected(empty_database_url, lambda inspector: inspector.get_table_names())
    assert {"statemount_versions", "scope", "entry", "my_statemount_entry", "alembic_version"} <= set(tables)


async def test_a_table_that_is_in_the_way(database_kind: str, empty_database_url: str) -> None:
    """A foreign table of exactly our name is not overwritten: the upgrade says so, and another prefix works."""
    async with outsider(empty_database_url) as other:
        await other.run("CREATE TABLE statemount_change (mine VARCHAR(10))")
        await other.run("INSERT INTO statemount_change VALUES ('mine')")
        with pytest.raises(
            ConfigurationError,
            match="^table statemount_change is there and is another program's: choose another table p",
        ):
            await upgrade(empty_database_url)
        assert await other.run("SELECT mine FROM statemount_change") == [("mine",)]
        assert await current(empty_database_url) is None
        if database_kind != "mysql":  # whose DDL is not transactional
            tables = await inspected(empty_database_url, lambda inspector: inspector.get_table_names())
            assert set(tables) - {"sqlite_sequence"} == {"statemount_change"}
    await upgrade(empty_database_url, "ours_")
    await check(empty_database_url, "ours_")


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("0001", "is too old, 0001 instead of 0002: run 'statemount db upgrade'"),
        ("0004", "is too new, 0004 instead of 0002: upgrade statemount ('statemount db check' tells when it fits)"),
        (
            "ae1027a6acf",
            (
                "is at an unknown version, 'ae1027a6acf':"
                " another program's table is in the way; choose another table prefix"
            ),
        ),
    ],
)
async def test_a_version_that_does_not_fit(database_url: str, version: str, sentence: str) -> None:
    """Too old, too new, or not ours: one sentence says what is wrong and what to do, and nothing is changed."""
    async with outsider(database_url) as other, connected(database_url) as connections:
        try:
            await other.run(f"UPDATE statemount_version SET version_num = '{version}'")
            schema = Schema(connections, TableNames(), auto_upgrade=False)
            with pytest.raises(SchemaError) as caught:
                await schema.open()
            assert str(caught.value) == f"the database's statemount schema (tables statemount_*) {sentence}"
            with pytest.raises(SchemaError):
                await check(database_url)
            if version != "0001":  # an upgrade cannot help
                with pytest.raises(SchemaError):
                    await Schema(connections, TableNames(), auto_upgrade=True).open()
            assert await current(database_url) == version
        finally:
            await other.run(f"UPDATE statemount_version SET version_num = '{SCHEMA_VERSION}'")
        await schema.open()


async def test_a_schema_of_the_next_version_fits(database_url: str) -> None:
    """The app works with the next version of the schema, so that an upgrade can roll."""
    async with outsider(database_url) as other, connected(database_url) as connections:
        try:
            await other.run("UPDATE statemount_version SET version_num = '0003'")
            for auto_upgrade in (False, True):
                await Schema(connections, TableNames(), auto_upgrade=auto_upgrade).open()
            assert await current(database_url) == "0003"
        finally:
            await other.run(f"UPDATE statemount_version SET version_num = '{SCHEMA_VERSION}'")


async def test_a_schema_that_is_missing(empty_database_url: str) -> None:
    """Without a schema the app refuses to start, or makes it, as it is told."""
    tables = TableNames("mine_")
    async with connected(empty_database_url) as connections:
        with pytest.raises(
            SchemaError, match=r"^the database's statemount schema \(tables mine_\*\) is missing: run 'statemount db"
        ):
            await Schema(connections, tables, auto_upgrade=False).open()
        assert await schema_version(connections, tables) is None
        await Schema(connections, tables, auto_upgrade=True).open()
        assert await schema_version(connections, tables) == SCHEMA_VERSION
        await Schema(connections, tables, auto_upgrade=False).open()


async def test_an_empty_version_table_is_no_schema(empty_database_url: str) -> None:
    """A version table without a version, as an interrupted first upgrade leaves it, is completed by the next one."""
    async with outsider(empty_database_url) as other:
        await other.run("CREATE TABLE statemount_version (version_num VARCHAR(32) NOT NULL)")
    assert await current(empty_database_url) is None
    await upgrade(empty_database_url)
    await check(empty_database_url)


async def test_a_database_in_memory_has_its_schema() -> None:
    """In memory the schema is made on the one connection there is."""
    async with connected("sqlite://") as connections:
        await Schema(connections, TableNames(), auto_upgrade=True).open()
        assert (await connections.read(ask("SELECT count(*) FROM statemount_scope")))[0][0] == 0
        assert (await connections.write(ask("SELECT count(*) FROM statemount_scope")))[0][0] == 0


def test_what_fits() -> None:
    """Its own version and the next one fit, and only these."""
    tables = TableNames()
    fitting = []
    for version in (None, "0000", "0001", "0002", "0003", "0004", "x"):
        try:
            check_version(version, tables)
        except SchemaError:
            continue
        fitting.append(version)
    assert fitting == ["0002", "0003"]


@pytest.mark.parametrize("prefix", ["", "1a", "A", "a-b", "a.b", "a" * 31, 'a"', "\u00e9"])
async def test_a_prefix_that_cannot_be_one(prefix: str) -> None:
    """What would have to be quoted, or would make names too long, is no prefix."""
    with pytest.raises(ConfigurationError, match="^table prefix "):
        await upgrade("sqlite://", prefix)


async def test_the_longest_prefix(empty_database_url: str) -> None:
    """Every name is short enough for every database even with the longest prefix."""
    await upgrade(empty_database_url, "a" * 30)
    await check(empty_database_url, "a" * 30)


async def test_an_upgrade_of_what_cannot_be_reached() -> None:
    """A server that is away is unavailable for the command line too."""
    for call in (upgrade, current, check):
        with pytest.raises(UnavailableError, match="^no connection to the database: "):
            await call("postgresql://root@127.0.0.1:1/name")


async def test_alembic_is_not_needed_for_a_schema_that_is_there(database_url: str) -> None:
    """A start on an up-to-date database does not import Alembic, nor SQLAlchemy's engine for it."""
    code = """
import asyncio, sys
from statemount.database.connections import Connections
from statemount.database.schema import TableNames
from statemount.database.url import DatabaseUrl
from statemount.database.version import Schema

async def main():
    connections = Connections(DatabaseUrl(sys.argv[1]))
    await connections.open()
    await Schema(connections, TableNames(), auto_upgrade=True).open()
    await connections.close()

asyncio.run(main())
print([name for name in sys.modules if name.startswith(("alembic", "sqlalchemy.ext.asyncio"))])
"""
    assert run_python(code, database_url) == "[]"


async def test_waiting_for_another_process(database_kind: str, empty_database_url: str) -> None:
    """An upgrade that finds another one under way waits for it, and gives up in one sentence if that takes long."""
    holds = {
        "sqlite": ["BEGIN IMMEDIATE"],
        "postgresql": ["BEGIN", "SELECT pg_advisory_xact_lock(hashtext('statemount_migrations'))"],
        "mysql": ["DO GET_LOCK('statemount_migrations', 1)"],
    }
    lets_go = {"sqlite": "ROLLBACK", "postgresql": "ROLLBACK", "mysql": "DO RELEASE_LOCK('statemount_migrations')"}
    async with outsider(empty_database_url) as other:
        await other.run("CREATE TABLE mine (x INTEGER)")
        for sql in holds[database_kind]:
            await other.run(sql)
        upgrading = asyncio.ensure_future(upgrade(empty_database_url))
        await asyncio.sleep(0.5)
        assert not upgrading.done()
        await other.run(lets_go[database_kind])
        await upgrading
    await check(empty_database_url)
