"""`statemount clean`: remove what is over, at once."""

from __future__ import annotations

import sys

import click

from statemount.cli.in_process import run_with_state
from statemount.cli.options import setting_option
from statemount.mount import StateMount
from statemount.service.clean_up import Overdue


@click.command(short_help="Remove what is over.")
@setting_option("database_url")
@setting_option("table_prefix")
@click.option(
    "--batch",
    "sweep_batch_size",
    type=click.IntRange(1, 10_000),
    envvar="STATEMOUNT_SWEEP_BATCH_SIZE",
    show_envvar=True,
    show_default="1000",
    help="The most that is removed in one transaction.",
)
@click.option("--dry-run", is_flag=True, help="Count what would be removed, and remove nothing.")
def clean(dry_run: bool, **given: object) -> None:
    """Remove expired entries, and assets, task instances and changes of the history that are over their time.

    It does at once what every server does in the background, and may be run while they are at work. How long assets,
    task instances and changes are kept is in the settings STATEMOUNT_ASSET_GRACE_DAYS,
    STATEMOUNT_DIRECTORY_RETENTION_DAYS and STATEMOUNT_HISTORY_RETENTION_DAYS.
    """
    if dry_run:
        click.echo(f"would remove {_told(run_with_state(given, lambda state: state.service.clean_up.count()))}")
    else:
        click.echo(f"removed {_told(run_with_state(given, _clean))}")


async def _clean(state: StateMount) -> Overdue:
    if not sys.stderr.isatty():
        return await state.service.clean_up()
    total = await state.service.store.count_expired()
    with click.progressbar(length=total or 0, label="expired entries", show_pos=True, file=sys.stderr) as bar:
        return await state.service.clean_up(bar.update)


def _told(overdue: Overdue) -> str:
    counts = {
        "expired entry/expired entries": overdue.entries,
        "task instance/task instances": overdue.task_instances,
        "asset/assets": overdue.assets,
        "change of the history/changes of the history": overdue.changes,
    }
    *parts, last = (_counted(count, *nouns.split("/")) for nouns, count in counts.items())
    return f"{', '.join(parts)} and {last}"


def _counted(count: int | None, one: str, many: str) -> str:
    number = "an unknown number of" if count is None else f"{count:,}"
    return f"{number} {one if count == 1 else many}"
