"""What the store looks up is found by an index, whatever the database thinks of how large its tables are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest

from statemount.database.connections import Connections
from statemount.database.query import Query, Row, Script, only
from statemount.database.rows import ChangeRow, EntryRow, NewScope, Part, ScopeRow, WriteSet
from statemount.database.schema import TableNames
from statemount.database.statements import make_store_statements
from statemount.database.statements.base import PartStatements, StoreStatements
from statemount.database.statements.directory import DirectoryStatements
from statemount.model import EntryColumn
from tests.database.support import Outsider, ask, connected, outsider

pytestmark = pytest.mark.anyio

_TABLES = TableNames()
_SCOPES = 400
_KEYS = 50
_TOMBSTONES = 10
_LATER = 10
_WANTED = 5


def _digest(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _key(number: int) -> bytes:
    return f"key-{number}".encode()


def _queries(scope_ids: Sequence[int], statements: StoreStatements) -> Iterator[Query]:
    """Give all that the store asks for, but what forgets tombstones, of which there are few."""
    ids, digests = scope_ids[:_WANTED], [_digest(number) for number in range(_WANTED)]
    pairs = [(scope_id, _key(number)) for number, scope_id in enumerate(ids)]
    ends = [(scope_id, 1) for scope_id in ids]
    one, key, columns = digests[0], _key(1), frozenset[EntryColumn](["values"])
    yield statements.read_by_id(pairs)
    yield statements.look_up(pairs)
    yield statements.read_by_digest([(digest, key) for digest in digests])
    for part in (Part(50), Part(50, prefix=b"key-1"), Part(50, after=key, keys_only=True)):
        yield statements.list_page(one, _LATER, part)
        if isinstance(statements, PartStatements):
            yield statements.list_columns([(digest, part) for digest in digests], _LATER, columns)
    yield statements.size_of(one)
    yield statements.changes(one, 1, 10)
    yield statements.history(one, None, 10, 10)
    yield statements.history(one, key, 10, 10)
    yield statements.traces(one, key, 1, 1)
    yield statements.purge(ids[0], key)
    yield statements.is_trimmed(one)
    yield statements.old_changes(0, 10)
    yield statements.count_changes(0)
    yield statements.oldest_changes(ids)
    yield statements.trimmed(ids)
    yield statements.remove_changes(ends)
    yield statements.note_trimmed(ends)
    yield statements.revisions(ids)
    yield statements.find_revisions(digests)
    yield from _yielded(statements.tails([(digest, 1) for digest in digests], 10))
    yield statements.find_scopes(digests, _LATER)
    yield statements.create_scopes(_new_scopes(), _LATER)
    yield statements.find_task(one)
    yield statements.find_run(one)
    yield statements.lock_scopes(ids)
    yield statements.lock_free_scopes(ids)
    yield statements.count_live(ids, _LATER)
    yield statements.read_known(pairs)
    entries, changes, scopes = _rows(ids, revision=2)
    yield from _yielded(statements.write(WriteSet(upserts=entries, changes=changes, scopes=scopes)))
    yield from _yielded(statements.write(WriteSet(clears=[*ids], deletes=pairs, changes=changes, scopes=scopes)))
    yield statements.expired(0, 10)
    yield statements.expired_in(ids[0], 0, 10)
    yield statements.count_expired(0)
    yield from _yielded(statements.drop_scopes(ids))


def _yielded(script: Script[Any]) -> Iterator[Query]:
    """Give the queries of a script that finds nothing."""
    try:
        query = next(script)
        while True:
            yield query
            query = script.send(())
    except StopIteration:
        return


def _rows(scope_ids: Sequence[int], *, revision: int) -> tuple[list[EntryRow], list[ChangeRow], list[ScopeRow]]:
    keys = [(scope_id, _key(number)) for number in range(_KEYS) for scope_id in scope_ids]
    return (
        [EntryRow(scope_id, key, "1", 1, 1, 2, None) for scope_id, key in keys],
        [
            ChangeRow(scope_id, revision + place // len(scope_ids), "set", key, 1, None, 1, "1", None)
            for place, (scope_id, key) in enumerate(keys)
        ],
        [ScopeRow(scope_id, _KEYS, 1, _KEYS, _KEYS) for scope_id in scope_ids],
    )


def _new_scopes() -> list[NewScope]:
    return [
        NewScope("task", "dag", "run", "task", number, None, _digest(number), _digest(number), _digest(number), 0, 1)
        for number in range(_SCOPES)
    ]


async def _fill(connections: Connections, statements: StoreStatements) -> list[int]:
    """Make scopes with entries and logs, and tombstones of other runs; return the scopes' ids."""
    scopes = _new_scopes()

    def drop_others() -> Script[None]:
        for number in range(_SCOPES, _SCOPES + _TOMBSTONES):
            yield from statements.put_tombstone(_digest(number), _LATER + 1, 0)

    await connections.write(drop_others)
    await connections.write(lambda: only(statements.create_scopes(scopes, 0)))
    found = await connections.read(lambda: only(statements.find_scopes([scope.digest for scope in scopes], 0)))
    ids = sorted(row[1] for row in found)
    entries, changes, rows = _rows(ids, revision=1)
    written = WriteSet(upserts=entries, changes=changes, scopes=rows)
    await connections.write(lambda: statements.write(written))
    return ids


async def _empty(other: Outsider, command: str, *tables: str) -> None:
    """Empty tables of PostgreSQL, in a way that their files stay as large as they were, and have it look at them.

    Args:
        command: How it looks: VACUUM counts, ANALYZE looks at columns too.
    """
    for table in tables:
        await other.run(f"DELETE FROM {table} WHERE ctid <> (SELECT max(ctid) FROM {table})")
        await other.run(f"{command} {table}")
        await other.run(f"DELETE FROM {table}")


def _postgresql_scans(rows: Sequence[Row]) -> list[str]:
    scans: list[str] = []

    def look_at(node: dict[str, Any]) -> None:
        condition = next((node[name] for name in ("Index Cond", "TID Cond", "Recheck Cond") if name in node), "")
        is_bounded = re.search(_FIRST_COLUMNS, condition)  # by another column an index is read from end to end
        if "Relation Name" in node and node["Node Type"].endswith("Scan") and not is_bounded:
            scans.append(f"{node['Node Type']} of {node['Relation Name']} by {condition}")
        for each in node.get("Plans", ()):
            look_at(each)

    look_at(json.loads(rows[0][0])[0]["Plan"])
    return scans


def _mysql_scans(rows: Sequence[Row]) -> list[str]:
    # What has no possible keys is a table that the statement makes itself; of tombstones (d) there are few here.
    return [f"{row[3]} of {row[2]}" for row in rows if row[3] in ("ALL", "index") and row[4] and row[2] != "d"]


def _sqlite_scans(rows: Sequence[Row]) -> list[str]:
    steps = [row[3] for row in rows]
    own = {step.split()[1] for step in steps if step.startswith(("MATERIALIZE", "CO-ROUTINE"))}
    scans = [step for step in steps if step.startswith("SCAN ") and step.split()[1] not in own]
    return [step for step in scans if not step.endswith(("CONSTANT ROW", "CONSTANT ROWS"))]


_FIRST_COLUMNS = (
    r"\(?(id|scope_id|(run_|task_)?digest|task_instance_id|expires_at|changed_at|updated_at|ctid) (=|<=|<) "
)
_EXPLAIN = {"postgresql": "EXPLAIN (FORMAT JSON)", "mysql": "EXPLAIN", "sqlite": "EXPLAIN QUERY PLAN"}
_SCANS = {"postgresql": _postgresql_scans, "mysql": _mysql_scans, "sqlite": _sqlite_scans}


async def _scans(connections: Connections, kind: str, queries: Iterable[Query]) -> dict[str, list[str]]:
    """Return which tables are read from end to end, and by which statements."""
    found: dict[str, list[str]] = {}
    for query in queries:
        args = query.args[0] if query.mode in ("each", "many") else query.args
        rows = await connections.write(ask(f"{_EXPLAIN[kind]} {query.sql}", args))
        assert rows
        if scans := _SCANS[kind](rows):
            found[query.sql] = scans
    return found


async def test_the_store_reads_no_table_as_a_whole(database_kind: str, database_url: str) -> None:
    """No statement reads a table from end to end, on PostgreSQL not even where that believes it to be empty."""
    tables = _TABLES.entry, _TABLES.change, _TABLES.scope, _TABLES.dropped_run
    async with connected(database_url) as connections:
        statements = make_store_statements(connections.url.dialect, _TABLES)
        scope_ids = await _fill(connections, statements)
        found = await _scans(connections, database_kind, _queries(scope_ids, statements))
        assert found == {}
        if database_kind != "postgresql":
            return
        for look in ("VACUUM", "ANALYZE"):
            async with outsider(database_url) as other:
                await _empty(other, look, *tables)
            scope_ids = await _fill(connections, statements)
            found = await _scans(connections, database_kind, _queries(scope_ids, statements))
            assert found == {}, f"the tables were as good as empty at the last {look}"
        async with outsider(database_url) as other:
            for table in tables:
                await other.run(f"ANALYZE {table}")
        assert await _scans(connections, database_kind, _queries(scope_ids, statements)) == {}


async def test_the_directory_reads_no_table_as_a_whole(database_kind: str, database_url: str) -> None:
    """So it is with what is looked up of task instances and their assets."""
    async with connected(database_url) as connections:
        statements = DirectoryStatements(connections.url.dialect, _TABLES)
        all_ids = [_digest(number)[-16:] for number in range(_SCOPES)]
        tasks = [
            (task_id, "dag", "run", "task", number, 1, *[_digest(number)] * 3, 0)
            for number, task_id in enumerate(all_ids)
        ]
        links = [(task_id, asset_id, "read") for task_id in all_ids for asset_id in range(10)]

        def fill() -> Script[None]:
            yield statements.insert(tasks)
            yield statements.link(links)

        await connections.write(fill)
        ids, digests = all_ids[:_WANTED], [_digest(number) for number in range(_WANTED)]
        queries = [
            statements.tasks(ids),
            statements.has_scope(digests[0]),
            statements.has_task(digests[0]),
            statements.access(ids[0], 1),
            *statements.remove(ids),
            *statements.remove_scopes(digests),
            *statements.remove_run(digests[0]),
            statements.overdue(0, 10),
            *statements.remove_all(ids),
        ]
        assert await _scans(connections, database_kind, queries) == {}
        if database_kind != "postgresql":
            return
        for look in ("VACUUM", "ANALYZE"):
            async with outsider(database_url) as other:
                await _empty(other, look, _TABLES.task_instance, _TABLES.task_asset)
            await connections.write(fill)
            found = await _scans(connections, database_kind, queries)
            assert found == {}, f"the tables were as good as empty at the last {look}"
        async with outsider(database_url) as other:
            for table in (_TABLES.task_instance, _TABLES.task_asset):
                await other.run(f"ANALYZE {table}")
        assert await _scans(connections, database_kind, queries) == {}
