"""The commands that are the same for the state of task instances and of assets."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Any, TypeAlias, Union

import click

from statemount.cli.changes import print_changes, print_event
from statemount.cli.state_group import if_revision_option, if_scope_revision_option, key_argument
from statemount.cli.values import read_operations
from statemount.client import OperationResult, PublicAssetState, PublicTaskState, StateEntry

State: TypeAlias = Union[PublicTaskState, PublicAssetState]

_optional_key = click.argument("key", metavar="[KEY]", required=False)


def add_shared_commands(group: click.Group, on_scope: Callable[..., Any], whose: str) -> None:
    """Add them to a group.

    Args:
        on_scope: Gives a command the arguments that name a scope; the function takes its state, and its own arguments.
        whose: What the scope is, for the help.
    """

    @group.command("history", help=f"Print who changed what of {whose}, and when, newest first; of one KEY, or of all.")
    @click.option("--limit", type=click.IntRange(min=0), help="At most so many changes; all, unless it is given.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, with values in full.")
    @on_scope
    @_optional_key
    def history(state: State, *, key: str | None, limit: int | None, as_json: bool) -> None:
        print_changes(islice(state.changes(key), limit), as_json=as_json)

    @group.command("watch", help=f"Print changes of {whose} as they happen, one a line; of one KEY, or of all.")
    @click.option(
        "--after",
        type=click.IntRange(min=0),
        metavar="REVISION",
        help="Begin after this revision, not now.",
    )
    @click.option("--count", type=click.IntRange(min=1), help="End after so many lines.")
    @click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each.")
    @on_scope
    @_optional_key
    def watch(state: State, *, key: str | None, after: int | None, count: int | None, as_json: bool) -> None:
        with state.watch(key, after=after, patience=None) as events:
            for event in islice(events, count):
                print_event(event, as_json=as_json)

    @group.command(
        "batch",
        help=f"""Do several operations on {whose}, all of them or none, and print what came of each, as JSON.

        OPERATIONS is a JSON list of objects with op, key and what the operation takes besides; @FILE is what is in a
        file, - what comes from stdin.
        """,
    )
    @if_scope_revision_option
    @on_scope
    @click.argument("operations", metavar="OPERATIONS")
    def batch(state: State, *, operations: str, if_revision: int | None) -> None:
        added = state.batch()
        for document in read_operations(operations):
            added.add(document)
        outcome = added.send(if_revision=if_revision)
        results = [_result_document(result) for result in outcome.results]
        click.echo(json.dumps({"revision": outcome.revision, "results": results}, indent=2))

    @group.command("revert", help=f"Make a key of {whose} what it was right after the change with REVISION.")
    @if_revision_option
    @on_scope
    @key_argument
    @click.argument("revision", type=click.IntRange(min=0), metavar="REVISION")
    def revert(state: State, *, key: str, revision: int, if_revision: int | None) -> None:
        state.revert(key, revision, if_revision=if_revision)


def entry_as_of(state: State, key: str, revision: int | None, at: datetime | None) -> StateEntry:
    """Return an entry as it is, or as it was.

    Raises:
        click.UsageError: Both a revision and a time are given.
    """
    if revision is None and at is None:
        return state.get(key)
    if revision is not None and at is not None:
        raise click.UsageError("--revision and --at are not used together")
    return state.value_at(key, revision=revision, at=at)


def _result_document(result: OperationResult) -> dict[str, Any]:
    document = {"op": result.op, "key": result.key, "status": result.status, "revision": result.revision}
    return document if result.op in ("set", "delete", "check") else {**document, "value": result.value}
