"""What the commands on the state of task instances and of assets have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from statemount.cli.values import read_moment

_FunctionT = TypeVar("_FunctionT", bound=Callable[..., Any])

key_argument: Callable[[_FunctionT], _FunctionT] = click.argument("key", metavar="KEY")
value_argument: Callable[[_FunctionT], _FunctionT] = click.argument("value", metavar="VALUE")
text_option: Callable[[_FunctionT], _FunctionT] = click.option(
    "--text", "is_text", is_flag=True, help="VALUE is a text, not JSON."
)
limit_option: Callable[[_FunctionT], _FunctionT] = click.option(
    "--limit", type=click.IntRange(min=0), help="At most so many entries; all, unless it is given."
)
list_json_option: Callable[[_FunctionT], _FunctionT] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, with values in full."
)
entry_json_option: Callable[[_FunctionT], _FunctionT] = click.option(
    "--json", "as_json", is_flag=True, help="Print the whole entry, not its value alone."
)
raw_option: Callable[[_FunctionT], _FunctionT] = click.option(
    "--raw", "is_raw", is_flag=True, help="Print a text without quotes."
)
prefix_option: Callable[[_FunctionT], _FunctionT] = click.option(
    "--prefix", default="", help="Entries alone whose keys begin like this."
)
keys_only_option: Callable[[_FunctionT], _FunctionT] = click.option(
    "--keys-only", is_flag=True, help="Without the values."
)
if_revision_option: Callable[[_FunctionT], _FunctionT] = click.option(
    "--if-revision",
    type=click.IntRange(min=0),
    metavar="REVISION",
    help="Only if the entry has this revision; 0 = if it is not there.",
)
if_scope_revision_option: Callable[[_FunctionT], _FunctionT] = click.option(
    "--if-revision",
    type=click.IntRange(min=0),
    metavar="REVISION",
    help="Only if nothing has changed since this revision; 0 = if nothing was ever written.",
)
purge_option: Callable[[_FunctionT], _FunctionT] = click.option(
    "--purge", is_flag=True, help="Remove what the history has kept of the values, too."
)
merge_option: Callable[[_FunctionT], _FunctionT] = click.option(
    "--merge", "is_merge", is_flag=True, help="VALUE is a merge patch: what is null in it is removed."
)
past_revision_option: Callable[[_FunctionT], _FunctionT] = click.option(
    "--revision", type=click.IntRange(min=0), help="As it was right after this change."
)
past_time_option: Callable[[_FunctionT], _FunctionT] = click.option(
    "--at",
    metavar="TIME",
    callback=read_moment,
    help="As it was at this time, with its offset, such as 2026-01-01T00:00:00Z.",
)


def state_group(name: str, help_text: str) -> click.Group:
    """Return a group of commands, which prints its help if none of them is named."""

    def show_help(context: click.Context) -> None:
        if context.invoked_subcommand is None:
            click.echo(context.get_help())

    group = click.group(name, help=help_text, short_help=help_text, invoke_without_command=True)
    return group(click.pass_context(show_help))
