"""Filling our tables by the million: rows as the app would have written them, digests included, past the app."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

from statemount.database.digests import owner_digest, scope_digest, task_digest
from statemount.database.migrations import upgrade
from statemount.database.rows import EntryRow
from statemount.database.schema import TableNames
from statemount.model import Run, Timestamp, Writer
from statemount.store.writers import writer_text
from tests.benchmarks.bulk import insert
from tests.benchmarks.dataset import Dataset, key_name, task_instance_id, task_scope
from tests.benchmarks.filling import SCOPE_COLUMNS, scope_row, settle
from tests.databases import run_apart

_TABLES = TableNames()
_TASK_COLUMNS = (
    *("id", "dag_id", "run_id", "task_id", "map_index", "digest", "run_digest", "task_digest"),
    *("try_number", "updated_at"),
)
_DAY = 86_400_000_000
_RETENTION = 30 * _DAY


def fill_tasks(url: str, dataset: Dataset) -> None:
    """Make our tables in an empty database, and fill them with task instances and entries that expire in 30 days.

    Args:
        dataset: Without assets.
    """
    run_apart(lambda: upgrade(url))
    now = time.time_ns() // 1000
    insert(url, _TABLES.task_instance, _TASK_COLUMNS, _tasks(dataset, now))
    numbers = range(dataset.tasks)
    insert(url, _TABLES.scope, SCOPE_COLUMNS, (_scope(dataset, task, task, now) for task in numbers))
    insert(url, _TABLES.entry, EntryRow._fields, _entries(dataset, now))
    settle(url, scopes_moved=True)


def add_expired(url: str, dataset: Dataset, entries: int, keys: int) -> None:
    """Add entries that expired within the last day, of task instances that nobody asks for.

    Their times are in no order, so that what expired together is in many scopes: the hardest case for who removes it.

    Args:
        url: Of a database that :func:`fill_tasks` has filled with the dataset.
        keys: Of each task instance.
    """
    now = time.time_ns() // 1000
    first = dataset.tasks
    expired = Dataset.uniform(-(-entries // keys), keys, value_bytes=dataset.value_bytes)
    scopes = (_scope(expired, task, first + task, now) for task in range(expired.tasks))
    insert(url, _TABLES.scope, SCOPE_COLUMNS, scopes)
    insert(url, _TABLES.entry, EntryRow._fields, _expired_entries(expired, first, entries, now))
    settle(url, scopes_moved=True)


def _tasks(dataset: Dataset, now: Timestamp) -> Iterator[tuple[Any, ...]]:
    for task in range(dataset.tasks):
        scope = task_scope(task)
        digests = scope_digest(scope), owner_digest(Run(scope.dag_id, scope.run_id)), task_digest(scope)
        ids = scope.dag_id, scope.run_id, scope.task_id, scope.map_index
        yield (task_instance_id(task).bytes, *ids, *digests, 1, now)


def _scope(dataset: Dataset, task: int, number: int, now: Timestamp) -> tuple[Any, ...]:
    """Return a row for a task instance of a dataset, as the one of this number."""
    entries = dataset.keys_of(task)
    return scope_row(number + 1, task_scope(number), entries, entries * dataset.value_bytes, now)


def _entries(dataset: Dataset, now: Timestamp) -> Iterator[tuple[Any, ...]]:
    keys = [key_name(key).encode() for key in range(max(dataset.long_list, dataset.short_list))]
    for task in range(dataset.tasks):
        writer = writer_text(Writer.of_task(task_scope(task)))
        expires_at = now + _RETENTION + task
        for key in range(dataset.keys_of(task)):
            yield task + 1, keys[key], dataset.task_value(task, key), now, now, expires_at, writer


def _expired_entries(dataset: Dataset, first: int, entries: int, now: Timestamp) -> Iterator[tuple[Any, ...]]:
    times = random.Random("expired")
    for number in range(entries):
        task, key = divmod(number, dataset.short_list)
        scope = task_scope(first + task)
        writer = writer_text(Writer.of_task(scope))
        expires_at = now - times.randrange(1, _DAY)
        value = dataset.task_value(first + task, key)
        yield first + task + 1, key_name(key).encode(), value, now - _RETENTION, now - _RETENTION, expires_at, writer
