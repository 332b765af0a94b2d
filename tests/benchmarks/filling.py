"""Filling the databases of our app and of the plain app with a dataset."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

from statemount.database.digests import owner_digest, scope_digest, task_digest
from statemount.database.migrations import upgrade
from statemount.database.rows import EntryRow, NewScope
from statemount.database.schema import TableNames
from statemount.model import AssetScope, Run, TaskInstance, TaskScope, Timestamp, Writer
from statemount.mount import StateMount
from statemount.store.writers import writer_text
from tests.benchmarks.bulk import execute, insert
from tests.benchmarks.dataset import (
    ASSET_KEYS,
    Dataset,
    asset_name,
    key_name,
    task_instance_id,
    task_scope,
)
from tests.databases import run_apart

_TABLES = TableNames()
SCOPE_COLUMNS = ("id", *NewScope._fields, "entries", "size")


def fill_ours(url: str, dataset: Dataset) -> None:
    """Make our tables in an empty database, register what the dataset has, and put its entries in."""
    run_apart(lambda: upgrade(url))
    asset_ids = run_apart(lambda: _register(url, dataset))
    now = time.time_ns() // 1000 + 1  # so that no time ends with six zeros, which would be shown without them
    owners: list[tuple[TaskScope | AssetScope, int]] = [
        (task_scope(task), dataset.keys_of(task)) for task in range(dataset.tasks)
    ]
    owners += [(AssetScope(asset_id), ASSET_KEYS) for asset_id in asset_ids]
    scopes = (
        scope_row(number, scope, entries, entries * dataset.value_bytes, now)
        for number, (scope, entries) in enumerate(owners, start=1)
    )
    insert(url, _TABLES.scope, SCOPE_COLUMNS, scopes)
    insert(url, _TABLES.entry, EntryRow._fields, _entries(dataset, now))
    settle(url, scopes_moved=True)


def scope_row(number: int, scope: TaskScope | AssetScope, entries: int, size: int, now: Timestamp) -> tuple[Any, ...]:
    """Return a row of the scope table.

    Args:
        number: Its id.
        size: Of all its values, in bytes.
    """
    if isinstance(scope, TaskScope):
        new = NewScope(
            "task",
            scope.dag_id,
            scope.run_id,
            scope.task_id,
            scope.map_index,
            None,
            scope_digest(scope),
            owner_digest(Run(scope.dag_id, scope.run_id)),
            task_digest(scope),
            now,
            now,
        )
    else:
        digest = scope_digest(scope)
        new = NewScope("asset", None, None, None, None, scope.asset_id, digest, owner_digest(scope), None, now, now)
    return (number, *new, entries, size)


def _entries(dataset: Dataset, now: Timestamp) -> Iterator[EntryRow]:
    for task in range(dataset.tasks):
        writer = writer_text(Writer.of_task(task_scope(task)))
        for key in range(dataset.keys_of(task)):
            yield EntryRow(task + 1, key_name(key).encode(), dataset.task_value(task, key), now, now, None, writer)
    for asset in range(dataset.assets):
        writer = writer_text(Writer.of_task(task_scope(asset)))
        for key in range(ASSET_KEYS):
            number, value = dataset.tasks + asset + 1, dataset.asset_value(asset, key)
            yield EntryRow(number, key_name(key).encode(), value, now, now, None, writer)


async def _register(url: str, dataset: Dataset) -> list[int]:
    """Register assets and task instances; return the assets' ids."""
    state = StateMount(url, pool_size=1)
    async with state.lifespan():
        directory = state.directory
        asset_ids = [(await directory.register_asset(name=asset_name(n))).asset_id for n in range(dataset.assets)]
        instances = [
            TaskInstance(task_instance_id(n), task_scope(n), outlets=frozenset({asset_ids[n % dataset.assets]}))
            for n in range(dataset.tasks)
        ]
        for start in range(0, len(instances), 1000):
            await directory.register_task_instances(instances[start : start + 1000])
    return asset_ids


def settle(url: str, *, scopes_moved: bool = False) -> None:
    """Let a database take note of what was put in: statistics, and what would else be written while it is measured.

    Args:
        scopes_moved: Rows of ours were given ids by hand.
    """
    if url.startswith("sqlite"):
        execute(url, "PRAGMA wal_checkpoint(TRUNCATE)")
        os.sync()
    elif url.startswith("postgresql"):
        if scopes_moved:
            table = _TABLES.scope
            execute(url, f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
        execute(url, "VACUUM ANALYZE", "CHECKPOINT")


def fill_plain(url: str, dataset: Dataset) -> None:
    """Put the dataset's entries into the table of the plain app, which has made it: it must have been started once."""
    now = "2026-01-01T00:00:00.000001+00:00"

    def rows() -> Iterator[tuple[str, str, str, str, None]]:
        for task in range(dataset.tasks):
            scope = task_scope(task)
            names = (str(task_instance_id(task)), f"{scope.dag_id}/{scope.run_id}/{scope.task_id}/{scope.map_index}")
            for name in names:
                for key in range(dataset.keys_of(task)):
                    yield name, key_name(key), dataset.task_value(task, key), now, None
        for asset in range(dataset.assets):
            for key in range(ASSET_KEYS):
                yield asset_name(asset), key_name(key), dataset.asset_value(asset, key), now, None

    insert(url, "state", ("scope", "name", "value", "updated_at", "expires_at"), rows())
    settle(url)
