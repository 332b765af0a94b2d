"""`statemount clean`: what it removes, counts and shows."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
from uuid import uuid4

import pytest

from statemount.clock import system_clock
from statemount.model import TaskInstance, TaskScope
from statemount.mount import StateMount
from tests.cli.commands import printed, refused
from tests.servers import COMMAND, clean_environment

DAY = 86_400_000_000
TASK = TaskScope("etl", "monday", "load")


@pytest.fixture
def overdue_url(database_url: str) -> str:
    """Return the URL of a database with 5 expired entries, 2 assets, a task instance, 6 old changes; of every kind."""
    asyncio.run(fill(database_url))
    return database_url


async def fill(url: str) -> None:
    """Make what is to be cleaned away, and what is not."""
    state = StateMount(url, clock=lambda: system_clock() - 100 * DAY, sweep_interval_seconds=0)
    await state.directory.register_task_instances([TaskInstance(uuid4(), TASK)])
    for name in ("gone", "too", "stays"):
        await state.directory.register_asset(name=name)
    for name in ("gone", "too"):
        asset = await state.directory.asset_by_name(name)
        assert asset is not None
        await state.service.host.deactivate_asset(asset.asset_id)
    for number in range(5):
        await state.service.tasks.set(TASK, f"k{number}", 1, expires_at=system_clock() - DAY)
    await state.service.tasks.set(TASK, "eternal", 1, expires_at=None)
    await state.stop()


async def left(url: str) -> tuple[int, int | None]:
    """Return how many live and expired entries there are."""
    state = StateMount(url, sweep_interval_seconds=0)
    page, expired = await state.service.tasks.list(TASK), await state.service.store.count_expired()
    await state.stop()
    return page.total, expired


def test_dry_run(overdue_url: str) -> None:
    """With `--dry-run` everything is counted, and nothing is removed."""
    for _ in range(2):
        assert printed("clean", "--dry-run", "--database-url", overdue_url) == (
            "would remove 5 expired entries, 1 task instance, 2 assets and 6 changes of the history"
        )
    assert asyncio.run(left(overdue_url)) == (1, 5)


def test_clean(overdue_url: str) -> None:
    """Everything that is over is removed, in batches of any size, and is counted in one line."""
    variables = {"STATEMOUNT_DATABASE_URL": overdue_url}
    assert printed("clean", "--batch", "2", **variables) == (
        "removed 5 expired entries, 1 task instance, 2 assets and 6 changes of the history"
    )
    assert printed("clean", **variables) == (
        "removed 0 expired entries, 0 task instances, 0 assets and 0 changes of the history"
    )
    assert asyncio.run(left(overdue_url)) == (1, 0)


def test_what_the_settings_keep(overdue_url: str) -> None:
    """How long assets, task instances and changes are kept is as the server's settings say; 0 = for ever."""
    keeping = {
        "STATEMOUNT_ASSET_GRACE_DAYS": "101",
        "STATEMOUNT_DIRECTORY_RETENTION_DAYS": "0",
        "STATEMOUNT_HISTORY_RETENTION_DAYS": "101",
    }
    for arguments, said in ((["--dry-run"], "would remove"), ([], "removed")):
        assert printed("clean", *arguments, "--database-url", overdue_url, **keeping) == (
            f"{said} 5 expired entries, 0 task instances, 0 assets and 0 changes of the history"
        )


def test_one_entry(overdue_url: str) -> None:
    """One of a kind is told in the singular, and with a thousand and more the number can be read."""
    state = StateMount(overdue_url, sweep_interval_seconds=0)

    async def write() -> None:
        await state.service.clean_up()
        await state.service.tasks.set(TASK, "k", 1, expires_at=0)
        await state.stop()

    asyncio.run(write())
    assert printed("clean", "--dry-run", "--database-url", overdue_url) == (
        "would remove 1 expired entry, 0 task instances, 0 assets and 0 changes of the history"
    )


def test_progress(overdue_url: str) -> None:
    """On a terminal a bar shows how far it is, on stderr; the count goes to stdout."""
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, "clean", "--batch", "2", "--database-url", overdue_url],
        env=clean_environment({"TERM": "xterm"}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=end,
        text=True,
    )
    os.close(end)
    output, _ = process.communicate(timeout=60)
    shown = os.read(terminal, 65_536).decode()
    os.close(terminal)
    assert process.returncode == 0
    assert output == "removed 5 expired entries, 1 task instance, 2 assets and 6 changes of the history\n"
    assert "expired entries" in shown
    assert "5/5" in shown


def test_a_database_without_a_schema_stays_so(empty_database_url: str) -> None:
    """No schema is made: one line names the command that does."""
    assert "run 'statemount db upgrade'" in refused("clean", "--database-url", empty_database_url)
    assert printed("db", "current", "--database-url", empty_database_url) == "none"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--batch", "0"], "0 is not in the range"),
        (["--database-url", "postgresql://nobody@127.0.0.1:1/nothing"], "no connection to the database"),
        (["--database-url", "nonsense"], "STATEMOUNT_DATABASE_URL"),
    ],
)
def test_what_cannot_work(arguments: list[str], said: str) -> None:
    """A mistake, or a database that does not answer, is told in one line."""
    assert said in refused("clean", *arguments)
