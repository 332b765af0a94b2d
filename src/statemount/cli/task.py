"""`statemount task`: the state of task instances, on a server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

import click

from statemount.cli.entries import TASK_ENTRIES, entries_of
from statemount.cli.remote import on_server
from statemount.cli.shared_commands import add_shared_commands, entry_as_of
from statemount.cli.state_group import (
    entry_json_option,
    if_revision_option,
    if_scope_revision_option,
    key_argument,
    keys_only_option,
    limit_option,
    list_json_option,
    merge_option,
    past_revision_option,
    past_time_option,
    prefix_option,
    purge_option,
    raw_option,
    state_group,
    text_option,
    value_argument,
)
from statemount.cli.values import Expiry, read_expiry, read_value
from statemount.client import PublicTaskState, StateClient, StatePage
from statemount.model import NOT_MAPPED

task: click.Group = state_group("task", "Read and edit the state of task instances, on a server.")


def _on_task(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the arguments that name a task instance; the function takes its state, and its own arguments."""

    @click.argument("dag_id")
    @click.argument("run_id")
    @click.argument("task_id")
    @click.option(
        "--map-index",
        type=click.IntRange(min=NOT_MAPPED),
        default=NOT_MAPPED,
        help="Which instance of a mapped task; -1 = it is not mapped.",
    )
    @on_server
    @wraps(function)
    def command(client: StateClient, *, dag_id: str, run_id: str, task_id: str, map_index: int, **given: Any) -> None:
        function(client.public.task(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index), **given)

    return command


@task.command("list")
@limit_option
@prefix_option
@keys_only_option
@list_json_option
@_on_task
def _list(state: PublicTaskState, *, limit: int | None, prefix: str, keys_only: bool, as_json: bool) -> None:
    """Print the entries of a task instance by key. Long values are cut."""

    def part(size: int, offset: int) -> StatePage:
        return state.list(limit=size, offset=offset, prefix=prefix, keys_only=keys_only)

    TASK_ENTRIES.print_list(entries_of(part, limit), as_json=as_json, keys_only=keys_only)


@task.command("get")
@entry_json_option
@raw_option
@past_revision_option
@past_time_option
@_on_task
@key_argument
def _get(
    state: PublicTaskState, *, key: str, as_json: bool, is_raw: bool, revision: int | None, at: datetime | None
) -> None:
    """Print the value of a key, as JSON."""
    TASK_ENTRIES.print_one(entry_as_of(state, key, revision, at), as_json=as_json, is_raw=is_raw)


@task.command("set")
@click.option(
    "--expires",
    metavar="WHEN",
    default="default",
    show_default=True,
    callback=read_expiry,
    help="never; default, after the server's retention; a duration such as 30d or 1h30m; or a time with its offset, "
    "such as 2030-01-01T00:00:00Z.",
)
@text_option
@if_revision_option
@_on_task
@key_argument
@value_argument
def _set(
    state: PublicTaskState, *, key: str, value: str, is_text: bool, expires: Expiry, if_revision: int | None
) -> None:
    """Create or overwrite a key. VALUE is JSON; @FILE is what is in a file, - what comes from stdin."""
    state.set(key, read_value(value, is_text=is_text), expires_at=expires, if_revision=if_revision)


@task.command("patch")
@text_option
@merge_option
@if_revision_option
@_on_task
@key_argument
@value_argument
def _patch(
    state: PublicTaskState, *, key: str, value: str, is_text: bool, is_merge: bool, if_revision: int | None
) -> None:
    """Set the value of a key that exists; its expiry stays. VALUE is as for set."""
    change = state.merge if is_merge else state.patch
    change(key, read_value(value, is_text=is_text), if_revision=if_revision)


@task.command("delete")
@if_revision_option
@purge_option
@_on_task
@key_argument
def _delete(state: PublicTaskState, *, key: str, if_revision: int | None, purge: bool) -> None:
    """Remove a key, if it is there."""
    state.delete(key, if_revision=if_revision, purge=purge)


@task.command("clear")
@if_scope_revision_option
@purge_option
@click.option("--all-map-indices", is_flag=True, help="Of every map index of the task.")
@_on_task
def _clear(state: PublicTaskState, *, all_map_indices: bool, if_revision: int | None, purge: bool) -> None:
    """Remove every key of a task instance."""
    state.clear(all_map_indices=all_map_indices, if_revision=if_revision, purge=purge)


add_shared_commands(task, _on_task, "a task instance")
